using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds in the methods of a class what may have to be rewritten. Each class is bound once.</summary>
internal sealed class BodyScanner(ModelGraph graph, CancellationToken cancel)
{
    private readonly Dictionary<ModelClass, IReadOnlyList<MethodScan>> _scans = [];
    private readonly Dictionary<SyntaxTree, SemanticModel> _models = [];

    public IReadOnlyList<MethodScan> Scan(ModelClass type)
    {
        if (_scans.TryGetValue(type, out var scans))
            return scans;
        var found = new List<MethodScan>();
        foreach (var method in SourceOrder.MembersOf<IMethodSymbol>(type.Symbol).Where(m => m.MethodKind == MethodKind.Ordinary))
            foreach (var reference in (method.PartialImplementationPart ?? method).DeclaringSyntaxReferences)
                if (reference.GetSyntax(cancel) is MethodDeclarationSyntax syntax && (syntax.Body is not null || syntax.ExpressionBody is not null || method.IsAbstract))
                    found.Add(new MethodScan(type, method, syntax, DefinitionOf(method, syntax), ScanBody(type, syntax)));
        return _scans[type] = found;
    }

    // Of a partial method the defining part has the default values.
    private MethodDeclarationSyntax DefinitionOf(IMethodSymbol method, MethodDeclarationSyntax syntax) =>
        method.PartialImplementationPart is null ? syntax : (MethodDeclarationSyntax)method.DeclaringSyntaxReferences[0].GetSyntax(cancel);

    /// <summary>Whether a class holds a site that stands in a body.</summary>
    public bool HasBodySite(ModelClass type, SiteKind kind) =>
        Scan(type).Any(method => method.Uses.Any(use => kind switch
        {
            SiteKind.Residual => use is ResidualUse,
            SiteKind.Attention => use is AttentionUse,
            _ => false,
        }));

    public SemanticModel ModelOf(SyntaxTree tree)
    {
        if (!_models.TryGetValue(tree, out var model))
            _models[tree] = model = graph.Compilation.GetSemanticModel(tree);
        return model;
    }

    private List<Use> ScanBody(ModelClass type, MethodDeclarationSyntax method)
    {
        cancel.ThrowIfCancellationRequested();
        var uses = new List<Use>();
        var body = (SyntaxNode?)method.Body ?? method.ExpressionBody;
        if (body is null)
            return uses;
        var model = ModelOf(method.SyntaxTree);
        var parameters = new HashSet<string>(type.Children.Where(c => c.Shape == ChildShape.Parameter).Select(c => c.Name));
        foreach (var node in body.DescendantNodes())
        {
            switch (node)
            {
                case InvocationExpressionSyntax call when ScanCall(type, model, call) is { } use:
                    uses.Add(use);
                    break;
                case IdentifierNameSyntax name when parameters.Contains(name.Identifier.ValueText) && ScanParameter(type, model, name) is { } read:
                    uses.Add(read);
                    break;
                case IdentifierNameSyntax { Identifier.ValueText: "forward" or "call" } name when ScanMethodGroup(type, model, name) is { } group:
                    uses.Add(group);
                    break;
            }
        }

        return uses;
    }

    private Use? ScanCall(ModelClass type, SemanticModel model, InvocationExpressionSyntax call)
    {
        if (call.Expression is not (MemberAccessExpressionSyntax or MemberBindingExpressionSyntax or SimpleNameSyntax))
            return null;
        var info = model.GetSymbolInfo(call, cancel);
        if ((info.Symbol ?? info.CandidateSymbols.FirstOrDefault()) is not IMethodSymbol method)
            return null;
        if (method.IsStatic)
            return IntrinsicOf(method) switch
            {
                SiteKind.Residual => new ResidualUse(call, null, null),
                SiteKind.Attention => new AttentionUse(call),
                _ => method.IsExtensionMethod ? null : SelfCall(type, model, call, method),
            };
        if (call.Expression is SimpleNameSyntax or MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax or BaseExpressionSyntax })
            return SelfCall(type, model, call, method);
        if (!graph.Known.IsModule(method.ContainingType))
            return null;
        if (ReceiverOf(type, model, call) is not { } receiver)
            return null;
        if (graph.ClassOf(method.ContainingType) is not null)
            return new NodeUse(call, receiver, graph.ClassOf(method.ContainingType)!, method.OriginalDefinition, IsHooked: false);
        if (method.Name is not ("forward" or "call"))
            return null;
        if (graph.ClassOf(receiver.Type) is { } composite)
            return new NodeUse(call, receiver, composite, method, IsHooked: method.Name == "call");
        var layer = new LayerUse(call, receiver, graph.Known.IsTensorToTensor(receiver.Type));
        return IsResidualSum(layer, out var sum) ? new ResidualUse(call, layer, sum) : layer;
    }

    private static bool IsResidualSum(LayerUse layer, out BinaryExpressionSyntax? sum)
    {
        sum = null;
        if (!layer.IsLayer || !layer.Receiver.IsDirect || !layer.Receiver.Type.Name.EndsWith("Norm", StringComparison.Ordinal) || layer.Receiver.IsConditional)
            return false;
        if (layer.Call.ArgumentList.Arguments is not [{ NameColon: null } argument])
            return false;
        sum = argument.Expression as BinaryExpressionSyntax;
        return sum?.IsKind(SyntaxKind.AddExpression) == true;
    }

    private static SiteKind? IntrinsicOf(IMethodSymbol method) =>
        DeclaredMethod.AttributesOf(method, "IntrinsicAttribute").FirstOrDefault()?.ConstructorArguments is [{ Value: int kind }] ? (SiteKind)kind : null;

    private SelfUse? SelfCall(ModelClass type, SemanticModel model, InvocationExpressionSyntax call, IMethodSymbol method) =>
        type.Lineage.Any(t => SymbolEqualityComparer.Default.Equals(t.Symbol, method.ContainingType.OriginalDefinition))
            ? new SelfUse(call, method.OriginalDefinition, HasThis(model, call))
            : null;

    private ParameterUse? ScanParameter(ModelClass type, SemanticModel model, IdentifierNameSyntax name)
    {
        var isOwn = name.Parent is not MemberAccessExpressionSyntax access || access.Expression == name || access.Expression is ThisExpressionSyntax;
        if (!isOwn || name.Parent is NameColonSyntax or NameEqualsSyntax || model.GetSymbolInfo(name, cancel).Symbol is not { } symbol || type.Find(symbol) is not { } child)
            return null;
        var read = name.Parent is MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax } own && own.Name == name ? own : (ExpressionSyntax)name;
        var isWrite = read.Parent is AssignmentExpressionSyntax assignment && assignment.Left == read
            || read.Parent is ArgumentSyntax { RefKindKeyword.RawKind: not 0 }
            || IsInNameOf(read);
        return new ParameterUse(read, type.Lineage.First(t => t.Own.Contains(child)), child, isWrite);
    }

    private MethodGroupUse? ScanMethodGroup(ModelClass type, SemanticModel model, IdentifierNameSyntax name)
    {
        if (name.Parent is not MemberAccessExpressionSyntax access || access.Name != name || IsInNameOf(access) || access.Parent is InvocationExpressionSyntax call && call.Expression == access)
            return null;
        if (access.Parent is InvocationExpressionSyntax || model.GetTypeInfo(access.Expression, cancel).Type is not { } receiver || !graph.Known.IsModule(receiver))
            return null;
        return new MethodGroupUse(access, new Receiver(access.Expression, ChainOf(type, model, access.Expression), receiver, false, true));
    }

    private Receiver? ReceiverOf(ModelClass type, SemanticModel model, InvocationExpressionSyntax call)
    {
        var conditional = call.Expression is MemberBindingExpressionSyntax;
        var expression = call.Expression switch
        {
            MemberAccessExpressionSyntax access => access.Expression,
            _ => call.Ancestors().OfType<ConditionalAccessExpressionSyntax>().First(c => c.WhenNotNull.Span.Contains(call.SpanStart)).Expression,
        };
        var receiver = model.GetTypeInfo(expression, cancel).Type;
        if (receiver is ITypeParameterSymbol parameter)
            receiver = parameter.ConstraintTypes.FirstOrDefault(graph.Known.IsModule) ?? receiver;
        return receiver is null ? null : new Receiver(expression, ChainOf(type, model, expression), receiver, conditional, HasThis(model, call));
    }

    /// <summary>The children that an expression names: <c>q_proj</c>, <c>this.mlp.up_proj</c>, <c>((Linear)proj!)</c>.</summary>
    private List<(ModelClass, ModelChild)> ChainOf(ModelClass type, SemanticModel model, ExpressionSyntax expression)
    {
        switch (expression)
        {
            case ParenthesizedExpressionSyntax p:
                return ChainOf(type, model, p.Expression);
            case CastExpressionSyntax cast:
                return ChainOf(type, model, cast.Expression);
            case PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.SuppressNullableWarningExpression } sure:
                return ChainOf(type, model, sure.Operand);
            case BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AsExpression } cast:
                return ChainOf(type, model, cast.Left);
            case IdentifierNameSyntax or MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax or BaseExpressionSyntax }:
                return model.GetSymbolInfo(expression, cancel).Symbol is { } own && FindChild(type, own) is { } child ? [child] : [];
            case MemberAccessExpressionSyntax access when ChainOf(type, model, access.Expression) is { Count: > 0 } outer:
                var (_, holder) = outer[outer.Count - 1];
                return holder.Shape == ChildShape.Composite && graph.ClassOf(holder.Type) is { } inner
                    && model.GetSymbolInfo(access, cancel).Symbol is { } member && FindChild(inner, member) is { } last ? [.. outer, last] : [];
            default:
                return [];
        }
    }

    private static (ModelClass, ModelChild)? FindChild(ModelClass type, ISymbol symbol) =>
        type.Find(symbol) is { IsList: false } child ? (type.Lineage.First(t => t.Own.Contains(child)), child) : null;

    private static bool IsInNameOf(ExpressionSyntax expression) =>
        expression.Parent is ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.ValueText: "nameof" } } };

    private static bool HasThis(SemanticModel model, SyntaxNode node)
    {
        for (var current = node.Parent; current is not null and not TypeDeclarationSyntax; current = current.Parent)
        {
            var isStatic = current switch
            {
                LocalFunctionStatementSyntax local => local.Modifiers.Any(SyntaxKind.StaticKeyword),
                AnonymousFunctionExpressionSyntax lambda => lambda.Modifiers.Any(SyntaxKind.StaticKeyword),
                MethodDeclarationSyntax method => method.Modifiers.Any(SyntaxKind.StaticKeyword),
                _ => false,
            };
            if (isStatic)
                return false;
        }

        return true;
    }
}
