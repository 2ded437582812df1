using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

using Chain = IReadOnlyList<(ModelClass owner, ModelChild child)>;

/// <summary>What a sum turned out to be.</summary>
/// <param name="Producer">The children whose output is added, from the own one inwards; null: it is no residual.</param>
/// <param name="OutputIsLast">Whether that output is the second operand.</param>
/// <param name="Stream">What it is added to; null where it is no residual.</param>
/// <param name="Why">Why it is no residual.</param>
/// <param name="HasOutput">Whether an operand is some module's output.</param>
internal sealed record SumVerdict(Chain? Producer, bool OutputIsLast, FlowValue? Stream, string Why, bool HasOutput);

/// <summary>
/// Says of sums in one body whether they are residuals: on every way that leads there one side is a sub-layer's output, through steps that keep width and place and no norm, and
/// the other is what the sub-layer was given.
/// </summary>
internal sealed class SumJudge(BodyFlow flow, KnownTypes known, ModuleNatures natures, IReadOnlyDictionary<SyntaxNode, Use> uses)
{
    private const string Nothing = "neither side is the output of a module that the class holds in a field";
    private readonly Dictionary<IOperation, SumVerdict> _verdicts = [];
    private readonly Dictionary<IOperation, Sum> _sums = flow.Operations.Select(o => Sum.Of(o, known)).OfType<Sum>().GroupBy(s => s.Operation).ToDictionary(g => g.Key, g => g.First());

    /// <summary>The sums of the body, in the order of its text.</summary>
    public IEnumerable<Sum> Sums => _sums.Values.OrderBy(s => s.Syntax.SpanStart).ThenByDescending(s => s.Syntax.Span.End);

    public SumVerdict Of(Sum sum)
    {
        if (_verdicts.TryGetValue(sum.Operation, out var verdict))
            return verdict;
        // None while it is judged: it may be met on the way, in a turn of a loop before.
        _verdicts[sum.Operation] = new SumVerdict(null, false, null, Nothing, false);
        var (left, right) = (BodyFlow.Settled(flow.ValueOf(sum.Left)), BodyFlow.Settled(flow.ValueOf(sum.Right)));
        var (last, first) = (Judge(right, left, []), Judge(left, right, []));
        return _verdicts[sum.Operation] =
            last.Why is null ? new SumVerdict(last.Producer, true, left, "", true)
            : first.Why is null ? new SumVerdict(first.Producer, false, right, "", true)
            : new SumVerdict(null, false, null, WhyNone(last, first), last.Producer is not null || first.Producer is not null || RunsOwnMethod(left) != RunsOwnMethod(right));
    }

    /// <summary>Whether a method of the class itself gives a value, which may be an output all the same.</summary>
    private bool RunsOwnMethod(FlowValue value) => value is Computed { Operation: IInvocationOperation call } && uses.TryGetValue(call.Syntax, out var use) && use is SelfUse;

    /// <summary>The children whose output a value is, whatever it is added to; empty: not known.</summary>
    public Chain ProducerOf(IOperation h) => Judge(BodyFlow.Settled(flow.ValueOf(h)), null, []).Producer ?? [];

    private static string WhyNone(Finding last, Finding first) => (last, first) switch
    {
        ({ Producer: { } a }, { Producer: { } b }) => $"both sides are outputs, of {NameOf(b)} and {NameOf(a)}, and neither module was given the other side",
        ({ Producer: not null }, _) => last.Why!,
        (_, { Producer: not null }) => first.Why!,
        _ => last.Why == Nothing ? first.Why! : last.Why!,
    };

    /// <summary>Takes one value for the output, and another for the residual; null: any.</summary>
    private Finding Judge(FlowValue h, FlowValue? r, HashSet<FlowValue> seen)
    {
        h = BodyFlow.Settled(h);
        if (!seen.Add(h))
            return new Finding(null, "it comes round in a loop");
        return h switch
        {
            Merge { IsLoop: true } => new Finding(null, "what is added may be from the loop's turn before"),
            Merge merge => Together([.. merge.Values.Select((value, i) => Judge(value, r is Merge other && other.Block == merge.Block ? BodyFlow.Settled(other.Values[i]) : r, [.. seen]))]),
            Part part when ModuleAt(part.Whole) is { } use => JudgeCall(use, r, seen),
            Computed { Operation: IMemberReferenceOperation { Instance: { } whole } } when ModuleAt(flow.ValueOf(whole)) is { } use && !known.IsTensor(((InvocationOf(flow.ValueOf(whole)))!).Type!) => JudgeCall(use, r, seen),
            Computed when ModuleAt(h) is { } use => JudgeCall(use, r, seen),
            Computed { Operation: var operation } => JudgeSteps(operation, r, seen),
            _ => new Finding(null, Nothing),
        };
    }

    private static Finding Together(IReadOnlyList<Finding> ways)
    {
        var producers = ways.Where(w => w.Producer is not null).ToList();
        if (producers.Count < ways.Count)
            return new Finding(null, producers.Count == 0 ? ways[0].Why : $"it is the output of {NameOf(producers[0].Producer!)} on some of the ways that lead here, and not on all");
        if (producers.FirstOrDefault(p => !p.Producer!.SequenceEqual(ways[0].Producer!)) is { } other)
            return new Finding(null, $"it is the output of {NameOf(ways[0].Producer!)} on one way and of {NameOf(other.Producer!)} on another");
        return ways.FirstOrDefault(w => w.Why is not null) ?? ways[0];
    }

    private Finding JudgeSteps(IOperation operation, FlowValue? r, HashSet<FlowValue> seen)
    {
        var found = TensorSteps.Passed(operation).Select(o => Judge(flow.ValueOf(o), r, [.. seen])).ToList();
        return found.Where(f => f.Producer is not null).ToList() switch
        {
            [] => found.FirstOrDefault(f => f.Why != Nothing) ?? new Finding(null, Nothing),
            [var one] => one,
            [var one, var other, ..] => new Finding(null, $"the outputs of {NameOf(one.Producer!)} and {NameOf(other.Producer!)} are multiplied"),
        };
    }

    private Finding JudgeCall((Receiver receiver, IInvocationOperation call) use, FlowValue? r, HashSet<FlowValue> seen)
    {
        var (receiver, call) = use;
        switch (natures.Of(receiver))
        {
            case ModuleNature.Step:
                return call.Arguments is [{ Value: var input }, ..] ? Judge(flow.ValueOf(input), r, seen) : new Finding(null, Nothing);
            case ModuleNature.Norm:
                return new Finding(null, $"the norm {receiver.Syntax} stands between the sub-layer and the sum");
            case ModuleNature.Embedding:
                return new Finding(null, $"{receiver.Syntax} is an embedding, and no sub-layer");
        }

        if (!receiver.IsDirect || receiver.Conditional is not null)
            return new Finding(null, $"{receiver.Syntax} is met through a variable, an index or ?., so no path tells which module it is");
        return new Finding(receiver.Chain, r is null || IsGiven(receiver, call, r) ? null : $"{receiver.Syntax} was not given what its output is added to");
    }

    /// <summary>Whether a module was given a value, through norms and plain operations alone. A layer at the end of a class stands for all that the class computes.</summary>
    private bool IsGiven(Receiver receiver, IInvocationOperation call, FlowValue r)
    {
        var streams = StreamsOf(r);
        var isLayer = receiver.Target.child.Shape == ChildShape.BuiltIn;
        var derivation = new Derivation(flow, v => streams.Contains(v), operation => Sum.Of(operation, known) is not { } sum ? isLayer || KeepsStream(operation) : isLayer || Of(sum).Stream is null);
        if (call.Arguments.Any(a => derivation.From(a.Value)))
            return true;
        // The class is handed the residual beside what it was computed to, as BERT's outputs are.
        return isLayer && streams.OfType<Argument>().Any(residual => call.Arguments.Any(a =>
            new Derivation(flow, v => v is Argument other && other != residual && known.IsTensor(other.Parameter.Type), KeepsStream).From(a.Value)));
    }

    private bool KeepsStream(IOperation operation) => !uses.TryGetValue(operation.Syntax, out var use) || use switch
    {
        LayerUse layer => natures.KeepsStream(layer.Receiver),
        NodeUse node => natures.KeepsStream(node.Receiver),
        _ => true,
    };

    /// <summary>A residual as the values that it is: before casts and the like, and, where it is a sum with another output already, the stream below.</summary>
    private HashSet<FlowValue> StreamsOf(FlowValue r)
    {
        var streams = new HashSet<FlowValue>();
        for (FlowValue? next = r; next is not null && streams.Add(next = BodyFlow.Settled(next));)
            next = next is not Computed { Operation: var operation } ? null
                : TensorSteps.Same(operation) is { } same ? flow.ValueOf(same)
                : _sums.TryGetValue(operation, out var sum) ? Of(sum).Stream : null;
        return streams;
    }

    private (Receiver receiver, IInvocationOperation call)? ModuleAt(FlowValue value) => InvocationOf(value) is { } call && uses.TryGetValue(call.Syntax, out var use) ? use switch
    {
        LayerUse layer => (layer.Receiver, call),
        NodeUse { Method.Name: "forward" or "call" } node => (node.Receiver, call),
        NodeUse node when known.IsTensor(node.Method.ReturnType) => (node.Receiver, call),
        _ => null,
    } : null;

    private static IInvocationOperation? InvocationOf(FlowValue value) => (BodyFlow.Settled(value) as Computed)?.Operation as IInvocationOperation;

    private static string NameOf(Chain chain) => string.Join(".", chain.Select(link => link.child.Name));

    /// <summary>One side of a sum, taken for the output.</summary>
    /// <param name="Producer">The module; null: it is none's output.</param>
    /// <param name="Why">Why the sum is no residual of it; null: it is one.</param>
    private sealed record Finding(Chain? Producer, string? Why);
}
