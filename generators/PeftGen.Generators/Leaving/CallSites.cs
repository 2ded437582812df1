using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace PeftGen.Generators.Leaving;

/// <summary>A call, whether it is written as one or not.</summary>
/// <param name="Operation">What calls.</param>
/// <param name="Target">The method.</param>
/// <param name="Instance">What it is called on; null: nothing.</param>
/// <param name="Arguments">What it is handed.</param>
internal sealed record CallSite(IOperation Operation, IMethodSymbol Target, IOperation? Instance, IReadOnlyList<(IParameterSymbol? parameter, IOperation value)> Arguments)
{
    /// <summary>Whether the code names the method and calls it.</summary>
    public bool IsWritten => Operation is IMethodReferenceOperation || Operation is IInvocationOperation { Syntax: InvocationExpressionSyntax };
}

/// <summary>Finds calls: of methods, and those that stand behind operators, properties, loops, patterns, <c>using</c> and text.</summary>
internal sealed class CallSites(SemanticModel model)
{
    public IEnumerable<CallSite> Of(IOperation operation)
    {
        switch (operation)
        {
            case IInvocationOperation call:
                yield return new CallSite(call, call.TargetMethod, call.Instance, [.. call.Arguments.Select(a => (a.Parameter, a.Value))]);
                break;
            case IObjectCreationOperation { Constructor: { } constructor } creation:
                yield return new CallSite(creation, constructor, null, [.. creation.Arguments.Select(a => (a.Parameter, a.Value))]);
                break;
            case IMethodReferenceOperation { Method: { IsExtensionMethod: true } extension, Instance: { } extended } reference:
                yield return new CallSite(reference, extension.ReducedFrom ?? extension, null, [((extension.ReducedFrom ?? extension).Parameters[0], extended)]);
                break;
            case IMethodReferenceOperation reference:
                yield return new CallSite(reference, reference.Method, reference.Instance, []);
                break;
            case IPropertyReferenceOperation property:
                foreach (var accessor in Accessors(property))
                    yield return accessor;
                break;
            case IImplicitIndexerReferenceOperation { IndexerSymbol: IPropertySymbol { GetMethod: { } getter } } indexer:
                yield return new CallSite(indexer, getter, indexer.Instance, []);
                break;
            case IBinaryOperation { OperatorMethod: { } method } binary:
                yield return Operator(binary, method, binary.LeftOperand, binary.RightOperand);
                break;
            case IUnaryOperation { OperatorMethod: { } method } unary:
                yield return Operator(unary, method, unary.Operand);
                break;
            case IIncrementOrDecrementOperation { OperatorMethod: { } method } step:
                yield return Operator(step, method, step.Target);
                break;
            case ICompoundAssignmentOperation { OperatorMethod: { } method } compound:
                yield return Operator(compound, method, compound.Target, compound.Value);
                break;
            case IConversionOperation { OperatorMethod: { } method } conversion:
                yield return Operator(conversion, method, conversion.Operand);
                break;
            case IEventAssignmentOperation { EventReference: IEventReferenceOperation { Event: { AddMethod: { } add, RemoveMethod: { } remove } } reference } assignment:
                yield return new CallSite(assignment, assignment.Adds ? add : remove, reference.Instance, [(null, assignment.HandlerValue)]);
                break;
            default:
                foreach (var (method, instance) in Hidden(operation))
                    yield return new CallSite(operation, method, instance, []);
                break;
        }
    }

    private static CallSite Operator(IOperation operation, IMethodSymbol method, params IOperation[] operands) =>
        new(operation, method, null, [.. operands.Take(method.Parameters.Length).Select((o, i) => ((IParameterSymbol?)method.Parameters[i], o))]);

    private static IEnumerable<CallSite> Accessors(IPropertyReferenceOperation property)
    {
        var arguments = property.Arguments.Select(a => (a.Parameter, a.Value)).ToList();
        var assignment = property.Parent as IAssignmentOperation;
        var isWritten = assignment?.Target == property;
        var isRead = !isWritten || assignment is ICompoundAssignmentOperation or ICoalesceAssignmentOperation;
        if (isRead && property.Property.GetMethod is { } getter)
            yield return new CallSite(property, getter, property.Instance, arguments);
        if ((isWritten || property.Parent is IIncrementOrDecrementOperation) && property.Property.SetMethod is { } setter)
            yield return new CallSite(property, setter, property.Instance, assignment is null ? arguments : [.. arguments, (setter.Parameters[setter.Parameters.Length - 1], assignment.Value)]);
    }

    /// <summary>Methods that C# calls by a convention.</summary>
    private IEnumerable<(IMethodSymbol method, IOperation instance)> Hidden(IOperation operation)
    {
        switch (operation)
        {
            case IForEachLoopOperation { Syntax: CommonForEachStatementSyntax syntax } loop:
                var each = model.GetForEachStatementInfo(syntax);
                foreach (var method in new[] { each.GetEnumeratorMethod, each.MoveNextMethod, each.CurrentProperty?.GetMethod })
                    if (method is not null)
                        yield return (method, loop.Collection);
                break;
            case IDeconstructionAssignmentOperation { Syntax: AssignmentExpressionSyntax syntax } deconstruction:
                if (model.GetDeconstructionInfo(syntax).Method is { } deconstruct)
                    yield return (deconstruct, deconstruction.Value);
                break;
            case IRecursivePatternOperation { DeconstructSymbol: IMethodSymbol positional } pattern:
                yield return (positional, pattern);
                break;
            case IAwaitOperation { Syntax: AwaitExpressionSyntax syntax } awaited:
                if (model.GetAwaitExpressionInfo(syntax).GetAwaiterMethod is { } awaiter)
                    yield return (awaiter, awaited.Operation);
                break;
            case IUsingOperation block:
                foreach (var resource in ResourcesOf(block.Resources))
                    foreach (var method in Member(resource, "Dispose", "DisposeAsync"))
                        yield return (method, resource);
                break;
            case IUsingDeclarationOperation declaration:
                foreach (var resource in ResourcesOf(declaration.DeclarationGroup))
                    foreach (var method in Member(resource, "Dispose", "DisposeAsync"))
                        yield return (method, resource);
                break;
            case IInterpolationOperation text:
                foreach (var method in Member(text.Expression, "ToString"))
                    yield return (method, text.Expression);
                break;
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.Add, Type.SpecialType: SpecialType.System_String } sum:
                foreach (var operand in new[] { sum.LeftOperand, sum.RightOperand })
                    foreach (var method in Member(operand, "ToString"))
                        yield return (method, operand);
                break;
        }
    }

    private static IEnumerable<IOperation> ResourcesOf(IOperation resources) =>
        resources is IVariableDeclarationGroupOperation group
            ? group.Declarations.SelectMany(d => d.Declarators).Select(d => d.Initializer?.Value ?? (d.Parent as IVariableDeclarationOperation)?.Initializer?.Value).OfType<IOperation>()
            : [resources];

    /// <summary>The methods of a name without parameters that a value's type, or what it derives from, declares in code.</summary>
    private static IEnumerable<IMethodSymbol> Member(IOperation value, params string[] names)
    {
        while (value is IConversionOperation { IsImplicit: true } conversion)
            value = conversion.Operand;
        for (var type = value.Type; type is not null && !type.DeclaringSyntaxReferences.IsEmpty; type = type.BaseType)
            foreach (var method in names.SelectMany(n => type.GetMembers(n)).OfType<IMethodSymbol>().Where(m => m.Parameters.Length == 0 || (m.Parameters.Length == 1 && m.IsOverride)))
                yield return method;
    }
}
