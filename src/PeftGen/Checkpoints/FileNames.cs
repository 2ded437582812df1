using PeftGen.Methods;

namespace PeftGen.Checkpoints;

/// <summary>Finds words for the sites of a claim that mean just these in a file: the names as they were written, else the modules' own, else whole paths.</summary>
/// <param name="claim">The claim.</param>
/// <param name="paths">The host's modules and parameters.</param>
/// <param name="isOwn">Whether the file is of a form of this library's own, in which names are targets.</param>
internal sealed class FileNames(HostClaim claim, HostPaths paths, bool isOwn)
{
    private bool IsWhole => claim.Claim.Purpose == WholeModules.Field;

    /// <summary>Whether HF PEFT compares ends of paths from any character on.</summary>
    private bool IsByEnd => !isOwn && (IsWhole || claim.Claim.Purpose == IA3.WithinTargets);

    private bool HasLayers => claim.Claim.Layers is not null;

    /// <summary>The words.</summary>
    public IReadOnlyList<string> Find()
    {
        var matched = Universe.Where(c => claim.Matches(c.Path, c.IsLinear)).Select(c => c.Path).ToHashSet();
        // A module stands for the parameters below it.
        var wanted = matched.Where(path => !IsBelow(path, matched)).ToList();
        if (!isOwn && claim.Expression is { } expression)
            return !HasLayers && PythonRegex.Of(expression) is { } python && Means(claim.Items[0].Item.Pattern!.Matches, wanted) ? [TargetList.RegexPrefix + python] : InNames(wanted, matched);
        if (isOwn && claim.Expression is not null && claim.Claim is { Within: null, LeaveOut: null })
            return [claim.Claim.Targets.Text];
        var written = claim.Items.Where(i => i.Role is null && NameOf(i.Item) is not null).Select(i => i.Item).ToList();
        var names = written.ConvertAll(item => NameOf(item)!);
        if (written.Count < claim.Items.Count || (HasLayers && names.Any(HasIndex)) || !Means(names, wanted))
            return InNames(wanted, matched);
        // Of a list that picks from another, all have to be there.
        return [.. written.Where(item => claim.Claim.Within is null || wanted.Any(path => Match([NameOf(item)!], path))).Select(item => isOwn || item.Parts is not null ? item.Text : NameOf(item)!)];
    }

    /// <summary>Whether a name has an index in it, so that it means one block by itself.</summary>
    public static bool HasIndex(string name) => name.Split('.').Any(segment => segment.Length > 0 && segment.All(char.IsAsciiDigit));

    /// <summary>Whether words mean parts of layers.</summary>
    public static bool HaveParts(IReadOnlyList<string> words) => words.Any(word => word.EndsWith(']') && !word.StartsWith(TargetList.RegexPrefix, StringComparison.Ordinal));

    private IReadOnlyList<string> InNames(List<string> wanted, HashSet<string> matched)
    {
        var parts = wanted.ToDictionary(path => path, path => matched.Contains(path) && claim.PartsOf(path) is { } some ? $"[{string.Join(",", some)}]" : "");
        var names = wanted.Select(path => (name: path[(path.LastIndexOf('.') + 1)..], parts: parts[path])).Distinct().OrderBy(n => n.name, StringComparer.Ordinal).ToList();
        if (names.DistinctBy(n => n.name).Count() == names.Count && !(HasLayers && names.Any(n => HasIndex(n.name))) && Means([.. names.Select(n => n.name)], wanted))
            return [.. names.Select(n => Word(n.name, n.parts))];
        // Of what trains whole HF PEFT knows ends alone, however long.
        if (!isOwn && !IsWhole && parts.Values.All(p => p.Length == 0) && !Means(wanted, wanted, withLayers: false))
            return [TargetList.RegexPrefix + string.Join('|', wanted.Select(HuggingFaceNames.Exactly))];
        return [.. wanted.Select(path => Word(path, parts[path]))];
    }

    private string Word(string name, string parts) => isOwn || parts.Length > 0 ? TargetNames.OfModule(name) + parts : name;

    private bool Means(IReadOnlyList<string> names, List<string> wanted, bool withLayers = true) =>
        Means(path => Match(names, path) && (!withLayers || IsInLayers(path)), wanted);

    private bool Means(Func<string, bool> match, List<string> wanted)
    {
        var meant = Universe.Select(c => c.Path).Where(match).Where(claim.Reaches).ToHashSet();
        return meant.Where(path => !IsBelow(path, meant)).ToHashSet().SetEquals(wanted);
    }

    private string? NameOf(TargetItem item) => item.Pattern?.Name ?? (IsByEnd ? item.Pattern?.End : null);

    private bool Match(IReadOnlyList<string> names, string path) => IsByEnd ? HuggingFaceNames.MatchEnd(names, path) : HuggingFaceNames.Match(names, path);

    private bool IsInLayers(string path) =>
        claim.Claim.Layers is not { } layers || (HuggingFaceNames.BlockOf(path, claim.Claim.BlockLists) is { } index && layers.Contains(index));

    /// <summary>What the names can mean: of layers, modules alone.</summary>
    private IEnumerable<TargetCandidate> Universe => claim.Claim.Kind == SiteKind.Parameter ? paths.Candidates : paths.Modules;

    private static bool IsBelow(string path, HashSet<string> others)
    {
        for (var end = path.LastIndexOf('.'); end > 0; end = path.LastIndexOf('.', end - 1))
            if (others.Contains(path[..end]))
                return true;
        return false;
    }
}
