using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

/// <summary>
/// Finds attention written by hand: a product of two tensors, perhaps scaled and masked, a softmax over it, and a product with a third. What is what shows in the flow, not in names.
/// </summary>
internal sealed class AttentionFinder(BodyFlow flow, KnownTypes known, ModuleNatures natures, IReadOnlyDictionary<SyntaxNode, Use> uses)
{
    private static readonly HashSet<string> _views =
    [
        "transpose", "permute", "swapaxes", "view", "reshape", "contiguous", "to", "to_type", "type", "float", "half", "double", "bfloat16", "alias", "clone", "unsqueeze", "squeeze", "flatten", "expand",
        "repeat_interleave", "t", "MoveToOuterDisposeScope", "DetachFromDisposeScope",
    ];

    /// <summary>What looks like attention, with what stands in the way.</summary>
    public List<OtherAttention> Others { get; } = [];

    /// <summary>Whether code may hold one, by its names.</summary>
    public static bool MayBeIn(SyntaxNode body)
    {
        var names = body.DescendantNodes().OfType<SimpleNameSyntax>().Select(n => n.Identifier.ValueText).Where(n => n is "matmul" or "bmm" or "einsum" or "baddbmm").Take(2).ToList();
        return names.Count == 2;
    }

    public IEnumerable<HandAttentionUse> Find(MethodDeclarationSyntax? method, IMethodSymbol? symbol)
    {
        var seen = new HashSet<SyntaxNode>();
        foreach (var product in flow.Operations.OfType<IInvocationOperation>().Where(IsProduct).OrderBy(p => p.Syntax.SpanStart))
        {
            if (!seen.Add(product.Syntax) || OperandsOf(product) is not var (weights, values) || SoftmaxBehind(flow.ValueOf(weights), []) is not { } softmax)
                continue;
            var chain = new AttentionChain(flow, known);
            if (!chain.Follow(flow.ValueOf(softmax.scores)) || chain.Product is not { } scores)
                continue;
            var (use, why) = chain.Why is null && OperandsOf(scores) is var (queries, keys) ? Read(chain, scores, queries, keys, softmax, values, product, method, symbol) : (null, chain.Why);
            if (use is not null)
                yield return use;
            else
                Others.Add(new OtherAttention((ExpressionSyntax)scores.Syntax, why ?? "the product is of another form than of two tensors"));
        }
    }

    private (HandAttentionUse?, string?) Read(
        AttentionChain chain, IInvocationOperation scores, IOperation queries, IOperation keys, (IOperation scores, IOperation? dim) softmax, IOperation values, IInvocationOperation product,
        MethodDeclarationSyntax? method, IMethodSymbol? symbol)
    {
        if (softmax.dim is { } dim && dim.ConstantValue is not { HasValue: true, Value: -1 or -1L or 2 or 2L or 3 or 3L })
            return (null, $"the softmax in line {AttentionChain.LineOf(dim)} is not seen to go over the last dimension");
        if (method is null || symbol is null || InputOf(method, symbol) is not { } input)
            return (null, "in a method that is no module's forward nothing tells the attention's input");
        if (!IsRestatable(queries, scores))
            return (null, $"the queries are computed within the product in line {AttentionChain.LineOf(scores)}; put them into a variable");
        if (!IsRestatable(values, scores))
            return (null, $"the values are not there yet where the scores are computed, in line {AttentionChain.LineOf(scores)}; compute them before, into a variable");
        if (chain.Masks.FirstOrDefault(m => DependsOn(m, chain.Values)) is { } mask)
            return (null, $"the mask '{mask.Expression}' is made from the scores");
        if (flow.Operations.FirstOrDefault(o => IsSizeOf(o, chain.Values)) is { } size)
            return (null, $"the scores' size is asked for in line {AttentionChain.LineOf(size)}; read their shape");
        if (IsTurned(scores) is not { } turned || IsTurned(product) is null)
            return (null, "the einsum is of another form than 'bhid,bhjd->bhij' and 'bhij,bhjd->bhid'");
        var shapes = flow.Operations.Where(o => IsShapeOf(o, chain.Values)).Select(o => (ExpressionSyntax)o.Syntax).Distinct().ToList();
        return (new HandAttentionUse(
            (ExpressionSyntax)scores.Syntax, input, SyntaxOf(queries), SyntaxOf(keys), turned, SyntaxOf(softmax.scores), chain.Masks, shapes, SyntaxOf(values),
            ScaleOf(queries, scores), ScaleOf(keys, scores), FoldOf(keys)), null);
    }

    private static ExpressionSyntax SyntaxOf(IOperation operation) => (ExpressionSyntax)(operation is IConversionOperation conversion ? conversion.Operand : operation).Syntax;

    private static bool IsProduct(IInvocationOperation call) => call.TargetMethod.Name is "matmul" or "bmm" or "einsum" && TensorSteps.TensorOf(call) is not null;

    private static (IOperation, IOperation)? OperandsOf(IInvocationOperation call)
    {
        var operands = TensorSteps.Tensors(call).ToList();
        return call.TargetMethod.Name switch
        {
            "matmul" or "bmm" when operands.Count >= 2 => (operands[0], operands[1]),
            "einsum" when operands is [_, IArrayCreationOperation { Initializer.ElementValues: [var first, var second] }] => (first, second),
            _ => null,
        };
    }

    /// <summary>Whether the second operand is <c>[…, head_dim, keys]</c>, as in a product of matrices; null: an einsum of another form.</summary>
    private static bool? IsTurned(IInvocationOperation call)
    {
        if (call.TargetMethod.Name != "einsum")
            return true;
        if (call.Arguments.FirstOrDefault(a => a.Parameter?.Ordinal == 0)?.Value.ConstantValue.Value is not string text || text.Replace(" ", "").Split([",", "->"], StringSplitOptions.None) is not [var a, var b, var result])
            return null;
        if (a.Length < 2 || b.Length != a.Length || result.Length != a.Length || a.Substring(0, a.Length - 2) is var batch && (!b.StartsWith(batch, StringComparison.Ordinal) || !result.StartsWith(batch, StringComparison.Ordinal)))
            return null;
        var (i, d) = (a[a.Length - 2], a[a.Length - 1]);
        return b[b.Length - 1] == d && result[result.Length - 2] == i && result[result.Length - 1] == b[b.Length - 2] ? false
            : b[b.Length - 2] == d && result[result.Length - 2] == i && result[result.Length - 1] == b[b.Length - 1] ? true : null;
    }

    /// <summary>The scores in a softmax that a value comes from, through dropout and casts.</summary>
    private (IOperation scores, IOperation? dim)? SoftmaxBehind(FlowValue value, HashSet<FlowValue> seen)
    {
        value = BodyFlow.Settled(value);
        if (!seen.Add(value))
            return null;
        if (value is Merge { IsLoop: false } merge)
        {
            var ways = merge.Values.Select(v => SoftmaxBehind(v, seen)).ToList();
            return ways.FirstOrDefault(w => w is not null) is { } found && ways.All(w => w is null || w.Value.scores.Syntax == found.scores.Syntax) ? found : null;
        }

        if (value is not Computed { Operation: IInvocationOperation call })
            return null;
        if (uses.TryGetValue(call.Syntax, out var use) && use is LayerUse layer)
            return call.Arguments is not [{ Value: var input }] ? null
                : layer.Receiver.Type.Name == "Softmax" ? (input, null)
                : natures.Of(layer.Receiver) == ModuleNature.Step ? SoftmaxBehind(flow.ValueOf(input), seen) : null;
        if (TensorSteps.TensorOf(call) is not { } tensor)
            return null;
        if (call.TargetMethod.Name is "softmax" or "softmax_")
            return (tensor, call.Arguments.FirstOrDefault(a => a.Parameter?.Name == "dim")?.Value);
        return TensorSteps.Same(call) is not null || call.TargetMethod.Name is "dropout" or "nan_to_num" ? SoftmaxBehind(flow.ValueOf(tensor), seen) : null;
    }

    /// <summary>The attention's input: the first tensor that the module's forward takes, or the first that it reads of what it takes.</summary>
    private string? InputOf(MethodDeclarationSyntax method, IMethodSymbol symbol)
    {
        if (!known.IsModuleForward(symbol) || symbol.Parameters.IsEmpty)
            return null;
        if (symbol.Parameters.FirstOrDefault(p => known.IsTensor(p.Type)) is { } tensor)
            return tensor.Name;
        return method.DescendantNodes().OfType<MemberAccessExpressionSyntax>().FirstOrDefault(access => access.Expression is IdentifierNameSyntax { Identifier.ValueText: var name } && name == symbol.Parameters[0].Name
            && symbol.Parameters[0].Type.GetMembers(access.Name.Identifier.ValueText).Any(m => m is IPropertySymbol { Type: var p } && known.IsTensor(p) || m is IFieldSymbol { Type: var f } && known.IsTensor(f)))?.ToString();
    }

    /// <summary>Whether an expression may be written where the scores are computed, and is the same there.</summary>
    private bool IsRestatable(IOperation operation, IOperation place) => operation.DescendantsAndSelf().All(o => o switch
    {
        ILocalReferenceOperation local => flow.ValueAt(local.Local, place) == flow.ValueOf(local),
        IParameterReferenceOperation parameter => flow.ValueAt(parameter.Parameter, place) == flow.ValueOf(parameter),
        IInvocationOperation call => _views.Contains(call.TargetMethod.Name) && TensorSteps.TensorOf(call) is not null,
        ILiteralOperation or IConversionOperation or IArgumentOperation or IArrayCreationOperation or IArrayInitializerOperation or IFieldReferenceOperation or IPropertyReferenceOperation or IInstanceReferenceOperation
            or IUnaryOperation or ICollectionExpressionOperation or IArrayElementReferenceOperation => true,
        IBinaryOperation => !known.IsTensor(o.Type!),
        _ => false,
    });

    private bool DependsOn(MaskOperand mask, HashSet<FlowValue> values) =>
        flow.Operations.Where(o => o.Syntax == mask.Expression).Any(o => new Derivation(flow, values.Contains, made => !IsShapeOf(made, values), byShape: true).From(o));

    private bool IsShapeOf(IOperation operation, HashSet<FlowValue> values) =>
        operation is IPropertyReferenceOperation { Property.Name: "shape", Instance: { } whole, Syntax: ExpressionSyntax } && values.Contains(flow.ValueOf(whole));

    private bool IsSizeOf(IOperation operation, HashSet<FlowValue> values) =>
        operation is IInvocationOperation { TargetMethod.Name: "size", Instance: { } tensor } && values.Contains(flow.ValueOf(tensor));

    /// <summary>The number by which queries or keys are multiplied before; null: none is.</summary>
    private string? ScaleOf(IOperation operand, IOperation place)
    {
        for (var operation = operand; ;)
        {
            if (flow.ValueOf(operation) is not Computed { Operation: var made })
                return null;
            switch (made)
            {
                case IInvocationOperation call when _views.Contains(call.TargetMethod.Name) && TensorSteps.TensorOf(call) is { } tensor:
                    operation = tensor;
                    continue;
                case IBinaryOperation { OperatorKind: BinaryOperatorKind.Multiply } scaled when known.IsTensor(scaled.LeftOperand.Type!) && !known.IsTensor(scaled.RightOperand.Type!) && IsRestatable(scaled.RightOperand, place):
                    return $"(double)({SyntaxOf(scaled.RightOperand)})";
                case IBinaryOperation { OperatorKind: BinaryOperatorKind.Divide } scaled when !known.IsTensor(scaled.RightOperand.Type!) && IsRestatable(scaled.RightOperand, place):
                    return $"1 / (double)({SyntaxOf(scaled.RightOperand)})";
                default:
                    return null;
            }
        }
    }

    /// <summary>Where heads lie in the batch dimension: whether those of one row follow each other; null: not seen.</summary>
    private bool? FoldOf(IOperation keys)
    {
        var isFolded = false;
        for (var operation = keys; flow.ValueOf(operation) is Computed { Operation: IInvocationOperation call } && TensorSteps.TensorOf(call) is { } tensor; operation = tensor)
        {
            if (call.TargetMethod.Name is "view" or "reshape" or "flatten")
                isFolded = true;
            else if (isFolded && call.TargetMethod.Name is "permute" or "transpose" && isFolded)
                return Constants(call) switch { [0, 2, 1, 3] or [1, 2] or [2, 1] => true, [2, 0, 1, 3] => false, _ => null };
            else if (!_views.Contains(call.TargetMethod.Name))
                return null;
        }

        return null;
    }

    private static long[] Constants(IInvocationOperation call) => [.. call.Arguments.SelectMany(a => a.Value.DescendantsAndSelf()).OfType<ILiteralOperation>().Where(l => !l.IsImplicit).Select(l => l.ConstantValue.Value).OfType<object>().Select(v => Convert.ToInt64(v, System.Globalization.CultureInfo.InvariantCulture))];
}
