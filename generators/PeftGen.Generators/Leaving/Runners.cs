using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>Says what a call, in code that is not compiled, does to a module.</summary>
internal static class Runners
{
    /// <summary>Where a call runs the module that an argument is or holds.</summary>
    public static IEnumerable<Sink> OfArgument(FlowContext flow, CallSite call, IParameterSymbol? parameter, IOperation value, Origin origin)
    {
        var target = (call.Target.ReducedFrom ?? call.Target).OriginalDefinition;
        if (target.MethodKind is MethodKind.LocalFunction or MethodKind.LambdaMethod)
            return [];
        if (flow.Types.IsSource(target) && target.MethodKind != MethodKind.DelegateInvoke)
            return parameter is null ? [] : flow.Summary(target, parameter.Ordinal).Sinks;
        if (origin.Tie == Tie.Weight)
            return IsOfTorch(target) && !CarrierTypes.IsHarmless(target.Name) && target.ContainingType?.ContainingType?.Name != "optim" && target.MethodKind != MethodKind.Constructor ? [new Sink(null, target, ReadsWeight: true)] : [];
        if (CarrierTypes.IsOfTheFramework(target.ContainingAssembly))
            return Shown(flow, target.MethodKind == MethodKind.DelegateInvoke ? null : parameter, value);
        // A library that is not known may run any module that it takes as one.
        var taken = parameter?.OriginalDefinition.Type;
        return taken is ITypeParameterSymbol || flow.IsModules(taken) || taken is { TypeKind: TypeKind.Interface } ? [new Sink(target)] : [];
    }

    /// <summary>Where a call runs the module that it is made on, or that lies in that.</summary>
    public static IEnumerable<Sink> OfInstance(FlowContext flow, CallSite call, Origin origin, ISymbol @in)
    {
        var target = call.Target.OriginalDefinition;
        if (target.MethodKind == MethodKind.DelegateInvoke)
            return origin.Tie == Tie.Weight ? [] : [new Sink(@in)];
        if (flow.Graph.Known.IsModule(target.ContainingType))
            return flow.Types.IsSource(target) ? [new Sink(@in, target)]
                : target.Name is "forward" or "call" ? [new Sink(@in, null, origin.Tie == Tie.Holder ? null : VariableOf(flow, call.Instance!)) { Child = ChildOf(flow, call.Instance!) }] : [];
        if (origin.Tie == Tie.Weight)
            return flow.Types.IsTensor(call.Instance!.Type) && !CarrierTypes.IsHarmless(target.Name) && !CarrierTypes.IsHarmless(target.AssociatedSymbol?.Name ?? "x") && target.MethodKind != MethodKind.PropertySet
                ? [new Sink(@in, null, ReadsWeight: true)] : [];
        if (target.ContainingType.TypeKind == TypeKind.Interface)
            return flow.Types.IsSource(target) && origin.Tie == Tie.Holder ? [new Sink(target)]
                : flow.Graph.Known.ModuleOf(call.Target.ContainingType) is not null ? [new Sink(@in)] : [new Sink(@in, target)];
        return flow.Types.IsSource(target) ? flow.Summary(target, -1).Sinks : [];
    }

    /// <summary>What a framework's code calls of any object, or of an interface: <c>Console.WriteLine(block)</c>.</summary>
    private static IEnumerable<Sink> Shown(FlowContext flow, IParameterSymbol? parameter, IOperation value)
    {
        while (value is IConversionOperation { IsImplicit: true } conversion)
            value = conversion.Operand;
        if (parameter is null || value.Type is not INamedTypeSymbol type || flow.Graph.ClassOf(type) is null)
            yield break;
        var taken = parameter.OriginalDefinition.Type;
        if (taken is { TypeKind: TypeKind.Interface } and INamedTypeSymbol)
        {
            foreach (var contract in type.AllInterfaces.Where(i => SymbolEqualityComparer.Default.Equals(i.OriginalDefinition, taken.OriginalDefinition)))
                foreach (var member in contract.AllInterfaces.Append(contract).SelectMany(i => i.GetMembers()).OfType<IMethodSymbol>())
                    if (type.FindImplementationForInterfaceMember(member) is IMethodSymbol method && flow.Types.IsSource(method))
                        yield return new Sink(method, method.OriginalDefinition);
        }
        else if (taken.SpecialType == SpecialType.System_Object || taken is ITypeParameterSymbol)
        {
            for (INamedTypeSymbol? declaring = type; declaring is not null && flow.Types.IsSource(declaring); declaring = declaring.BaseType)
                foreach (var method in declaring.GetMembers().OfType<IMethodSymbol>().Where(m => m.IsOverride && m.Name is "ToString" or "Equals" or "GetHashCode"))
                    yield return new Sink(method, method.OriginalDefinition);
        }
    }

    private static ITypeSymbol? VariableOf(FlowContext flow, IOperation instance) =>
        instance.Type is ITypeParameterSymbol parameter ? parameter.ConstraintTypes.FirstOrDefault(flow.Graph.Known.IsModule) : instance.Type;

    private static (ModelClass, ModelChild)? ChildOf(FlowContext flow, IOperation instance) =>
        instance is IMemberReferenceOperation { Member: { ContainingType: { } holder } member } && flow.Graph.ClassOf(holder) is { } module && module.Find(member) is { IsList: false } child
            ? (module, child) : null;

    private static bool IsOfTorch(IMethodSymbol method) => method.ContainingAssembly?.Name.StartsWith("TorchSharp", StringComparison.Ordinal) == true;
}
