using System.Diagnostics;
using PeftGen.Generation;
using PeftGen.Models;
using PeftGen.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Benchmarks.Serving;

/// <summary>A Llama with what is measured on it: units of training, forward or generation.</summary>
internal sealed class LlamaWork : IDisposable
{
    private readonly ServeOptions _options;
    private readonly LlamaForCausalLM _model;
    private readonly LlamaForCausalLM.Adapter? _adapter;
    private readonly List<LlamaForCausalLM.Adapter> _owned = [];
    private readonly List<Parameter> _trained;
    private readonly Tensor _ids;
    private readonly LeanAdamW? _optimizer;

    public LlamaWork(ServeOptions options)
    {
        _options = options;
        _model = LlamaForCausalLM.FromPretrained(options.Host, options.Dtype == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32);
        var watch = Stopwatch.StartNew();
        _adapter = Attach();
        AttachSeconds = watch.Elapsed.TotalSeconds;

        var vocabulary = _model.named_parameters().First(p => p.name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)).parameter.shape[0];
        using (var scope = NewDisposeScope())
        {
            var (columns, rows) = (arange(options.Tokens, ScalarType.Int64).unsqueeze(0), arange(options.Batch, ScalarType.Int64).unsqueeze(1));
            _ids = ((17 * columns + 31 * rows + 7) % vocabulary).MoveToOuterDisposeScope();
        }

        _trained = (_adapter?.parameters() ?? _model.parameters()).Where(p => p.requires_grad).ToList();
        // Of the floor, only the embedding has a gradient: it is the bottom that gradients flow to, and nothing learns.
        Trainable = options.Method == "floor" ? 0 : _trained.Sum(p => p.numel());
        if (options.Work != "train")
            return;
        _model.train();
        _adapter?.train();
        if (options.Checkpoint)
            (_adapter ?? throw new InvalidOperationException($"--checkpoint needs an adapter, and the method '{options.Method}' has none.")).GradientCheckpointing = true;
        if (Trainable > 0)
            _optimizer = new LeanAdamW(_trained, 1e-4);
    }

    /// <summary>How many numbers train.</summary>
    public long Trainable { get; }

    /// <summary>What making or loading the adapters took.</summary>
    public double AttachSeconds { get; }

    /// <summary>One unit of work.</summary>
    /// <returns>The loss in training, the standard deviation of the logits in forward, the mean of the last ids in generation.</returns>
    public double Unit() => _options.Work switch
    {
        "train" => Train(),
        "forward" => Forward(),
        _ => Generate(),
    };

    public void Dispose()
    {
        _optimizer?.Dispose();
        if (_adapter is not null && !_owned.Contains(_adapter))
            _adapter.Dispose();
        _owned.ForEach(adapter => adapter.Dispose());
        _ids.Dispose();
        _model.Dispose();
    }

    private LlamaForCausalLM.Adapter? Attach()
    {
        switch (_options.Method)
        {
            case "full":
                return null;
            case "base" or "floor":
                foreach (var parameter in _model.parameters())
                    parameter.requires_grad = false;
                if (_options.Method == "floor")
                    _model.named_parameters().First(p => p.name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)).parameter.requires_grad_();
                return null;
        }

        for (var i = 0; i < _options.Adapters; i++)
            _owned.Add(_options.AdaptersFrom is { } folder ? Load(Path.Combine(folder, i.ToString(System.Globalization.CultureInfo.InvariantCulture))) : Create());
        _owned.ForEach(adapter => adapter.eval());
        if (_options.Merged)
        {
            Merge(_owned[0]);
            return null;
        }

        return _owned.Count == 1 ? _owned[0] : Rows.Of([.. Enumerable.Range(0, _options.Batch).Select(row => _owned[row % _owned.Count])]);
    }

    private LlamaForCausalLM.Adapter Load(string folder) => _options.Method switch
    {
        "ia3" => _model.LoadScalesAdapter(folder),
        "prompt" => _model.LoadPromptAdapter(folder),
        "prefix" => _model.LoadPrefixAdapter(folder),
        _ => _model.LoadAdapter(folder),
    };

    private LlamaForCausalLM.Adapter Create() => _options.Method switch
    {
        "ia3" => _model.CreateScalesAdapter(),
        "prompt" => _model.CreatePromptAdapter(),
        "prefix" => _model.CreatePrefixAdapter(),
        _ => _model.CreateAdapter(new LoRA(_options.Rank, 2 * _options.Rank, _options.Targets == "all" ? "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj" : _options.Targets)
            { Dropout = _options.Dropout, RsLora = _options.Method == "rslora" }),
    };

    private void Merge(LlamaForCausalLM.Adapter adapter)
    {
        switch (adapter)
        {
            case LlamaForCausalLM.LoRAAdapter lora:
                lora.MergeInto(_model, keepBase: false);
                break;
            case LlamaForCausalLM.ScalesAdapter scales:
                scales.MergeInto(_model, keepBase: false);
                break;
        }
    }

    private Tensor Logits(Tensor ids, Tensor? mask = null, KeyValueCache? cache = null) =>
        _adapter is null ? _model.forward(ids, mask, cache) : _model.forward(_adapter, ids, mask, cache);

    private double Train()
    {
        using var scope = NewDisposeScope();
        using var loss = Loss();
        loss.backward();
        _optimizer?.Step();
        foreach (var parameter in _trained)
            parameter.grad = null;
        return loss.item<float>();
    }

    /// <summary>The logits are freed before the backward pass, which does not need them.</summary>
    private Tensor Loss()
    {
        using var logits = Logits(_ids);
        return CausalLoss.Of(logits, _ids);
    }

    private double Forward()
    {
        using var mode = inference_mode();
        using var logits = Logits(_ids);
        using var wide = logits.to(ScalarType.Float32);
        using var deviation = wide.std();
        return deviation.item<float>();
    }

    private double Generate()
    {
        using var mode = inference_mode();
        using var cache = new KeyValueCache();
        return TextGeneration.Generate((ids, mask) => Logits(ids, mask, cache), _ids, null, new() { MaxNewTokens = _options.NewTokens }).Average(row => (double)row[^1]);
    }
}
