namespace PeftGen;

/// <summary>What lies where in a model, so that a name can be read in its place: <c>value</c> is a projection of attention beside <c>query</c>, and none beside <c>policy</c>.</summary>
internal sealed class ModelShape
{
    private const string AnyIndex = "*";
    private static readonly IReadOnlyList<string> None = [];
    private readonly Dictionary<string, TargetCandidate> _all = [];
    private readonly Dictionary<string, List<string>> _below = [];
    private readonly HashSet<string> _linked = [];
    private readonly Dictionary<string, bool> _attention = [];
    private readonly Dictionary<string, bool> _feedForward = [];

    /// <param name="candidates">All modules and parameters of the model.</param>
    public ModelShape(IEnumerable<TargetCandidate> candidates)
    {
        foreach (var candidate in candidates)
        {
            // Where a class is a layer, too, or may be, the layer is what counts.
            if (_all.TryGetValue(candidate.Path, out var known))
            {
                if (known.Kind == CandidateKind.Module)
                    _all[candidate.Path] = candidate;
                continue;
            }

            _all[candidate.Path] = candidate;
            Link(candidate.Path);
        }

        Names = [.. _all.Keys.Select(NameOf)];
    }

    /// <summary>Puts a path below what holds it, also where that is but a part of a name with dots.</summary>
    private void Link(string path)
    {
        while (path.Length > 0 && _linked.Add(path))
        {
            var parent = ParentOf(path);
            if (!_below.TryGetValue(parent, out var children))
                _below[parent] = children = [];
            children.Add(path);
            path = parent;
        }
    }

    /// <summary>A model of which nothing is known.</summary>
    public static ModelShape Empty => new([]);

    /// <summary>The last segments of all paths.</summary>
    public HashSet<string> Names { get; }

    /// <summary>The paths of all modules that are not parameters.</summary>
    public IEnumerable<string> Modules => _all.Values.Where(c => c.Kind != CandidateKind.Parameter).Select(c => c.Path);

    /// <summary>What stands at a path by its type.</summary>
    public CandidateKind KindOf(string path) => KeyOf(path) is var key && _all.TryGetValue(key, out var found) ? found.Kind : _below.ContainsKey(key) ? CandidateKind.Module : CandidateKind.Any;

    /// <summary>The paths of what lies directly below a path.</summary>
    public IReadOnlyList<string> Below(string path) => _below.TryGetValue(KeyOf(path), out var children) ? children : None;

    /// <summary>All that lies below a path, in the model's order.</summary>
    public IEnumerable<string> AllBelow(string path) => Below(path).SelectMany(child => AllBelow(child).Prepend(child));

    /// <summary>Whether projections of queries, keys and values lie directly below a path.</summary>
    public bool ShowsAttention(string path)
    {
        var key = KeyOf(path);
        if (_attention.TryGetValue(key, out var shows))
            return shows;
        var names = Below(key).Select(NameOf).ToList();
        var parts = names.Select(AttentionNames.PartOf).ToList();
        return _attention[key] = (parts.Contains("q") && (parts.Contains("k") || parts.Contains("v") || parts.Contains("kv"))) || names.Any(name => FusedTable.Find(name) is not null);
    }

    /// <summary>Whether a module is an attention: by its name, or by what lies in it.</summary>
    public bool IsAttention(string path) => KindOf(path) is CandidateKind.Module or CandidateKind.Any or CandidateKind.OtherLayer
        && (AttentionNames.IsAttention(NameOf(path)) || ShowsAttention(path) || Below(path).Any(list => Below(list).Any(element => IsIndex(NameOf(element)) && ShowsAttention(element))));

    /// <summary>Whether an attention lies directly below a path, as in a block.</summary>
    public bool HoldsAttention(string path) => Below(path).Any(IsAttention);

    /// <summary>Whether a module is a feed-forward network: by its name, or as what else a block has beside its attention.</summary>
    public bool IsFeedForward(string path)
    {
        var key = KeyOf(path);
        if (!_feedForward.TryGetValue(key, out var known))
            _feedForward[key] = known = FeedForwardNames.IsFeedForward(NameOf(key)) || IsBesideAttention(key);
        return known;
    }

    private bool IsBesideAttention(string path)
    {
        var (name, parent) = (NameOf(path), ParentOf(path));
        return KindOf(path) is CandidateKind.Module or CandidateKind.Any && path.Length > 0 && !IsIndex(name) && !IsAttention(path) && !NormNames.IsNorm(name) && HoldsAttention(parent)
            && !Below(parent).Any(sibling => FeedForwardNames.IsFeedForward(NameOf(sibling)) || (NameOf(sibling) == "output" && KindOf(sibling) == CandidateKind.Module))
            && AllBelow(path).Count(below => KindOf(below) is CandidateKind.Linear or CandidateKind.Any) > 1 && !AllBelow(path).Any(IsAttention);
    }

    /// <summary>The path of what holds a path; empty: the model itself.</summary>
    public static string ParentOf(string path)
    {
        var dot = path.LastIndexOf('.');
        return dot < 0 ? "" : path.Substring(0, dot);
    }

    /// <summary>The last segment of a path.</summary>
    public static string NameOf(string path) => path.Substring(path.LastIndexOf('.') + 1);

    /// <summary>A path without the indices that it ends in: <c>attn.to_out</c> of <c>attn.to_out.0</c>.</summary>
    public static string WithoutIndex(string path)
    {
        while (path.IndexOf('.') >= 0 && IsIndex(NameOf(path)))
            path = ParentOf(path);
        return path;
    }

    /// <summary>Whether a segment is an index, known or not.</summary>
    public static bool IsIndex(string segment) => segment == AnyIndex || segment == "#" || (segment.Length > 0 && segment.All(char.IsDigit));

    /// <summary>The path as it is known here: the compiler knows that a list has elements but not which.</summary>
    private string KeyOf(string path) =>
        _all.ContainsKey(path) || _below.ContainsKey(path) ? path : string.Join(".", path.Split('.').Select(segment => IsIndex(segment) ? AnyIndex : segment));
}
