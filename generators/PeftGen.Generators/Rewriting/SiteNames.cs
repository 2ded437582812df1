using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>Names for the sites of a class that stand in its code: <c>residual</c>, <c>mlp_residual</c>, <c>attention</c>, <c>output</c>.</summary>
internal sealed class SiteNames
{
    private readonly Dictionary<Use, (string name, string path)> _sites = [];

    public SiteNames(ModelClass type, CompiledSites sites, BodyScanner scanner, EmittedNames emitted)
    {
        var taken = new HashSet<string>(type.Children.Select(c => c.Name));
        foreach (var ancestor in type.Lineage.Reverse())
        {
            var paths = scanner.ResidualsOf(ancestor).ToDictionary(r => (Use)r.use, r => r.path);
            foreach (var use in scanner.Scan(ancestor).SelectMany(m => m.Uses))
            {
                var name = use is ResidualUse && sites.Bodies.Contains((ancestor, SiteKind.Residual)) ? paths[use].Length == 0 ? "residual" : paths[use].Replace('.', '_') + "_residual"
                    : use is AttentionSiteUse && sites.Bodies.Contains((ancestor, SiteKind.Attention)) ? "attention"
                    : null;
                if (name is null)
                    continue;
                // Of two attentions one runs: they are one site, in two ways to write it.
                var free = use is AttentionSiteUse && _sites.Keys.OfType<AttentionSiteUse>().FirstOrDefault(other => Alternatives.Are(other.Node, use.Node)) is { } same && ancestor == type ? _sites[same].name : Free(name);
                if (ancestor == type)
                    _sites[use] = (free, paths.TryGetValue(use, out var path) ? path : "");
            }

            var output = sites.Bodies.Contains((ancestor, SiteKind.Output)) ? Free("output") : null;
            var input = sites.Bodies.Contains((ancestor, SiteKind.Input)) ? Free("inputs") : null;
            if (ancestor == type)
                (Output, Input) = (output, input);
        }

        string Free(string name) => Enumerable.Range(1, int.MaxValue).Select(i => i == 1 ? name : name + i).First(free => !emitted.IsMember(free) && taken.Add(free));
    }

    /// <summary>What the class's forward returns; null: it is no site.</summary>
    public string? Output { get; }

    /// <summary>The inputs of the class as a root; null: they are no site.</summary>
    public string? Input { get; }

    /// <summary>The sites of the class itself, in the order of its code.</summary>
    public IEnumerable<(Use use, string name, string path)> Own => _sites.Select(pair => (pair.Key, pair.Value.name, pair.Value.path)).GroupBy(site => site.name).Select(g => g.First());

    /// <summary>The name of a site; null where it is not compiled.</summary>
    public string? Of(Use use) => _sites.TryGetValue(use, out var site) ? site.name : null;
}
