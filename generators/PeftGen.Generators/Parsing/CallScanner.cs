using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Says what a call in the code of a class may have to become.</summary>
internal sealed class CallScanner(ModelGraph graph, ModelClass type, SemanticModel model, ReceiverFinder receivers, CancellationToken cancel)
{
    public Use? Scan(InvocationExpressionSyntax call)
    {
        if (call.Expression is not (MemberAccessExpressionSyntax or MemberBindingExpressionSyntax or SimpleNameSyntax))
            return null;
        var info = model.GetSymbolInfo(call, cancel);
        if ((info.Symbol ?? info.CandidateSymbols.FirstOrDefault()) is not IMethodSymbol method || method.MethodKind is MethodKind.DelegateInvoke or MethodKind.LocalFunction)
            return null;
        if (method.ReducedFrom is not null)
            return null;
        if (method.IsStatic)
            return IntrinsicOf(method) switch
            {
                SiteKind.Residual => new ResidualUse(call, null, null, false, []),
                SiteKind.Attention => new AttentionUse(call, null),
                SiteKind.Input => new PositionsUse(call),
                _ => IsAttention(method) && InputOf(call) is { } input ? new AttentionUse(call, input) : (Use?)SelfCall(call, method),
            };
        if (call.Expression is SimpleNameSyntax or MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax or BaseExpressionSyntax })
            return SelfCall(call, method);
        if (graph.Known.ModuleOf(method.ContainingType) is { } module && graph.Known.IsTensorToTensor(module) && call.Expression is MemberAccessExpressionSyntax && receivers.Of(call) is { } element)
            return new LayerUse(call, element with { Type = module, Chain = [], Cast = module }, true);
        if (method.ContainingType.TypeKind == TypeKind.Interface)
            return graph.IsModuleInterface(method.ContainingType) ? new InterfaceUse(call, method) : null;
        if (!graph.Known.IsModule(method.ContainingType))
            return null;
        return receivers.Of(call) is { } receiver ? ModuleCall(call, receiver, method) : null;
    }

    private Use? ModuleCall(InvocationExpressionSyntax call, Receiver receiver, IMethodSymbol method)
    {
        if (graph.ClassOf(method.ContainingType) is { } declaring)
            return new NodeUse(call, receiver, declaring, method.OriginalDefinition, IsHooked: false);
        if (method.Name is not ("forward" or "call"))
            return null;
        if (graph.ClassOf(receiver.Type) is { } composite && !graph.IsOpen(composite))
            return new NodeUse(call, receiver, composite, method, IsHooked: method.Name == "call");
        return new LayerUse(call, receiver, graph.Known.IsTensorToTensor(receiver.Type));
    }

    private bool IsAttention(IMethodSymbol method) =>
        method.Name == "scaled_dot_product_attention" && SymbolEqualityComparer.Default.Equals(method.ContainingAssembly, graph.Known.Module.ContainingAssembly);

    /// <summary>The attention's input: the first tensor that the module's forward takes, where the call stands in that. In a helper nothing tells it.</summary>
    private string? InputOf(InvocationExpressionSyntax call) =>
        call.Ancestors().OfType<MethodDeclarationSyntax>().FirstOrDefault() is { Identifier.ValueText: "forward" } forward
        && model.GetDeclaredSymbol(forward, cancel) is { IsOverride: true } symbol ? symbol.Parameters.FirstOrDefault(p => graph.Known.IsTensor(p.Type))?.Name : null;

    private static SiteKind? IntrinsicOf(IMethodSymbol method) =>
        DeclaredMethod.AttributesOf(method, "IntrinsicAttribute").FirstOrDefault()?.ConstructorArguments is [{ Value: int kind }] ? (SiteKind)kind : null;

    private SelfUse? SelfCall(InvocationExpressionSyntax call, IMethodSymbol method) =>
        type.Has(method) ? new SelfUse(call, method.OriginalDefinition) : null;
}
