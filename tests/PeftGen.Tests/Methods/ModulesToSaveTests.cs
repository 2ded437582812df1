using System.Text.Json.Nodes;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Modules that train whole beside a method, whichever it is.</summary>
public sealed class ModulesToSaveTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private static readonly string[] HeadParameters = ["dense.bias", "dense.weight", "norm.bias", "norm.weight", "scale"];
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TempFolder _folder = new();
    private readonly EveryMethodModel _model = new();
    private readonly Tensor _ids = tensor(new long[,] { { 4, 8, 2, 7 }, { 1, 4, 4, 3 } });

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Low_rank_and_scaling_methods_train_a_head_along()
    {
        Check(_model.CreateLoRAAdapter(), _model.LoadLoRAAdapter, "LORA");
        Check(_model.CreateMTLLoRAAdapter(), _model.LoadMTLLoRAAdapter, "PEFTGEN_MTL_LORA");
        Check(_model.CreateIA3Adapter(), _model.LoadIA3Adapter, "IA3");
    }

    [Fact]
    public void Selective_methods_train_a_head_along()
    {
        Check(_model.CreateLNTuningAdapter(), _model.LoadLNTuningAdapter, "LN_TUNING");
        Check(_model.CreateBitFitAdapter(), _model.LoadBitFitAdapter, "PEFTGEN_BITFIT");
        Check(_model.CreateTrainableTokensAdapter(), _model.LoadTrainableTokensAdapter, "PEFTGEN_TRAINABLE_TOKENS");
    }

    [Fact]
    public void Bottlenecks_train_a_head_along()
    {
        Check(_model.CreateBottleneckAdapter(), _model.LoadBottleneckAdapter, "PEFTGEN_BOTTLENECK");
        Check(_model.CreateHoulsbyAdapter(), _model.LoadHoulsbyAdapter, "PEFTGEN_BOTTLENECK");
        Check(_model.CreateParallelAdapterAdapter(), _model.LoadParallelAdapterAdapter, "PEFTGEN_BOTTLENECK");
        Check(_model.CreateAdapterPlusAdapter(), _model.LoadAdapterPlusAdapter, "PEFTGEN_BOTTLENECK");
        Check(_model.CreateCompacterAdapter(), _model.LoadCompacterAdapter, "PEFTGEN_COMPACTER");
        Check(_model.CreateCompacterPlusPlusAdapter(), _model.LoadCompacterPlusPlusAdapter, "PEFTGEN_COMPACTER");
    }

    [Fact]
    public void Methods_at_attention_train_a_head_along()
    {
        Check(_model.CreatePrefixTuningAdapter(), _model.LoadPrefixTuningAdapter, "PEFTGEN_PREFIX_TUNING", "base_model.");
        Check(_model.CreateAdaptionPromptAdapter(), _model.LoadAdaptionPromptAdapter, "PEFTGEN_ADAPTION_PROMPT");
    }

    [Fact]
    public void Prompts_train_a_head_along()
    {
        Check(_model.CreatePromptTuningAdapter(), _model.LoadPromptTuningAdapter, "PROMPT_TUNING", "base_model.");
        Check(_model.CreatePTuningAdapter(), _model.LoadPTuningAdapter, "P_TUNING", "base_model.");
        Check(_model.CreateMultitaskPromptTuningAdapter(), _model.LoadMultitaskPromptTuningAdapter, "MULTITASK_PROMPT_TUNING", "base_model.");
        Check(_model.CreateEmbeddedPromptAdapter(), _model.LoadEmbeddedPromptAdapter, "PEFTGEN_EMBEDDED_PROMPT");
    }

    [Fact]
    public void Methods_on_states_train_a_head_along()
    {
        Check(_model.CreateLoReFTAdapter(), _model.LoadLoReFTAdapter, "PEFTGEN_LOREFT");
        Check(_model.CreateNoReFTAdapter(), _model.LoadNoReFTAdapter, "PEFTGEN_NOREFT");
        Check(_model.CreateDiReFTAdapter(), _model.LoadDiReFTAdapter, "PEFTGEN_DIREFT");
        Check(_model.CreateInvertibleAdapter(), _model.LoadInvertibleAdapter, "PEFTGEN_INVERTIBLE");
    }

    [Fact]
    public void Of_combined_methods_the_first_part_does()
    {
        Check(_model.CreateUniPELTAdapter(), _model.LoadUniPELTAdapter, "PEFTGEN", "base_model.");
        Check(_model.CreateMAMAdapter(), _model.LoadMAMAdapter, "PEFTGEN", "base_model.");
        Assert.Equal(["head", null, null], new UniPELT { ModulesToSave = "head" }.Parts.Select(part => part.ModulesToSave));
        Assert.Equal(["head", null], new UniPELT(prefixTargets: null) { ModulesToSave = "head" }.Parts.Select(part => part.ModulesToSave));
        Assert.Equal(["head", null], new MAM { ModulesToSave = "head" }.Parts.Select(part => part.ModulesToSave));
        Assert.EndsWith("ModulesToSave = \"head\", Group = \"g\")]", new MAM { ModulesToSave = "head", Group = "g" }.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_user_s_own_method_trains_modules_along()
    {
        var model = new TinyModel();
        var x = Fill.Values(3, 2, 4, TinyModel.Dim);
        var saved = model.CreateAdapter(1, new Delta("query") { ModulesToSave = "blocks.1,out" });
        var before = model.forward(saved, x);
        Fill.Normal(saved, 2);
        var expected = model.forward(saved, x);
        Assert.True((expected - before).abs().max().item<float>() > 0.1);
        saved.Save(_folder.Path);
        TensorAssert.Same(expected, model.forward(model.LoadAdapter(_folder.Path, new Delta("up")), x));
    }

    /// <summary>Its configurations name none, and heads are in files of their own.</summary>
    [Fact]
    public void A_file_of_AdapterHub_brings_no_modules()
    {
        var model = new TinyModel();
        var x = Fill.Values(3, 2, 4, TinyModel.Dim);
        var saved = model.CreateAdapter(1, new Delta("up") { ModulesToSave = "out" });
        File.WriteAllText(_folder["adapter_config.json"], """{"name": "german", "config": {"architecture": "delta", "delta_scale": 1, "target_modules": ["up"]}}""");
        PeftGen.Checkpoints.SafetensorsWriter.Write(_folder["adapter.safetensors"], saved.Slots().SelectMany(s => s.Stored(FileFormat.AdapterHub))
            .Select(entry => (entry.Key.Replace("{name}", "german", StringComparison.Ordinal), entry.Value)));
        // A new copy is as the base, so the outputs are the same.
        TensorAssert.Same(model.forward(saved, x), model.forward(model.LoadAdapter(_folder.Path, new Delta("up") { ModulesToSave = "out" }), x));
    }

    [Fact]
    public void A_file_may_name_heads_that_the_model_lacks()
    {
        _model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj") { ModulesToSave = "score,head" }).Save(_folder.Path);
        Assert.Equal("""["head","score"]""", Config()["modules_to_save"]!.ToJsonString());
        _model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj")).Save(_folder.Path);
        Assert.Null(Config()["modules_to_save"]);
        var config = Config();
        config["modules_to_save"] = new JsonArray("score", "score");
        File.WriteAllText(_folder["adapter_config.json"], config.ToJsonString());
        var loaded = _model.LoadLoRAAdapter(_folder.Path);
        loaded.Save(_folder.Path);
        Assert.Equal("""["score","score"]""", Config()["modules_to_save"]!.ToJsonString());
    }

    [Fact]
    public void What_names_nothing_or_has_no_site_is_refused()
    {
        var missing = Assert.Throws<AdapterException>(() => _model.CreateBitFitAdapter(new BitFit { ModulesToSave = "score" })).Message;
        Assert.Equal("[BitFit(ModulesToSave = \"score\")]: ModulesToSave 'score' names nothing of this model that has parameters. At its root it has: embeddings, layers, head. Name a module by its path or the end of it.", missing);
        var prefixes = new PrefixModel();
        var uncompiled = Assert.Throws<AdapterException>(() => prefixes.CreateAdapter(new PrefixTuning(3) { ModulesToSave = "lm_head" })).Message;
        Assert.Equal(
            "[PrefixTuning(length: 3, ModulesToSave = \"lm_head\")]: no site is compiled for lm_head.weight. Sites are compiled for the targets that the model's class declares; " +
            "write this on it: [PrefixTuning(length: 3, ModulesToSave = \"lm_head\")]", uncompiled);
    }

    [Fact]
    public void Two_methods_of_a_group_cannot_train_one_module()
    {
        var host = new LayerHost(("q_proj", nn.Linear(6, 6)), ("head", nn.Linear(6, 3)));
        Assert.StartsWith(
            "head: [LoRA(rank: 2, targets: \"q_proj\", ModulesToSave = \"head\")] trains a copy of this layer's weight and bias, and [IA3(targets: \"q_proj\", feedforward: \"\", ModulesToSave = \"head\")] one of its weight and bias. Only one of the copies can run.",
            Assert.Throws<AdapterException>(() => host.Create(new LoRA(2, targets: "q_proj") { ModulesToSave = "head" }, new IA3("q_proj", "") { ModulesToSave = "head" })).Message, StringComparison.Ordinal);
        Assert.StartsWith("head: [LoRA(", Assert.Throws<AdapterException>(() => host.Create(new LoRA(2, targets: "q_proj") { ModulesToSave = "head" }, new BitFit())).Message, StringComparison.Ordinal);
        Assert.StartsWith("blocks.0.scale: ", Assert.Throws<AdapterException>(() => new TinyModel().CreateAdapter(1, new Delta("up") { ModulesToSave = "scale" }, new Shift("blocks.0") { ModulesToSave = "scale" })).Message, StringComparison.Ordinal);
        // What trains whole is not trained again, and has no update beside it.
        Assert.Equal(
            ["head.bias", "head.weight", "q_proj.bias", "q_proj.lora_A.weight", "q_proj.lora_B.weight"],
            Keys(host.Create(new LoRA(2, targets: "q_proj,head") { Bias = LoRABias.LoraOnly, ModulesToSave = "head" })).Order(StringComparer.Ordinal));
        Assert.Equal(
            "[LoRA(rank: 2, targets: \"head\", ModulesToSave = \"head\")]: all that the targets 'head' match lies in what trains whole (head), where no adapter is put. Take it out of ModulesToSave 'head', or name other targets.",
            Assert.Throws<AdapterException>(() => host.Create(new LoRA(2, targets: "head") { ModulesToSave = "head" })).Message);
        Assert.Equal(["q_proj.bias", "head.weight", "head.bias"], host.Create(new BitFit { ModulesToSave = "head" }).Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace)).Select(s => s.Key["base_model.model.".Length..]));
    }

    private static IEnumerable<string> Keys(AdapterNode adapter) =>
        adapter.Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace)).Select(s => s.Key["base_model.model.".Length..].Replace("base_layer.", "", StringComparison.Ordinal));

    private void Check<T>(T adapter, Func<string, T> load, string peftType, string prefix = "base_model.model.") where T : EveryMethodModel.Adapter, IAdapter
    {
        var what = typeof(T).Name;
        adapter.eval();
        // What the methods have in common: the copies under HF PEFT's keys, each once, and nothing else of the head.
        var copies = Copies(adapter);
        Assert.Equal(HeadParameters.Select(name => $"{prefix}head.{name}"), copies.Keys.Order(StringComparer.Ordinal));
        Assert.All(copies.Values, copy => Assert.True(copy.requires_grad, $"{what}: a copy does not train"));
        var report = adapter.ParameterReport(_model);
        Assert.Equal(EveryMethodHead.Numbers, copies.Values.Sum(copy => copy.numel()));
        Assert.Equal(adapter.parameters().Sum(p => p.numel()), report.Trained);
        Assert.Contains(report.Rows, row => row is { Name: "scale.value", Trains: true });

        Run(adapter).square().sum().backward();
        Assert.All(copies, copy => Assert.True(copy.Value.grad is { } g && g.abs().max().item<float>() > 0, $"{what}: {copy.Key} has no gradient"));
        Assert.All(_model.parameters(), p => Assert.Null(p.grad));
        using (no_grad())
        {
            var before = Run(adapter);
            foreach (var copy in copies.Values)
                copy.add_(Fill.Values(4, copy.shape));
            var after = Run(adapter);
            Assert.True((after - before).abs().max().item<float>() > 0.1, $"{what}: the copies are not read");

            adapter.Save(_folder.Path);
            Assert.Equal(peftType, (string?)Config()["peft_type"]);
            var loaded = load(_folder.Path);
            loaded.eval();
            foreach (var (key, copy) in Copies(loaded))
                TensorAssert.Same(copies[key], copy, $"{what}: {key}");
            TensorAssert.Close(after, Run(loaded), Tolerance, what);
            loaded.Save(_folder["again"]);
            Assert.Equal(File.ReadAllText(_folder["adapter_config.json"]), File.ReadAllText(_folder["again/adapter_config.json"]));
        }

        Assert.Equal("""["head"]""", Assert.Single(Methods(Config()), config => config["modules_to_save"] is not null)["modules_to_save"]!.ToJsonString());
        Assert.Contains("ModulesToSave = \"head\"", AdapterDeclaration.Read(_folder.Path).ToString(), StringComparison.Ordinal);
    }

    private JsonObject Config() => JsonNode.Parse(File.ReadAllText(_folder["adapter_config.json"]))!.AsObject();

    private static IEnumerable<JsonNode> Methods(JsonObject config) => config["methods"] is JsonArray methods ? methods.Select(method => method!) : [config];

    private static Dictionary<string, Tensor> Copies(AdapterNode adapter) =>
        adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.HuggingFace)).Where(stored => stored.Key.Contains("head.", StringComparison.Ordinal)).ToDictionary(stored => stored.Key, stored => stored.Value);

    private Tensor Run(EveryMethodModel.Adapter adapter) => _model.forward(adapter, new ForwardOptions { TaskIds = tensor(new long[] { 1, 0 }) }, _ids);
}
