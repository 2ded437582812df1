using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// The base of every method of adaptation. A method is an attribute derived from this class, plus its slots: nothing else knows it,
/// so a method in a user's project is an equal of those in this library.
/// </summary>
/// <remarks>
/// The attribute is both the declaration on a model's class, <c>[LoRA(rank: 8, targets: "q,v")]</c>, which decides at compile time
/// which sites are compiled, and the values at run time: <c>model.CreateAdapter(new LoRA(rank: 4, targets: "q"))</c>.
/// What the compiler has to know stands on the method's properties: <see cref="AdaptsAttribute"/>, <see cref="InRangeAttribute"/>,
/// <see cref="PreventsMergeAttribute"/>; on the class: <see cref="ComposesAttribute"/>, <see cref="MergesAttribute"/>. What its values need of each other and of the model can stand there, too:
/// <see cref="OnlyWithAttribute"/>, <see cref="RequiresAttribute"/>, <see cref="NeedsHostsAttribute"/>, <see cref="FitsAttribute"/> and others beside them.
/// </remarks>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true, Inherited = false)]
[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)]
public abstract class AdaptAttribute : Attribute
{
    /// <summary>The group that the method belongs to; methods of one group apply together. Default: the group without a name.</summary>
    public string? Group { get; set; }

    /// <summary>Modules that train whole beside the method, in copies that belong to the adapter, for example a new head; see <see cref="TargetList"/>. Null: none.</summary>
    /// <remarks>
    /// The library makes the copies, and reads and writes the names as HF PEFT's <c>modules_to_save</c>, for all methods alike; <see cref="Claims"/>, <see cref="CreateSlot"/>, <see cref="ReadConfig"/> and
    /// <see cref="WriteConfig"/> have no part in it. A copy starts at the base's values; that of a norm with running statistics has its own of these, too. Claims of the method on layers and parameters do not reach into what trains whole.
    /// </remarks>
    [Adapts(SiteKind.Parameter, Hosts = [typeof(Linear), typeof(LayerNorm), typeof(BatchNorm), typeof(InstanceNorm), typeof(Embedding)], Optional = true)]
    [TrainsWhole]
    public string? ModulesToSave { get; set; }

    /// <summary>What the copies of <see cref="ModulesToSave"/> are called in files.</summary>
    internal virtual PartNames ModuleNames => PartNames.Module;

    /// <summary>The methods that this one stands for, which act in its place. Default: itself.</summary>
    public virtual IReadOnlyList<AdaptAttribute> Parts => [this];

    /// <summary>The sites that the method wants with its present values.</summary>
    public abstract IReadOnlyList<Claim> Claims { get; }

    /// <summary>The claims whose targets <see cref="WriteConfig"/> asks for. Default: all.</summary>
    public virtual IEnumerable<Claim> NamedClaims => Claims;

    /// <summary>Whether adapters with these values can be merged into the base. Default: true.</summary>
    public virtual bool CanMerge => true;

    /// <summary>Makes what stands at one site.</summary>
    /// <param name="site">The place, with its host and the claim that it fulfils.</param>
    /// <returns>A slot of the type that the site's kind asks for.</returns>
    /// <exception cref="AdapterException">The values do not fit the host.</exception>
    public abstract Slot CreateSlot(Site site);

    /// <summary>The name of the method in files: HF PEFT's <c>peft_type</c>, for example <c>LORA</c>.</summary>
    public abstract string PeftType { get; }

    /// <summary>Writes the values as HF PEFT's <c>adapter_config.json</c> has them.</summary>
    /// <param name="config">The object to add fields to.</param>
    /// <param name="targets">For each claim, the targets in the words that HF PEFT matches with.</param>
    public abstract void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets);

    /// <summary>Adds to what <see cref="WriteConfig"/> wrote what depends on the layers one by one. Default: nothing.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="layersOf">The paths of a claim's layers, each with the parts that are meant of a fused one.</param>
    internal virtual void WriteSites(JsonObject config, Func<Claim, IReadOnlyList<(string path, IReadOnlyList<string>? parts)>> layersOf) { }

    /// <summary>Writes the values as AdapterHub's configurations have them. Default: it has no form for the method.</summary>
    /// <param name="config">The object to add fields to; what a loaded file of AdapterHub says is there already.</param>
    /// <param name="sites">Where the method acts, in AdapterHub's words.</param>
    /// <exception cref="AdapterException">AdapterHub has no form for the method, or for its values or sites.</exception>
    public virtual void WriteHubConfig(JsonObject config, HubSites sites) =>
        throw new AdapterException($"{this}: AdapterHub has no form for this method. {HubFiles.Otherwise}");

    /// <summary>Whether a file's configuration is one of this method. Default: whether its <c>peft_type</c> is <see cref="PeftType"/>.</summary>
    /// <param name="config">The object read from <c>adapter_config.json</c>; of AdapterHub's, one configuration such as <c>{"architecture": "lora", …}</c>.</param>
    public virtual bool Reads(JsonObject config) =>
        config["peft_type"] is JsonValue type && type.TryGetValue(out string? name) && name == PeftType;

    /// <summary>The values that a file brings, as a new value of the same method.</summary>
    /// <param name="config">A configuration for which <see cref="Reads"/> is true.</param>
    public abstract AdaptAttribute ReadConfig(JsonObject config);

    /// <summary>The attribute as one would write it in C#, for error messages: <c>[LoRA(rank: 8, targets: "q_proj")]</c>.</summary>
    public abstract override string ToString();
}

/// <summary>A wish of a method: sites of one kind, by target.</summary>
/// <param name="Kind">The kind of site.</param>
/// <param name="Targets">Where, see <see cref="TargetList"/>.</param>
/// <param name="Exclude">Where not; for parameters, neither there nor below.</param>
/// <param name="Layers">Indices of the blocks that may match; null: all. A block's index is the first number in the path.</param>
/// <param name="Purpose">What the method wants the sites for, where it has several claims; its own word.</param>
public sealed record Claim(SiteKind Kind, TargetList Targets, TargetList? Exclude = null, IReadOnlyList<int>? Layers = null, string Purpose = "")
{
    /// <summary>
    /// Blocks that do not match, counted through the model: a decoder's go on where the encoder's end. Null: none. Unlike <see cref="Layers"/>, the number is
    /// not the one in the path.
    /// </summary>
    public IReadOnlyList<int>? LeaveOut { get; init; }

    /// <summary>For parameters: the name of those that are meant at and below the targets; null: all.</summary>
    public string? Parameter { get; init; }

    /// <summary>Whether the method can act on parts of fused layers; see <see cref="Site.Parts"/>.</summary>
    public bool TakesParts { get; init; }

    /// <summary>Whether only layers are meant whose weight is another layer's, too, as a head's that is tied to the embedding. There may be none.</summary>
    public bool Tied { get; init; }

    /// <summary>The only blocks that match, counted as <see cref="LeaveOut"/>; null: all.</summary>
    public IReadOnlyList<int>? Blocks { get; init; }

    /// <summary>Whether it is no mistake if the model has none of them.</summary>
    public bool Optional { get; init; }

    /// <summary>How many of the last blocks may match; null: all.</summary>
    public int? LastBlocks { get; init; }

    /// <summary>What a group has one of at a place, for example a prompt: claims of several methods that name the same exclude each other there. Null: they may meet. See <see cref="AdaptsAttribute.Exclusive"/>.</summary>
    public string? Exclusive { get; init; }

    /// <summary>What the lists are called whose indices <see cref="Layers"/> means, as regular expressions: the first counts that is in a path. Empty: any list.</summary>
    public IReadOnlyList<string> BlockLists { get; init; } = [];

    /// <summary>Another list that has to match too; null: none.</summary>
    public TargetList? Within { get; init; }
}
