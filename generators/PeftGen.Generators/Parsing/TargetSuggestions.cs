using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Parsing;

/// <summary>What a target that matches nothing may have meant. No suggestion is better than a layer of another role.</summary>
internal sealed class TargetSuggestions(PlaceWalker walker)
{
    private const int Most = 3;
    private static readonly HashSet<string> _all = ["all", "alllinear", "linear", "linears", "alllinears", "alllayers", "everything"];
    private readonly List<TargetCandidate> _candidates = walker.Places.Select(p => p.Candidate).ToList();

    /// <summary>The end of the message, and what the target could be replaced with.</summary>
    public (string message, IReadOnlyList<string> names) For(DeclaredClaim claim, string target)
    {
        var name = target.Substring(target.LastIndexOf('.') + 1);
        if (walker.Places.FirstOrDefault(p => p.Child?.Name == name && p.Child.Path != name) is { } renamed)
            return ($"; in checkpoints the field {name} is '{renamed.Child!.Path}'", [renamed.Child.Path]);
        var hasLinears = claim.Kind == SiteKind.Layer && walker.Places.Any(p => p.Kind == PlaceKind.Layer && p.IsLinear);
        if (hasLinears && _all.Contains(Plain(target)))
            return ($"; did you mean '{TargetList.AllLinear}'?", [TargetList.AllLinear]);
        if (NamesOf(claim.Kind).FirstOrDefault(n => Plain(n) == Plain(name)) is { } same)
            return ($"; did you mean '{same}'?", [same]);
        if (RoleOf(target) is { } role && PlaceOf(claim.Kind, role) is { Child: { } child } place)
            return ($"; did you mean the role '{role.Name}', which {place.Owner.Symbol.Name}.{child.Name} has?", [role.Name]);
        // As many segments as were written, or the last alone.
        var near = Near(target, target.Split('.').Length);
        if (near.Count == 0)
            near = Near(name, 1);
        if (near.Count > 0)
            return ($"; did you mean '{near[0]}'?", near);
        var fitting = NamesOf(claim.Kind).Take(10).ToList();
        return (fitting.Count == 0 ? "; there are no layers" : $"; there are {string.Join(", ", fitting)}{(hasLinears ? $", and '{TargetList.AllLinear}' means every linear layer" : "")}", []);
    }

    /// <summary>The field that is a target's but for the way names are written: <c>QProj</c> for <c>q_proj</c>.</summary>
    public SyntaxNode? FieldLike(string target)
    {
        var name = Plain(target.Substring(target.LastIndexOf('.') + 1));
        var fields = walker.Places.Where(p => p.Child is { } child && child.Path == child.Name && Plain(child.Name) == name).Select(p => p.Child!.Symbol).Distinct(SymbolEqualityComparer.Default).ToList();
        return fields is [{ DeclaringSyntaxReferences: [var only] }] ? only.GetSyntax() : null;
    }

    private static string Plain(string text) => new string([.. text.Where(char.IsLetterOrDigit)]).ToLowerInvariant();

    private static bool IsOf(SiteKind kind, Place place) => place.Child is not null && (place.Kind == PlaceKind.Layer || (kind == SiteKind.Parameter && place.Kind == PlaceKind.Parameter));

    private IEnumerable<string> NamesOf(SiteKind kind) => walker.Places.Where(p => IsOf(kind, p)).Select(p => p.Child!.Path).Distinct().OrderBy(n => n, StringComparer.Ordinal);

    /// <summary>The role that a name has with some family of models, or is but for its case.</summary>
    private static Role? RoleOf(string target) => RoleTable.All.FirstOrDefault(role => string.Equals(role.Name, target, StringComparison.OrdinalIgnoreCase))
        ?? RoleTable.OfName(target);

    private Place? PlaceOf(SiteKind kind, Role role) => walker.Places.FirstOrDefault(p => IsOf(kind, p) && (role.Matches(walker.Shape, p.Path) || p.Parts?.Contains(role.Name) == true));

    private List<string> Near(string target, int segments)
    {
        var role = RoleOf(target);
        var near = _candidates.Select(c => c.Path.Split('.')).Where(s => s.Length >= segments).Select(s => string.Join(".", s.Skip(s.Length - segments)))
            .Where(n => n.Length > 0 && !n.EndsWith("*", StringComparison.Ordinal)).Distinct()
            .Select(n => (n, distance: EditDistance.Between(target, n))).Where(p => p.distance <= Math.Max(target.Length < 4 ? 1 : 2, target.Length / 3) && p.distance < target.Length)
            .OrderBy(p => p.distance).ThenBy(p => p.n, StringComparer.Ordinal).Select(p => p.n).ToList();
        // A name that means something is no slip of the pen for one that means something else.
        return near.Where(n => role is null || RoleOf(n)?.Name == role.Name).Take(Most).ToList();
    }
}
