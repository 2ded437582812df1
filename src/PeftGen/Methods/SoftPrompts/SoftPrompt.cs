using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>What HF PEFT's prompt methods have in common: learned vectors before the embeddings of the tokens that the model reads.</summary>
/// <remarks>
/// The root takes its tokens as Int64 <c>[batch, tokens]</c> in a parameter that is called <c>input_ids</c> or bears <c>[Input(InputRole.InputIds)]</c>, and hands it to the embedding as it is.
/// The mask gets ones in front, segments zeros, labels −100; positions are the model's own and count from the first vector. Outputs keep the virtual positions.
/// In generation the prompt is put in once, into the cache.
/// </remarks>
/// <param name="length">The number of vectors.</param>
/// <param name="targets">The embedding.</param>
[Merges(false)]
public abstract class SoftPrompt(int length, string targets) : AdaptAttribute
{
    private const string Embed = "embed", Door = "door", Default = "embed";

    /// <summary>The number of vectors.</summary>
    [Adapts(SiteKind.Input, Targets = "**", Exclusive = Prompt.Kind, Inputs = [InputRole.InputIds])]
    public int Length { get; } = length;

    /// <summary>The embedding of the tokens.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Embedding)])]
    public string Targets { get; } = targets;

    /// <summary>Whether the virtual positions are cut from what the model returns, <c>[batch, positions, …]</c>. Default: no, as HF PEFT.</summary>
    public bool CutPrompt { get; set; }

    /// <summary>How many prompts the file has one behind the other; HF PEFT's <c>num_transformer_submodules</c>, which it makes 2 for encoder-decoders. Default: 1.</summary>
    [InRange(1, 2)]
    public int Submodules { get; set; } = 1;

    /// <summary>What HF PEFT's <c>task_type</c> is to be in files, for example <c>CAUSAL_LM</c>; it opens a prompt's file only with one. Default: none.</summary>
    public string? TaskType { get; set; }

    internal sealed override PartNames ModuleNames => PartNames.BesidePrompt;

    /// <inheritdoc/>
    public sealed override bool CanMerge => false;

    /// <inheritdoc/>
    public sealed override IReadOnlyList<Claim> Claims =>
        field ??= [new Claim(SiteKind.Input, TargetList.Parse("**"), Purpose: Door) { Exclusive = Prompt.Kind }, new Claim(SiteKind.Layer, TargetList.Parse(Targets), Purpose: Embed)];

    /// <inheritdoc/>
    public sealed override IEnumerable<Claim> NamedClaims => [];

    /// <inheritdoc/>
    public sealed override Slot CreateSlot(Site site)
    {
        if (Length < 1 || Submodules is < 1 or > 2)
            throw new AdapterException($"{this}: Length is {Length} and Submodules {Submodules}, expected at least 1, and 1 or 2.");
        var prompt = site.Share(Prompt.Name, () => CreatePrompt(site, Length * Submodules));
        return site.Claim.Purpose == Embed ? new PromptEmbedding(site, prompt) : new PromptInput(site, prompt, Length, Room, CutPrompt ? 0 : null);
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["num_virtual_tokens"] = Length;
        config["num_transformer_submodules"] = Submodules;
        if (TaskType is not null)
            config["task_type"] = TaskType;
        if (Targets != Default)
            config["target_modules"] = ConfigWriter.OwnTargets(Targets);
        // HF PEFT reads the sizes off the model where they are not given.
        foreach (var field in (string[])[WholeModules.Field, "token_dim", "num_attention_heads", "num_layers"])
            config.TryAdd(field, null);
    }

    /// <summary>Where the vectors are put.</summary>
    internal virtual PromptRoom Room => PromptRoom.Tokens;

    /// <summary>Makes the vectors.</summary>
    internal abstract Prompt CreatePrompt(Site site, int rows);

    /// <summary>Reads what all have in common.</summary>
    internal static (int length, string targets, int submodules, string? taskType) ReadCommon(ConfigReader reader) =>
        (reader.Int("num_virtual_tokens", 0), reader.OwnTargets("target_modules") ?? Default, reader.Int("num_transformer_submodules", reader.Text("task_type") == "SEQ_2_SEQ_LM" ? 2 : 1), reader.Text("task_type"));

    /// <summary>The attribute's text with what all have in common.</summary>
    internal AttributeText Text(string name) => new AttributeText(name).Argument("length", Length).Argument("targets", Targets, Default);

    /// <summary>Adds the properties that all have in common.</summary>
    internal string WithCommon(AttributeText text) => text
        .Property(nameof(CutPrompt), CutPrompt, false).Property(nameof(Submodules), Submodules, 1)
        .Property(nameof(TaskType), TaskType).Common(this).ToString();
}
