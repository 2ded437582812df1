using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>Names for the sites of a class that stand in bodies: <c>residual</c>, <c>residual2</c>, <c>attention</c>.</summary>
internal sealed class SiteNames
{
    private readonly Dictionary<Use, string> _names = [];

    public SiteNames(ModelClass type, CompiledSites sites, BodyScanner scanner)
    {
        var taken = new HashSet<string>(type.Children.Select(c => c.Name));
        foreach (var ancestor in type.Lineage.Reverse())
            foreach (var use in scanner.Scan(ancestor).SelectMany(m => m.Uses))
            {
                var name = use is ResidualUse && sites.Bodies.Contains((ancestor, SiteKind.Residual)) ? "residual"
                    : use is AttentionUse && sites.Bodies.Contains((ancestor, SiteKind.Attention)) ? "attention"
                    : null;
                if (name is null)
                    continue;
                var free = Enumerable.Range(1, int.MaxValue).Select(i => i == 1 ? name : name + i).First(taken.Add);
                if (ancestor == type)
                    _names[use] = free;
            }
    }

    /// <summary>The sites of the class itself, in the order of its code.</summary>
    public IEnumerable<(Use use, string name)> Own => _names.Select(pair => (pair.Key, pair.Value));

    /// <summary>The name of a site; null where it is not compiled.</summary>
    public string? Of(Use use) => _names.TryGetValue(use, out var name) ? name : null;
}
