using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Says what a name in the code of a class, that is no call, may have to become: a parameter, a method or a property as a value.</summary>
internal sealed class ValueScanner(ModelGraph graph, ModelClass type, SemanticModel model, ReceiverFinder receivers, CancellationToken cancel)
{
    private readonly HashSet<string> _parameters = new(type.Children.Where(c => c.Shape == ChildShape.Parameter).Select(c => c.Name));

    public Use? Scan(IdentifierNameSyntax name)
    {
        var text = name.Identifier.ValueText;
        if (name.Parent is NameColonSyntax or NameEqualsSyntax)
            return null;
        return (Use?)(_parameters.Contains(text) ? OwnParameter(name) : null)
            ?? (text is "weight" or "bias" || graph.ParameterNames.Contains(text) ? ChildParameter(name) : null)
            ?? (graph.MethodNames.Contains(text) ? MethodGroup(name) : null);
    }

    private ParameterUse? OwnParameter(IdentifierNameSyntax name)
    {
        var isOwn = !IsOfAnother(name) && (name.Parent is not MemberAccessExpressionSyntax access || access.Expression == name || access.Expression is ThisExpressionSyntax);
        if (!isOwn || model.GetSymbolInfo(name, cancel).Symbol is not { } symbol || type.Find(symbol) is not { } child)
            return null;
        var read = Whole(name);
        return new ParameterUse(read, [(type.Lineage.First(t => t.Own.Contains(child)), child)], IsWrite(read));
    }

    /// <summary>A parameter of a child, read past the child: <c>head.weight</c>, of a layer or of a user's own class.</summary>
    private Use? ChildParameter(IdentifierNameSyntax name)
    {
        if (name.Parent is not MemberAccessExpressionSyntax access || access.Name != name || access.Expression is ThisExpressionSyntax)
            return null;
        if (receivers.Of(access.Expression) is not { } receiver || !graph.Known.IsModule(receiver.Type) || IsWrite(access) || IsOfShapeAlone(access) || IsInPlace(access))
            return null;
        if (receivers.Of(access) is { IsDirect: true, Target.child.Shape: ChildShape.Parameter } parameter)
            return new ParameterUse(access, parameter.Chain, false);
        return graph.ClassOf(receiver.Type) is null && name.Identifier.ValueText is "weight" or "bias" ? new WeightUse(access, receiver, name.Identifier.ValueText) : null;
    }

    private MethodGroupUse? MethodGroup(IdentifierNameSyntax name)
    {
        if (IsOfAnother(name))
            return null;
        ExpressionSyntax whole = name.Parent is MemberAccessExpressionSyntax access && access.Name == name ? access : name;
        if (whole.Parent is InvocationExpressionSyntax call && call.Expression == whole || whole.Parent is MemberAccessExpressionSyntax or TypeArgumentListSyntax or QualifiedNameSyntax || IsInNameOf(whole))
            return null;
        var info = model.GetSymbolInfo(whole, cancel);
        if ((info.Symbol ?? info.CandidateSymbols.FirstOrDefault()) is not IMethodSymbol { MethodKind: MethodKind.Ordinary } method)
            return null;
        if (whole is not MemberAccessExpressionSyntax member || member.Expression is ThisExpressionSyntax or BaseExpressionSyntax || method.IsStatic)
            return type.Has(method) ? new MethodGroupUse(whole, null, method, null, false) : null;
        if (!graph.Known.IsModule(method.ContainingType) || receivers.Of(member.Expression) is not { } receiver)
            return null;
        var declaring = graph.ClassOf(method.ContainingType) ?? graph.ClassOf(receiver.Type);
        return declaring is null && method.Name is not ("forward" or "call") ? null : new MethodGroupUse(whole, receiver, method, declaring, graph.Known.IsTensorToTensor(receiver.Type));
    }

    /// <summary><c>next?.forward</c>: what another object of the same class has.</summary>
    private static bool IsOfAnother(IdentifierNameSyntax name) => name.Parent is MemberBindingExpressionSyntax;

    private static ExpressionSyntax Whole(IdentifierNameSyntax name) =>
        name.Parent is MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax or BaseExpressionSyntax } own && own.Name == name ? own : name;

    private static bool IsWrite(ExpressionSyntax read) =>
        read.Parent is AssignmentExpressionSyntax assignment && assignment.Left == read
        || read.Parent is ArgumentSyntax { RefKindKeyword.RawKind: not 0 }
        || IsInNameOf(read);

    /// <summary>What an adapter does not change: <c>head.weight.dtype</c>.</summary>
    private static bool IsOfShapeAlone(ExpressionSyntax read) =>
        Access(read) is "shape" or "dtype" or "device" or "device_type" or "device_index" or "ndim" or "dim" or "size" or "numel" or "requires_grad" or "grad" or "NumberOfElements" or "Handle";

    /// <summary>Starts of weights: <c>init.normal_(head.weight)</c>, <c>head.weight.zero_()</c>, <c>head.weight = embed.weight</c>.</summary>
    private static bool IsInPlace(ExpressionSyntax read) =>
        Access(read)?.EndsWith("_", StringComparison.Ordinal) == true
        || read.Parent is AssignmentExpressionSyntax { Left: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "weight" or "bias" } }
        || read.Parent is ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: var called } } } && called.EndsWith("_", StringComparison.Ordinal);

    private static string? Access(ExpressionSyntax read)
    {
        var outer = read.Parent is PostfixUnaryExpressionSyntax sure ? sure : read;
        return outer.Parent switch
        {
            MemberAccessExpressionSyntax access when access.Expression == outer => access.Name.Identifier.ValueText,
            ConditionalAccessExpressionSyntax { WhenNotNull: MemberBindingExpressionSyntax binding } => binding.Name.Identifier.ValueText,
            _ => null,
        };
    }

    private static bool IsInNameOf(ExpressionSyntax expression) =>
        expression.Parent is ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.ValueText: "nameof" } } };
}
