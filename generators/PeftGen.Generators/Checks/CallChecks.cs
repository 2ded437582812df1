using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>A target that no code calls would be adapted in vain.</summary>
internal static class CallChecks
{
    /// <param name="graph">The classes.</param>
    /// <param name="scanner">Their bodies.</param>
    /// <param name="sites">The sites.</param>
    /// <param name="reach">What is compiled.</param>
    /// <param name="certain">The classes that stand below a root for sure: of others, which may stand in an abstract place, a target means some at most.</param>
    /// <param name="diagnostics">Where to report.</param>
    public static void Run(ModelGraph graph, BodyScanner scanner, CompiledSites sites, Reachability reach, IReadOnlyCollection<ModelClass> certain, DiagnosticList diagnostics)
    {
        var uses = reach.Classes.SelectMany(type => scanner.Scan(type).SelectMany(m => m.Uses.Select(use => (type, use)))).ToList();
        var called = sites.Children.ToLookup(c => c.child.Shape == ChildShape.Parameter || uses.Any(u => Calls(graph, u.type, u.use, c.owner, c.child)));
        var atWork = new HashSet<DeclaredClaim>(called[true].SelectMany(c => sites.ClaimsOn(c.owner, c.child)));
        foreach (var (owner, child) in called[false])
        {
            foreach (var claim in sites.ClaimsOn(owner, child).Where(c => c.Kind == SiteKind.Layer && !c.Optional).Distinct())
            {
                if (!certain.Contains(owner) && atWork.Contains(claim))
                    continue;
                var item = claim.Targets.Items.FirstOrDefault(i => i.Pattern?.Matches(child.Path) == true) ?? claim.Targets.Items.FirstOrDefault(i => i.Pattern is null) ?? claim.Targets.Items[0];
                // A name means this very field; a role or a pattern may meet more than is meant, unless nothing at all that it meets is called.
                var isMeant = (item.Pattern is { IsName: true } && item.Text == child.Name) || !atWork.Contains(claim);
                diagnostics.Add(isMeant ? "PG002" : "PG038", claim.Method.Syntax.SyntaxTree, claim.SpanOf(item), item.Text, owner.Symbol.Name, child.Name);
            }
        }
    }

    private static bool Calls(ModelGraph graph, ModelClass type, Use use, ModelClass owner, ModelChild child)
    {
        var receiver = use switch
        {
            LayerUse layer => layer.Receiver,
            NodeUse node => node.Receiver,
            ResidualUse { Norm: { } norm } => norm.Receiver,
            MethodGroupUse group => group.Receiver,
            WeightUse weight => weight.Receiver,
            LeavingUse leaving => leaving.Receiver,
            _ => null,
        };
        if (receiver is null)
            return false;
        if (receiver.IsDirect)
            return receiver.Chain.Any(link => link.owner == owner && link.child == child);
        return (type.Lineage.Contains(owner) || owner.Lineage.Contains(type)) && graph.MayBe(child, receiver.Type);
    }
}
