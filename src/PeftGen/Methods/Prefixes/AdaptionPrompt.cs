using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// LLaMA-Adapter: the attention of the upper blocks also reads a learned prompt, with a softmax of its own and a gate that starts at zero,
/// <c>y += o(g · softmax(q k(P)ᵀ / √d) v(P))</c>.
/// </summary>
/// <remarks>
/// Zhang et al., "LLaMA-Adapter: Efficient Fine-tuning of Language Models with Zero-init Attention", 2023; HF PEFT's <c>AdaptionPromptConfig</c>. The prompt P is
/// <c>[length, dim]</c> and goes through the block's own projections k, v and o, without rotary positions. The projection's bias, if it has one, is so added a second time: with one, a
/// new adapter is not quite the identity. For models with one attention a block: an encoder-decoder is refused.
/// </remarks>
/// <param name="length">The number of prompt vectors, HF PEFT's <c>adapter_len</c>. Default: 10.</param>
/// <param name="layers">How many of the last blocks are adapted, HF PEFT's <c>adapter_layers</c>; 0: all. Default: 0.</param>
/// <param name="targets">The modules whose attention is adapted, see <see cref="TargetList"/>. Default: Llama's.</param>
[Merges(false)]
public sealed class AdaptionPrompt([InRange(1, 65536)] int length = 10, [InRange(0, 65536)] int layers = 0, string targets = AdaptionPrompt.LlamaAttention) : AdaptAttribute
{
    private const string HuggingFaceType = "ADAPTION_PROMPT", OwnType = "PEFTGEN_ADAPTION_PROMPT", Values = "values", Output = "output";
    private const string Kind = "prompt of the attention's own";
    internal const string Keys = "keys";
    private const string LlamaAttention = "self_attn", Gpt2Attention = "attn";

    /// <summary>The number of prompt vectors.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], Targets = "k", TakesParts = true)]
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], Targets = "v", TakesParts = true)]
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], Targets = "o")]
    public int Length { get; } = length;

    /// <summary>How many of the last blocks are adapted; 0: all.</summary>
    public int Layers { get; } = layers;

    /// <summary>The modules whose attention is adapted.</summary>
    [Adapts(SiteKind.Attention, Exclusive = Kind)]
    public string Targets { get; } = targets;

    /// <summary>Whether what is read from the prompt is added without the output projection, as HF PEFT does on GPT-2. Default: no.</summary>
    public bool Unprojected { get; set; }

    /// <summary>What HF PEFT's <c>task_type</c> is to be in files, for example <c>CAUSAL_LM</c>. Default: none.</summary>
    public string? TaskType { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => Targets == Attention && ModulesToSave is null ? HuggingFaceType : OwnType;

    /// <summary>The attention that HF PEFT adapts, which differs by the family.</summary>
    private string Attention => Unprojected ? Gpt2Attention : LlamaAttention;

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??=
    [
        Of(SiteKind.Attention, Targets, "") with { Exclusive = Kind }, Of(SiteKind.Layer, "k", Keys) with { TakesParts = true }, Of(SiteKind.Layer, "v", Values) with { TakesParts = true }, Of(SiteKind.Layer, "o", Output),
    ];

    private Claim Of(SiteKind kind, string at, string purpose) => new(kind, TargetList.Parse(at), Purpose: purpose) { LastBlocks = Layers > 0 ? Layers : null };

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => [];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site)
    {
        if (site.Block < 0 || site.BlockCount < Layers)
            throw new AdapterException($"{site.Path}: the model has {site.BlockCount} blocks{(site.Block < 0 ? ", and this attention lies in none" : "")}, expected at least {Math.Max(1, Layers)}. Adapt fewer layers.");
        var prompt = site.Share($"adaption_prompt_{site.Block}", () => new AttentionPrompt(site, Length));
        if (site.Kind == SiteKind.Layer)
            prompt.Join(site);
        return site.Claim.Purpose switch
        {
            Output => new PromptedOutput(site, prompt, !Unprojected),
            Keys or Values => new PromptedProjection(site, prompt),
            _ => new PromptedAttention(site, prompt),
        };
    }

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => new ConfigReader(config).Text("peft_type") is HuggingFaceType or OwnType;

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        var own = reader.Text("peft_type") == OwnType;
        var targets = own ? reader.Targets("targets") ?? LlamaAttention : reader.Text("target_modules") ?? LlamaAttention;
        return new AdaptionPrompt(reader.Size("adapter_len", 10), reader.Int("adapter_layers", 0), targets)
        {
            Unprojected = own ? reader.Bool("unprojected", false) : targets == Gpt2Attention,
            TaskType = reader.Text("task_type"),
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["adapter_len"] = Length;
        config["adapter_layers"] = Layers;
        if (PeftType == HuggingFaceType)
        {
            config["target_modules"] = Attention;
        }
        else
        {
            config["targets"] = ConfigWriter.OwnTargets(Targets);
            config["unprojected"] = Unprojected;
        }

        if (TaskType is not null)
            config["task_type"] = TaskType;
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(AdaptionPrompt))
        .Argument("length", Length, 10).Argument("layers", Layers, 0).Argument("targets", Targets, LlamaAttention)
        .Property(nameof(Unprojected), Unprojected, false).Property(nameof(TaskType), TaskType).Common(this).ToString();
}
