using System.Reflection;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Sees to it that every target met something before an adapter is handed out, and says what there is where one did not.</summary>
/// <param name="host">The model.</param>
/// <param name="paths">Its paths.</param>
/// <param name="compiled">The paths of all compiled sites.</param>
/// <param name="sites">The paths of the sites by kind.</param>
/// <param name="met">The claims for which a slot was made.</param>
/// <param name="isForFile">Whether the values are a file's, which may name what only other models have.</param>
/// <param name="otherSums">Sums in the model's code that are no residuals, with the reasons.</param>
internal sealed class TargetFindings(
    nn.Module host, HostPaths paths, IReadOnlySet<string> compiled, ILookup<SiteKind, string> sites, IReadOnlySet<HostClaim> met, bool isForFile, IReadOnlyCollection<string> otherSums)
{
    private const int MostNames = 12;

    /// <summary>Throws where the values want what the model has no compiled site for, or what it does not have at all.</summary>
    /// <param name="method">The method with its claims.</param>
    public void Check(MethodClaims method)
    {
        foreach (var claim in method.Claims.Where(c => c != method.Whole && c.Claim is { Optional: false, Tied: false, Kind: not SiteKind.Input }))
        {
            if (!isForFile && claim.Items.FirstOrDefault(item => !IsThere(claim.Claim.Kind, item)) is { } vain)
                throw InVain(method, claim, vain);
            if (!isForFile && claim.Claim.Kind == SiteKind.Layer)
                RequireBlocks(method, claim);
            // A file may name nothing but what this model trains whole.
            if (claim.Claim.Kind != SiteKind.Layer && !met.Contains(claim) && !(isForFile && claim.Claim.Kind == SiteKind.Parameter))
                throw NoSite(method, claim);
            if (claim.Claim.Kind == SiteKind.Layer && !paths.Modules.Any(c => claim.Matches(c.Path, c.IsLinear)))
                throw new AdapterException(method.InWhole(claim) is { Count: > 0 } inWhole
                    ? $"{method.Method}: all that the targets '{claim.Claim.Targets}' match lies in what trains whole ({string.Join(", ", inWhole.Take(5))}), where no adapter is put. Take it out of {nameof(AdaptAttribute.ModulesToSave)} '{method.Method.ModulesToSave}', or name other targets."
                    : $"{method.Method}: the targets '{claim.Claim.Targets}' match no layer of this model{LeftOut(claim)}. It has, among others: {string.Join(", ", SomeLinears())}.{Unknown(claim)}");
        }

        foreach (var claim in method.Claims.Where(c => c.Claim is { Kind: SiteKind.Layer, Tied: false }))
            RequireCompiled(method, paths.Modules.Where(c => claim.Matches(c.Path, c.IsLinear)).Select(c => c.Path));
        if (method.Whole is not { } whole)
            return;
        RequireCompiled(method, paths.Parameters.Where(path => whole.Matches(path, isLinear: false)));
        if (!isForFile && !met.Contains(whole))
            throw new AdapterException(
                $"{method.Method}: {nameof(AdaptAttribute.ModulesToSave)} '{method.Method.ModulesToSave}' names nothing of this model that has parameters. " +
                $"At its root it has: {string.Join(", ", paths.Parameters.Select(path => path.Split('.')[0]).Distinct().Take(MostNames))}. Name a module by its path or the end of it.");
    }

    /// <summary>Each block that is named has to have something that the targets mean.</summary>
    private static void RequireBlocks(MethodClaims method, HostClaim claim)
    {
        if (claim.Claim.Layers is not { Count: > 0 } layers || claim.NamedLayers().ToList() is not { Count: > 0 } there || layers.Except(there).ToList() is not { Count: > 0 } missing)
            return;
        throw new AdapterException(
            $"{method.Method}: Layers names block {string.Join(" and ", missing)}, and the targets '{claim.Claim.Targets}' are in block{(there.Count == 1 ? "" : "s")} " +
            $"{string.Join(", ", there)} of this model. Correct Layers, which counts from 0.");
    }

    private bool IsThere(SiteKind kind, ResolvedItem item) => kind switch
    {
        SiteKind.Layer => paths.Modules.Any(item.Matches),
        SiteKind.Parameter => paths.Parameters.Any(path => Holders(path).Any(item.Matches)),
        _ => sites[kind].Any(path => item.Matches(paths.At(path))),
    };

    private IEnumerable<TargetCandidate> Holders(string path)
    {
        for (var end = path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
            yield return paths.At(path[..end]);
    }

    private AdapterException InVain(MethodClaims method, HostClaim claim, ResolvedItem item)
    {
        var kind = claim.Claim.Kind;
        if (kind is SiteKind.Layer or SiteKind.Parameter)
            return new AdapterException(
                $"{method.Method}: the target '{item.Item.Text}' is nothing of this model. " +
                $"It has, among others: {string.Join(", ", kind == SiteKind.Layer ? SomeLinears() : paths.Parameters.Select(ModelShape.NameOf).Distinct().Take(MostNames))}.{Unknown(claim)}");
        return new AdapterException($"{method.Method}: the target '{item.Item.Text}' meets no {Word(kind)} site. {Advice(method, kind)}{OtherSums(kind)}");
    }

    private AdapterException NoSite(MethodClaims method, HostClaim claim) =>
        new($"{method.Method}: the targets '{claim.Claim.Targets}' meet no {Word(claim.Claim.Kind)} site{LeftOut(claim)}. {Advice(method, claim.Claim.Kind)}{OtherSums(claim.Claim.Kind)}");

    private string OtherSums(SiteKind kind) => kind == SiteKind.Residual && otherSums.Count > 0 ? $". Sums that are no residuals: {string.Join("; ", otherSums)}" : "";

    /// <summary>What to write: the attribute, or, where it stands there already, what the compiler has to see.</summary>
    private string Advice(MethodClaims method, SiteKind kind)
    {
        if (!IsDeclared(method.Method))
            return $"Sites are compiled for the targets that the model's class declares, where the compiler sees them; write this on it: {method.Method}";
        var seen = sites[kind].Distinct().ToList();
        var there = seen.Count == 0 ? $"the compiler saw no {Word(kind)} site in what this model is made of" : $"the {Word(kind)} sites of this model are {string.Join(", ", seen.Take(MostNames))}{(seen.Count > MostNames ? ", …" : "")}";
        return $"{host.GetType().Name} declares it, and {there}. " + kind switch
        {
            SiteKind.Residual => "Name one of these, or mark the sum: Residual.Add(h, r), with h as the sub-layer's output.",
            SiteKind.Attention => "Name one of these, or mark where keys and values enter attention: (k, v, mask) = Attention.Attach(x, q, k, v, mask).",
            _ => "Name one of these.",
        };
    }

    /// <summary>Whether the model's class declares the same targets already, so that to do so is no advice.</summary>
    private bool IsDeclared(AdaptAttribute method)
    {
        for (var type = host.GetType(); type is not null && type != typeof(nn.Module); type = type.BaseType)
            if (type.GetCustomAttributes<AdaptAttribute>(inherit: false).SelectMany(declared => declared.Parts).Any(declared => declared.GetType() == method.GetType() && declared.ModulesToSave == method.ModulesToSave && TargetsOf(declared).SequenceEqual(TargetsOf(method))))
                return true;
        return false;
    }

    private static IEnumerable<(SiteKind, string)> TargetsOf(AdaptAttribute method) => method.Claims.Select(claim => (claim.Kind, claim.Targets.Text));

    private void RequireCompiled(MethodClaims method, IEnumerable<string> wanted)
    {
        var missing = wanted.Where(path => !compiled.Contains(path)).ToList();
        if (missing.Count == 0)
            return;
        var these = $"{string.Join(", ", missing.Take(5))}{(missing.Count > 5 ? $" and {missing.Count - 5} more" : "")}";
        throw new AdapterException(IsDeclared(method.Method)
            ? $"{method.Method}: no site is compiled for {these}. {host.GetType().Name} declares the targets, but its code does not show that {WhereIs(missing[0])}. " +
              "Hold it in a field, ModuleList or ModuleDict of the class's own type, register it under the field's name, or leave it out of the targets."
            : $"{method.Method}: no site is compiled for {these}. Sites are compiled for the targets that the model's class declares; write this on it: {method.Method}");
    }

    private string WhereIs(string path)
    {
        var parent = ModelShape.ParentOf(path);
        var holder = parent.Length == 0 ? host : paths.ModuleAt(parent);
        return $"{holder?.GetType().Name ?? "it"} holds {paths.ModuleAt(path)?.GetType().Name ?? "a module"} as '{ModelShape.NameOf(path)}'";
    }

    private static string LeftOut(HostClaim claim) => claim.Claim is { LeaveOut: null, Exclude: null, Layers: null, Blocks: null } ? "" : ", or leave all of them out";

    private static string Word(SiteKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>What to do about parts of which nothing tells where they lie.</summary>
    private string Unknown(HostClaim claim) =>
        paths.Candidates.Where(c => c.IsLinear && claim.Items.Any(i => i.Item.Parts is not null && i.MatchesPath(c) && !i.Matches(c))).Select(c => c.Path).FirstOrDefault() is { } path
            ? $" {path} {(paths.PartsOf(path) is { } parts ? $"has the parts {string.Join(", ", parts)}" : "is not known to have parts; write [Fused(…)] on its field")}."
            : "";

    private IEnumerable<string> SomeLinears() => paths.Candidates.Where(c => c.IsLinear).Select(c => ModelShape.NameOf(c.Path)).Distinct().Take(MostNames);
}
