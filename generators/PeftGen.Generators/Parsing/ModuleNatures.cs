using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

/// <summary>What a module does to the stream that goes through it.</summary>
internal enum ModuleNature
{
    /// <summary>It computes something of its own, as attention does.</summary>
    SubLayer,

    /// <summary>It hands its input on: dropout, an activation, a scale.</summary>
    Step,

    /// <summary>A norm.</summary>
    Norm,

    /// <summary>It looks up vectors.</summary>
    Embedding,
}

/// <summary>Tells the nature of modules: of a field with an abstract type, from what the code puts into it.</summary>
internal sealed class ModuleNatures(ModelGraph graph, Func<SyntaxTree, SemanticModel> models, CancellationToken cancel)
{
    private static readonly Regex _norm = new(@"Norm(\d[dD])?$", RegexOptions.CultureInvariant);

    private static readonly HashSet<string> _steps =
    [
        "Identity", "AlphaDropout", "FeatureAlphaDropout", "ReLU", "ReLU6", "RReLU", "LeakyReLU", "GELU", "SiLU", "Mish", "Tanh", "Sigmoid", "ELU", "CELU", "SELU",
        "Hardswish", "Hardtanh", "Hardsigmoid", "Softplus", "Softsign", "LogSigmoid", "Tanhshrink", "Softshrink", "Hardshrink", "Threshold",
    ];

    private readonly Dictionary<ITypeSymbol, ModuleNature> _byType = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ModelChild, ModuleNature> _byChild = [];

    public ModuleNature Of(Receiver receiver) => receiver.IsDirect ? Of(receiver.Target.child) : OfType(receiver.Type);

    /// <summary>Whether a module changes its input number by number alone, or norms it: what it is given is the stream still.</summary>
    public bool KeepsStream(Receiver receiver) => Of(receiver) is ModuleNature.Norm or ModuleNature.Step || (graph.ClassOf(receiver.Type) is { } own && HasNoLayers(own));

    private ModuleNature Of(ModelChild child)
    {
        if (child.Shape != ChildShape.Abstract)
            return OfType(child.Type);
        if (!_byChild.TryGetValue(child, out var nature))
            _byChild[child] = nature = AssignedValues.Of(child).SelectMany(Ends).Select(e => models(e.SyntaxTree).GetTypeInfo(e, cancel).Type)
                .Select(t => t is null || graph.Known.IsAbstractModule(t) ? ModuleNature.SubLayer : OfType(t)).Distinct().ToList() is [var only] ? only : ModuleNature.SubLayer;
        return nature;
    }

    /// <summary>The expressions that one of several alternatives may come to.</summary>
    private static IEnumerable<ExpressionSyntax> Ends(ExpressionSyntax expression) => expression switch
    {
        ParenthesizedExpressionSyntax inner => Ends(inner.Expression),
        CastExpressionSyntax cast => Ends(cast.Expression),
        PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.SuppressNullableWarningExpression } sure => Ends(sure.Operand),
        ConditionalExpressionSyntax choice => Ends(choice.WhenTrue).Concat(Ends(choice.WhenFalse)),
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.CoalesceExpression } choice => Ends(choice.Left).Concat(Ends(choice.Right)),
        SwitchExpressionSyntax choice => choice.Arms.SelectMany(arm => Ends(arm.Expression)),
        ThrowExpressionSyntax => [],
        _ => [expression],
    };

    private ModuleNature OfType(ITypeSymbol type)
    {
        if (!_byType.TryGetValue(type, out var nature))
            _byType[type] = nature = Read(type);
        return nature;
    }

    private ModuleNature Read(ITypeSymbol type)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
        {
            if (_norm.IsMatch(current.Name))
                return ModuleNature.Norm;
            if (current.Name.StartsWith("Embedding", StringComparison.Ordinal))
                return ModuleNature.Embedding;
            if (current.Name.StartsWith("Dropout", StringComparison.Ordinal) || (_steps.Contains(current.Name) && current.ContainingNamespace?.ToDisplayString() == "TorchSharp.Modules"))
                return ModuleNature.Step;
        }

        return graph.ClassOf(type) is { } own && HasNoLayers(own) && HandsOn(own) ? ModuleNature.Step : ModuleNature.SubLayer;
    }

    private bool HasNoLayers(ModelClass type) => graph.Known.IsTensorToTensor(type.Symbol) && type.Children.All(c => c is { Shape: ChildShape.Parameter, IsList: false }) && !Multiplies(type);

    /// <summary>Whether it has a product of matrices, as linear layers of one's own have.</summary>
    private bool Multiplies(ModelClass type) => Forward(type) is { } forward && forward.DescendantNodes().OfType<SimpleNameSyntax>()
        .Any(n => n.Identifier.ValueText is "matmul" or "mm" or "bmm" or "linear" or "addmm" or "baddbmm" or "einsum" || n.Identifier.ValueText.StartsWith("conv", StringComparison.Ordinal));

    private MethodDeclarationSyntax? Forward(ModelClass type) => type.Lineage.SelectMany(t => t.Symbol.GetMembers("forward")).OfType<IMethodSymbol>().Where(graph.Known.IsModuleForward)
        .SelectMany(m => m.DeclaringSyntaxReferences).Select(r => r.GetSyntax(cancel)).OfType<MethodDeclarationSyntax>().FirstOrDefault();

    /// <summary>Whether forward returns its input on every path, perhaps scaled by what is not computed from it.</summary>
    private bool HandsOn(ModelClass type)
    {
        if (Forward(type) is not { } forward || BodyFlow.Of(forward, models(forward.SyntaxTree), cancel) is not { } flow)
            return false;
        var returned = flow.Returned.ToList();
        return returned.Count > 0 && returned.All(value => IsInput(flow, value, []));
    }

    private static bool IsInput(BodyFlow flow, FlowValue value, HashSet<FlowValue> seen) => BodyFlow.Settled(value) switch
    {
        Argument { Parameter.Ordinal: 0 } => true,
        Merge merge => seen.Add(merge) && merge.Values.All(v => IsInput(flow, v, seen)),
        Computed { Operation: var operation } => TensorSteps.Passed(operation).ToList() is { Count: > 0 } operands
            && operands.Count(o => IsInput(flow, flow.ValueOf(o), seen)) == 1
            && operands.Where(o => !IsInput(flow, flow.ValueOf(o), seen)).All(o => !new Derivation(flow, v => v is Argument { Parameter.Ordinal: 0 }, _ => true).From(o)),
        _ => false,
    };
}
