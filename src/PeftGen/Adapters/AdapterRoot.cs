using PeftGen.Checkpoints;

namespace PeftGen;

/// <summary>What only the root of an adapter has: the values that it was made with, what its slots share, and where it comes from.</summary>
internal sealed class AdapterRoot
{
    private readonly IReadOnlyList<MethodClaims> _claims;
    private readonly IReadOnlyDictionary<SiteKind, IReadOnlyList<string>> _compiled;
    private readonly IReadOnlyDictionary<Slot, AdaptAttribute> _methodOf;

    /// <param name="claims">The methods in the order of the group, with their claims on the host.</param>
    /// <param name="shared">What several slots share.</param>
    /// <param name="methodOf">The method of each slot.</param>
    /// <param name="dropout">The adapter's own dropout.</param>
    /// <param name="compiled">The paths of the host's sites by kind, whether a method has them or not.</param>
    public AdapterRoot(
        IReadOnlyList<MethodClaims> claims,
        IReadOnlyList<Slot> shared,
        IReadOnlyDictionary<Slot, AdaptAttribute> methodOf,
        DropoutSource dropout,
        IReadOnlyDictionary<SiteKind, IReadOnlyList<string>> compiled)
    {
        Methods = claims.Select(method => method.Method).ToList();
        Shared = shared;
        Dropout = dropout;
        _claims = claims;
        _compiled = compiled;
        _methodOf = methodOf;
    }

    /// <summary>The root of an adapter that is composed of others.</summary>
    /// <param name="composition">The way of composing.</param>
    /// <param name="parts">The others.</param>
    public AdapterRoot(string composition, IReadOnlyList<AdapterNode> parts)
    {
        Composition = composition;
        Parts = parts;
        var roots = parts.Select(part => part.Root).OfType<AdapterRoot>().ToList();
        Methods = roots.SelectMany(root => root.Methods).ToList();
        Shared = roots.SelectMany(root => root.Shared).Distinct().ToList();
        _methodOf = new Dictionary<Slot, AdaptAttribute>();
        _claims = [];
        _compiled = new Dictionary<SiteKind, IReadOnlyList<string>>();
    }

    /// <summary>The methods in the order of the group.</summary>
    public IReadOnlyList<AdaptAttribute> Methods { get; }

    /// <summary>What several slots share.</summary>
    public IReadOnlyList<Slot> Shared { get; }

    /// <summary>The adapter's own dropout; null for a composition, whose parts have theirs.</summary>
    public DropoutSource? Dropout { get; }

    /// <summary>The dropout of the adapter, or of all its parts.</summary>
    public IEnumerable<DropoutSource> DropoutSources => Dropout is { } own ? [own] : Parts.SelectMany(part => part.Root!.DropoutSources).Distinct();

    /// <summary>The way of composing, for example <c>Stack</c>; null for an adapter of its own.</summary>
    public string? Composition { get; }

    /// <summary>What the adapter is composed of.</summary>
    public IReadOnlyList<AdapterNode> Parts { get; } = [];

    /// <summary>What the adapter was made for; null for a composition.</summary>
    public AdapterFit? Fit { get; init; }

    /// <summary>The configuration that the adapter was loaded with: its unknown fields are written again.</summary>
    public AdapterConfig? Loaded { get; set; }

    /// <summary>The targets of a method in HF PEFT's words.</summary>
    public IReadOnlyDictionary<Claim, IReadOnlyList<string>> FileTargets(AdaptAttribute method) => ClaimsOf(method).FileTargets();

    /// <summary>Adds to a method's configuration what depends on its layers one by one.</summary>
    public void WriteSites(AdaptAttribute method, System.Text.Json.Nodes.JsonObject config) => method.WriteSites(config, ClaimsOf(method).LayersOf);

    /// <summary>The places of a method in AdapterHub's words.</summary>
    public HubSites HubSites(AdaptAttribute method) => ClaimsOf(method).HubSites(kind => _compiled.GetValueOrDefault(kind) ?? []);

    /// <summary>The method that made a slot.</summary>
    public AdaptAttribute? MethodOf(Slot slot) =>
        _methodOf.GetValueOrDefault(slot) ?? Parts.Select(part => part.Root?.MethodOf(slot)).FirstOrDefault(method => method is not null);

    /// <summary>Requires an adapter that has files, and its root.</summary>
    /// <param name="adapter">What is to be saved.</param>
    /// <param name="directory">Where to, for messages.</param>
    /// <exception cref="AdapterException">There is no folder or no adapter, it is disposed, a part of an adapter, or composed of others.</exception>
    public static AdapterRoot OfFile(AdapterNode adapter, string directory)
    {
        AdapterFit.Require(adapter, "save the adapter");
        RequireFolder(directory);
        var root = adapter.Root ?? throw new AdapterException($"{directory}: an adapter is saved as a whole. Save what CreateAdapter or LoadAdapter returned.");
        return root.Composition is { } composition
            ? throw new AdapterException($"{directory}: an adapter made by {composition}.Of has no file of its own. Save its parts one by one.") : root;
    }

    /// <summary>Requires the path of a folder.</summary>
    /// <exception cref="AdapterException">There is none.</exception>
    public static void RequireFolder(string? directory)
    {
        if (string.IsNullOrWhiteSpace(directory))
            throw new AdapterException($"the folder's path is {(directory is null ? "null" : "empty")}, expected the folder that is to hold the adapter: its configuration and its weights.");
    }

    private MethodClaims ClaimsOf(AdaptAttribute method) => _claims.First(claims => ReferenceEquals(claims.Method, method));
}

/// <summary>The root of an adapter of one group. Generated types implement it; extension methods save and describe it.</summary>
public interface IAdapter;
