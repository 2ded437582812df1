using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>AdapterHub's prompt: learned vectors <c>P</c> <c>[length, dim]</c> beside what the embeddings return, after their norm and without positions: <c>[P; N(E(ids))]</c>.</summary>
/// <remarks>
/// AdapterHub's <c>PromptTuningConfig</c>; the method is that of Lester et al., see <see cref="PromptTuning"/>, which puts vectors before the tokens, so that they get positions and the norm.
/// The mask gets ones in front. A model that pools its first token reads the first vector, unless <see cref="AfterFirst"/>.
/// </remarks>
/// <param name="length">The number of vectors. Default: 10.</param>
/// <param name="targets">The module that embeds the model's inputs, see <see cref="TargetList"/>. Default: <c>embeddings</c>.</param>
[Merges(false)]
public sealed class EmbeddedPrompt([InRange(1, 65536)] int length = 10, string targets = "embeddings") : AdaptAttribute
{
    private const string Default = "embeddings";

    /// <summary>The number of vectors.</summary>
    [Adapts(SiteKind.Input, Targets = "**", Exclusive = Prompt.Kind)]
    public int Length { get; } = length;

    /// <summary>The module that embeds the model's inputs.</summary>
    [Adapts(SiteKind.Output)]
    public string Targets { get; } = targets;

    /// <summary>Whether the vectors stand behind the first of the model's own positions; AdapterHub's <c>prefix_after_bos</c>. Default: no.</summary>
    public bool AfterFirst { get; set; }

    /// <summary>Whether the virtual positions are cut from what the model returns, <c>[batch, positions, …]</c>. Default: no.</summary>
    public bool CutPrompt { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_EMBEDDED_PROMPT";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Input, TargetList.Parse("**")) { Exclusive = Prompt.Kind }, new Claim(SiteKind.Output, TargetList.Parse(Targets))];

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => [];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site)
    {
        if (Length < 1)
            throw new AdapterException($"{this}: the length is {Length}, expected at least 1.");
        var prompt = site.Share(Prompt.Name, () => new PromptTable(site, Length, this));
        var at = AfterFirst ? 1 : 0;
        if (site.Kind == SiteKind.Input)
            return new PromptInput(site, prompt, Length, PromptRoom.Embeddings, CutPrompt ? at : null);
        // In files it lies in the base model, which heads hold in a field.
        prompt.AdapterHubKey = $"{site.Path[..(site.Path.LastIndexOf('.') + 1)]}prompt_tuning.prompt_tunings.{{name}}.prompt_embedding.weight";
        return new EmbeddedPromptSlot(site, prompt, Length, at);
    }

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || config["architecture"]?.ToJsonString() == "\"prompt_tuning\"";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        if (!config.ContainsKey("architecture"))
            return new EmbeddedPrompt(reader.Size("length", 10), reader.Targets("target_modules") ?? Default) { AfterFirst = reader.Bool("after_first", false) };
        return new EmbeddedPrompt(reader.Size("prompt_length", 10))
        {
            AfterFirst = reader.Text("combine") switch
            {
                null or "prefix" => false,
                "prefix_after_bos" => true,
                var other => throw new AdapterException($"'combine' is \"{other}\", expected \"prefix\" or \"prefix_after_bos\"."),
            },
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["length"] = Length;
        config["after_first"] = AfterFirst;
        config["target_modules"] = ConfigWriter.OwnTargets(Targets);
    }

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites)
    {
        sites.Of(Claims[1], Default);
        config["architecture"] = "prompt_tuning";
        config["prompt_length"] = Length;
        config["combine"] = AfterFirst ? "prefix_after_bos" : "prefix";
        config.TryAdd("prompt_init", "random_uniform");
        config.TryAdd("prompt_init_text", null);
        config.TryAdd("init_weights_seed", null);
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(EmbeddedPrompt)).Argument("length", Length, 10).Argument("targets", Targets, Default)
        .Property(nameof(AfterFirst), AfterFirst, false).Property(nameof(CutPrompt), CutPrompt, false).Common(this).ToString();
}
