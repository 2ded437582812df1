using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The prompt and the gate of one block, which its projections and its attention share; the formula is <see cref="AdaptionPrompt"/>'s.</summary>
internal sealed class AttentionPrompt : Slot
{
    private const string Vectors = "adaption_prompt", GateName = "adaption_gate";
    private readonly long _length;
    private readonly int _blocks;
    private readonly Dictionary<string, string> _layers = [];
    private string? _attention;

    public AttentionPrompt(Site site, int length) : base($"block {site.Block}")
    {
        _length = length;
        _blocks = site.BlockCount;
        site.WhenComplete(() =>
        {
            if (_attention is null)
                throw new AdapterException($"{site.Path}: the attention that this layer belongs to is none of the targets, or the compiler does not see it. Leave the layer's block out, or name its attention.");
        });
    }

    /// <summary>The prompt, <c>[1, length, dim]</c>.</summary>
    public Tensor Prompt => this[Vectors];

    /// <summary>The gate, <c>[1]</c>.</summary>
    public Tensor Gate => this[GateName];

    /// <summary>Takes in a layer that the prompt goes through: of each kind the block has one, or it would not be told which attention they belong to.</summary>
    public void Join(Site site)
    {
        if (_layers.TryAdd(site.Claim.Purpose, site.Path))
            return;
        throw new AdapterException(
            $"{site.Path}: the block has another layer of this kind, {_layers[site.Claim.Purpose]}, so it has two attentions, as a decoder has that also reads an encoder; the method is for blocks with one. " +
            "Use PrefixTuning, which has a prefix for each attention.");
    }

    /// <summary>Begins with the attention whose block it is.</summary>
    public void Begin(Site site)
    {
        if (_attention is not null)
            throw new AdapterException($"{site.Path}: the block has another attention, {_attention}, and the method is for blocks with one. Name the one that is meant.");
        _attention = site.Path;
        var (inputs, _) = site.FindLinear("k") ?? throw new AdapterException(
            $"{site.Path}: no linear layer of this module is known to make keys, and the prompt has to go through it. Call it k_proj, or write [Name(\"k_proj\")] on its field.");
        Learn(Vectors, Start.Normal(site, 1, 1, _length, inputs));
        Learn(GateName, site.Zeros(1));
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        [new($"{HuggingFaceKeys.Prefix}{_attention}.{GateName}", Gate), new($"{HuggingFaceKeys.Prefix}{_attention}.{Vectors}", Prompt)];

    /// <summary>Where all blocks are adapted, HF PEFT wants to know how many that are.</summary>
    public override void Describe(JsonObject config, FileFormat format)
    {
        if (config["adapter_layers"]?.GetValue<int>() is 0)
            config["adapter_layers"] = _blocks;
    }
}

/// <summary>What the sites of one block found out in a call; the tensors are the context's.</summary>
internal sealed class PromptedCall
{
    /// <summary>The prompt's keys, <c>[1, length, kv_heads · head_dim]</c>.</summary>
    public Tensor? Keys { get; set; }

    /// <summary>The prompt's values, as the keys.</summary>
    public Tensor? Values { get; set; }

    /// <summary>What the attention read from the prompt, <c>[batch, tokens, heads · head_dim]</c>.</summary>
    public Tensor? Extra { get; set; }
}

/// <summary>Sends the prompt through a projection of keys or values beside the tokens.</summary>
internal sealed class PromptedProjection(Site site, AttentionPrompt prompt) : LayerSlot(site.Path)
{
    private readonly bool _isKeys = site.Claim.Purpose == AdaptionPrompt.Keys;
    private readonly LayerPart? _part = site.Parts is [var part] ? part : null;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var typed = prompt.Prompt.to(x.dtype);
        var seen = layer.Context.Keep(layer.forward(typed));
        if (_part is { } part)
            seen = layer.Context.Keep(seen.narrow(-1, part.Start, part.Length));
        var call = layer.Context.State<PromptedCall>(prompt);
        if (_isKeys)
            call.Keys = seen;
        else
            call.Values = seen;
        return layer.forward(x);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}

/// <summary>Attends to the prompt with a softmax of its own.</summary>
internal sealed class PromptedAttention : AttentionSlot
{
    private readonly AttentionPrompt _prompt;

    public PromptedAttention(Site site, AttentionPrompt prompt) : base(site.Path)
    {
        _prompt = prompt;
        prompt.Begin(site);
    }

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var call = context.State<PromptedCall>(_prompt);
        if (call is not { Keys: { } keys, Values: { } values })
            throw new AdapterException($"{Path}: the prompt did not go through this attention's keys and values before it. Call them in the attention's own block, before the attention.");
        using var scope = NewDisposeScope();
        var weights = softmax(q.matmul(Heads(keys, q).transpose(-1, -2)) / Math.Sqrt(q.shape[^1]), -1, q.dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32).to(q.dtype) * _prompt.Gate.to(q.dtype);
        call.Extra = context.Keep(weights.matmul(Heads(values, q)).transpose(1, 2).flatten(2));
        return (k, v, mask);
    }

    /// <summary><c>[1, length, kv_heads · head_dim]</c> → <c>[1, heads, length, head_dim]</c>.</summary>
    private static Tensor Heads(Tensor x, Tensor q)
    {
        var byHead = x.view(1, x.shape[1], -1, q.shape[^1]).transpose(1, 2);
        return byHead.shape[1] == q.shape[1] ? byHead : byHead.repeat_interleave(q.shape[1] / byHead.shape[1], 1);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}

/// <summary>Adds what the attention read from the prompt to what it puts out.</summary>
internal sealed class PromptedOutput(Site site, AttentionPrompt prompt, bool projects) : LayerSlot(site.Path)
{
    public override Tensor forward(LayerCall layer, Tensor x)
    {
        var extra = layer.Context.State<PromptedCall>(prompt).Extra ?? throw new AdapterException(
            $"{Path}: this layer ran before its block's attention. Call the output projection after the attention.");
        using var y = layer.forward(x);
        if (!projects)
            return y + extra;
        using var projected = layer.forward(extra);
        return y + projected;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}
