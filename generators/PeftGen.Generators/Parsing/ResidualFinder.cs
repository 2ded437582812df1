using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds in one body where the output of a sub-layer meets its residual, and which sub-layer it is.</summary>
/// <param name="known">The types.</param>
/// <param name="natures">What modules do to a stream.</param>
/// <param name="uses">What was found in the body before; norms and intrinsics are among it.</param>
internal sealed class ResidualFinder(KnownTypes known, ModuleNatures natures, List<Use> uses)
{
    private readonly Dictionary<SyntaxNode, Use> _byNode = uses.GroupBy(u => (SyntaxNode)u.Node).ToDictionary(g => g.Key, g => g.First());

    /// <summary>The sums that are none, with the reason.</summary>
    public List<OtherSum> Others { get; } = [];

    /// <summary>All uses of the body.</summary>
    public List<Use> AddTo(BodyFlow flow)
    {
        var judge = new SumJudge(flow, known, natures, _byNode);
        var norms = new SumNorms(flow, natures, _byNode);
        var residuals = new List<ResidualUse>();
        foreach (var call in flow.Operations.OfType<IInvocationOperation>().Where(c => _byNode.TryGetValue(c.Syntax, out var use) && use is ResidualUse).GroupBy(c => c.Syntax).Select(g => g.First()))
            residuals.Add(((ResidualUse)_byNode[call.Syntax]) with { Producer = call.Arguments.FirstOrDefault(a => a.Parameter?.Ordinal == 0) is { } h ? judge.ProducerOf(h.Value) : [] });
        foreach (var sum in judge.Sums)
        {
            var verdict = judge.Of(sum);
            if (verdict.Producer is not null)
                residuals.Add(new ResidualUse(sum.Syntax, null, sum.Syntax, verdict.OutputIsLast, verdict.Producer));
            else
                Others.Add(new OtherSum(sum.Syntax, verdict.Why, verdict.HasOutput));
        }

        var result = uses.Where(use => use is not ResidualUse).ToList();
        foreach (var residual in residuals)
            result.AddRange(norms.After(residual, result));
        return result;
    }
}
