using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>Follows modules through the values of one body, whatever the forms in which they go on: what is not known to end them hands them on.</summary>
internal abstract class ModuleFlow(FlowContext flow, IOperation body)
{
    private const int MostRounds = 6;
    private readonly Dictionary<ISymbol, Origin> _carriers = new(SymbolEqualityComparer.Default);
    private readonly List<IOperation> _operations = [.. body.DescendantsAndSelf()];
    private bool _hasChanged;

    protected FlowContext Flow { get; } = flow;

    protected CallSites Calls { get; } = new(flow.ModelOf(body.Syntax.SyntaxTree));

    /// <summary>Follows, then judges each operation.</summary>
    public void Run()
    {
        for (var round = 0; round < MostRounds; round++)
        {
            _hasChanged = false;
            foreach (var operation in _operations)
                Spread(operation);
            if (!_hasChanged)
                break;
        }

        foreach (var operation in _operations)
            Judge(operation);
    }

    /// <summary>Says what an operation does with the modules that reach it.</summary>
    protected abstract void Judge(IOperation operation);

    /// <summary>The module that an operation names by itself.</summary>
    protected abstract Origin? SeedOf(IOperation operation);

    /// <summary>What a call on a class of the same code gives back.</summary>
    protected abstract Origin? ResultOfOwn(CallSite call);

    /// <summary>Whether a method is the class's own, whose code is followed.</summary>
    protected virtual bool IsOwn(IMethodSymbol method) => false;

    /// <summary>Whether lambdas and method groups run their modules as the base does.</summary>
    protected abstract bool DelegatesRunTheBase { get; }

    protected Origin? Carried(ISymbol symbol) => _carriers.TryGetValue(symbol, out var origin) ? origin : null;

    protected void Mark(ISymbol symbol, Origin? origin)
    {
        if (origin is null || !Flow.Types.CanCarry(TypeOf(symbol)) || (Flow.Types.IsTensor(TypeOf(symbol)) && origin.Tie != Tie.Weight))
            return;
        var joined = _carriers.TryGetValue(symbol, out var known) ? known.With(origin) : origin;
        _hasChanged |= joined != known;
        _carriers[symbol] = joined;
    }

    private static ITypeSymbol? TypeOf(ISymbol symbol) => symbol switch
    {
        ILocalSymbol local => local.Type,
        IParameterSymbol parameter => parameter.Type,
        IFieldSymbol field => field.Type,
        IPropertySymbol property => property.Type,
        _ => null,
    };

    /// <summary>The module that a value is, or holds.</summary>
    public Origin? OriginOf(IOperation? value)
    {
        if (value is null || value is ILiteralOperation or IInvalidOperation || !(value is IMethodReferenceOperation or IAnonymousFunctionOperation or ICollectionExpressionOperation or ITupleOperation || Flow.Types.CanCarry(value.Type)))
            return null;
        if (SeedOf(value) is { } seed)
            return seed;
        var origin = Through(value);
        return origin is not null && origin.Tie != Tie.Weight && Flow.Types.IsTensor(value.Type) ? null : origin;
    }

    private Origin? Through(IOperation value)
    {
        switch (value)
        {
            case ILocalReferenceOperation local:
                return Carried(local.Local);
            case IParameterReferenceOperation parameter:
                return Carried(parameter.Parameter);
            case IConversionOperation conversion:
                return OriginOf(conversion.Operand);
            case IConditionalAccessInstanceOperation instance:
                return OriginOf(instance.Parent is null ? null : AccessOf(instance)?.Operation);
            case IConditionalAccessOperation access:
                return OriginOf(access.WhenNotNull);
            case IMemberReferenceOperation { Instance: { } instance } member and (IFieldReferenceOperation or IPropertyReferenceOperation):
                return OriginOf(instance) is { } holder ? MemberOf(holder, instance, member) : null;
            case IMemberReferenceOperation and (IFieldReferenceOperation or IPropertyReferenceOperation):
                return null;
            case IMethodReferenceOperation reference:
                return DelegatesRunTheBase || OriginOf(reference.Instance)?.Tie == Tie.Holder ? OriginOf(reference.Instance)?.As(Tie.Holder) : null;
            case IDelegateCreationOperation creation:
                return OriginOf(creation.Target);
            case IAnonymousFunctionOperation lambda:
                return DelegatesRunTheBase ? Captured(lambda) : Given(lambda);
            case IInvocationOperation or IObjectCreationOperation:
                return Calls.Of(value).Select(ResultOf).FirstOrDefault(o => o is not null)
                    ?? (value is IObjectCreationOperation { Initializer: { } initializer } ? InitializedWith(initializer) : null);
            case IArrayElementReferenceOperation element:
                return OriginOf(element.ArrayReference);
            case IUnaryOperation or IBinaryOperation or IIsPatternOperation:
                return null;
            case ITupleOperation or IArrayCreationOperation or ICollectionExpressionOperation or IAnonymousObjectCreationOperation:
                return Origin.Join(value.ChildOperations.SelectMany(WithInitializers).Select(OriginOf)) is { } part ? part.Tie == Tie.Weight ? part : part.As(Tie.Holder) : null;
            default:
                return Origin.Join(value.ChildOperations.Select(OriginOf));
        }
    }

    private static IEnumerable<IOperation> WithInitializers(IOperation child) => child switch
    {
        IArrayInitializerOperation array => array.ElementValues,
        ISimpleAssignmentOperation assignment => [assignment.Value],
        ISpreadOperation spread => [spread.Operand],
        _ => [child],
    };

    private static IConditionalAccessOperation? AccessOf(IOperation instance)
    {
        var (child, parent) = (instance, instance.Parent);
        for (; parent is not null; (child, parent) = (parent, parent.Parent))
            if (parent is IConditionalAccessOperation access && access.WhenNotNull == child)
                return access;
        return null;
    }

    private Origin? Captured(IAnonymousFunctionOperation lambda) =>
        lambda.Body.DescendantsAndSelf().Where(o => o is ILocalReferenceOperation or IParameterReferenceOperation or IInstanceReferenceOperation or IFieldReferenceOperation)
            .Select(OriginOf).FirstOrDefault(o => o is { Tie: not Tie.Weight })?.As(Tie.Holder);

    /// <summary>The module that a lambda hands out.</summary>
    private Origin? Given(IAnonymousFunctionOperation lambda) =>
        Flow.IsModules(lambda.Symbol.ReturnType) ? lambda.Body.Descendants().OfType<IReturnOperation>().Select(r => OriginOf(r.ReturnedValue)).FirstOrDefault(o => o is not null)?.As(Tie.Holder) : null;

    private Origin? InitializedWith(IObjectOrCollectionInitializerOperation initializer) => Origin.Join(initializer.Initializers.Select(i => i switch
    {
        ISimpleAssignmentOperation assignment => OriginOf(assignment.Value),
        IInvocationOperation add => Origin.Join(add.Arguments.Select(a => OriginOf(a.Value))),
        _ => null,
    }))?.As(Tie.Holder);

    /// <summary>What a member of something that is or holds a module has of it.</summary>
    protected virtual Origin? MemberOf(Origin holder, IOperation instance, IMemberReferenceOperation member)
    {
        if (Flow.Types.IsTensor(member.Type))
            return Flow.Graph.Known.IsModule(instance.Type!) || KnownTypes.DerivesFrom(member.Type!, Flow.Graph.Known.Parameter) || Flow.Types.HoldsTensors(instance.Type)
                ? WeightOf(holder, instance) : null;
        // What is taken out of a holder is a module again.
        return holder.Tie == Tie.Holder && Flow.IsModules(member.Type) ? holder.As(Tie.Itself) : holder;
    }

    /// <summary>A tensor that is read off something; null where the compiler follows that.</summary>
    protected virtual Origin? WeightOf(Origin holder, IOperation instance) => holder.As(Tie.Weight);

    private Origin? ResultOf(CallSite call)
    {
        var (method, result) = (call.Target, call.Target.MethodKind == MethodKind.Constructor ? call.Target.ContainingType : call.Target.ReturnType);
        if (Flow.Graph.Known.IsModule(method.ContainingType) && call.Instance is not null && !Flow.Types.IsSource(method))
            return OfModule(call, result);
        if (ResultOfOwn(call) is { } own)
            return own;
        if (Origin.Join(call.Arguments.Select(a => ThroughArgument(call, a.parameter, a.value, result))) is { } handed)
            return handed;
        if (call.Instance is null || OriginOf(call.Instance) is not { } instance)
            return null;
        if (!Flow.Types.IsSource(method.OriginalDefinition))
            return instance.Tie == Tie.Weight && Flow.Types.IsTensor(call.Instance.Type) ? null : instance.Tie == Tie.Holder && Flow.IsModules(result) ? instance.As(Tie.Itself) : instance;
        var of = Flow.Summary(method, -1);
        return of.ReturnsWeight && Flow.Types.IsTensor(result) ? instance.As(Tie.Weight) : of.Returns ? Flow.IsModules(result) ? instance.As(Tie.Itself) : instance : null;
    }

    /// <summary>What a call's result has of an argument.</summary>
    private Origin? ThroughArgument(CallSite call, IParameterSymbol? parameter, IOperation value, ITypeSymbol result)
    {
        var method = call.Target;
        // What a lambda picks for LINQ comes out of the list.
        if (OriginOf(value) is not { } origin || (IsOwn(method) && origin.Tie != Tie.Holder) || (value is IDelegateCreationOperation && IsTakenFrom(method, result)))
            return null;
        if (!Flow.Types.IsSource(method.OriginalDefinition))
            return origin.Tie == Tie.Weight ? (Flow.Types.IsTensor(value.Type) && Flow.Types.IsTensor(result) ? null : origin)
                : IsTakenFrom(method, result) || Flow.Types.HoldsTensors(result) ? origin : origin.As(Tie.Holder);
        var summary = Flow.Summary(method, parameter?.Ordinal ?? -1);
        if (summary.ReturnsWeight && (Flow.Types.IsTensor(result) || Flow.Types.HoldsTensors(result)))
            return origin.As(Tie.Weight);
        return !(method.MethodKind == MethodKind.Constructor ? summary.Keeps : summary.Returns) ? null
            : Flow.IsModules(result) && method.MethodKind != MethodKind.Constructor ? origin : origin.As(Tie.Holder);
    }

    // LINQ takes elements out of lists; a library's factory puts them into something new.
    private bool IsTakenFrom(IMethodSymbol method, ITypeSymbol result) =>
        Flow.IsModules(result) && method.ContainingAssembly?.Name.StartsWith("System", StringComparison.Ordinal) == true && method.MethodKind != MethodKind.Constructor;

    /// <summary>What a method of TorchSharp's modules gives of the module that it is called on.</summary>
    private Origin? OfModule(CallSite call, ITypeSymbol result)
    {
        if ((OriginOf(call.Instance) ?? ImplicitSelf(call.Instance!)) is not { } module)
            return null;
        if (CarrierTypes.GivesWeights(call.Target))
            return module.As(Tie.Weight);
        if (Flow.Types.IsTensor(result))
            return null;
        return call.Instance!.Type is { } type && ModelGraph.IsAssignable(type, result) && call.Target.Name is not ("get_submodule" or "children") || module.Tie == Tie.Holder ? module : module.As(Tie.Below);
    }

    /// <summary>The object itself, where the code does not write <c>this</c>.</summary>
    protected virtual Origin? ImplicitSelf(IOperation instance) => null;

    private void Spread(IOperation operation)
    {
        switch (operation)
        {
            case IVariableDeclaratorOperation { Initializer.Value: { } value } variable:
                Mark(variable.Symbol, OriginOf(value));
                break;
            case IDeconstructionAssignmentOperation deconstruction:
                MarkLocals(deconstruction.Target, deconstruction.Value);
                break;
            case IAssignmentOperation assignment:
                SpreadTo(assignment.Target, assignment.Value);
                break;
            case IForEachLoopOperation loop:
                MarkLocals(loop.LoopControlVariable, loop.Collection);
                break;
            case IIsPatternOperation match:
                MarkPattern(match.Pattern, match.Value);
                break;
            case ISwitchOperation choice:
                foreach (var clause in choice.Cases.SelectMany(c => c.Clauses).OfType<IPatternCaseClauseOperation>())
                    MarkPattern(clause.Pattern, choice.Value);
                break;
            case ISwitchExpressionOperation choice:
                foreach (var arm in choice.Arms)
                    MarkPattern(arm.Pattern, choice.Value);
                break;
            case IInvocationOperation call:
                SpreadThrough(call);
                break;
        }
    }

    /// <summary>Where a value is put. An object of which a member is set holds it from then on.</summary>
    protected virtual void SpreadTo(IOperation target, IOperation value)
    {
        if (target is ILocalReferenceOperation local)
            Mark(local.Local, OriginOf(value));
        else if (target is IParameterReferenceOperation parameter)
            Mark(parameter.Parameter, OriginOf(value));
        else if (RootOf(target) is { } root && OriginOf(value) is { } origin)
            Mark(root, origin.Tie == Tie.Weight ? origin : origin.As(Tie.Holder));
    }

    /// <summary>The variable on whose object a member stands.</summary>
    private static ISymbol? RootOf(IOperation target) => target switch
    {
        IMemberReferenceOperation { Instance: { } instance } => RootOf(instance),
        IArrayElementReferenceOperation element => RootOf(element.ArrayReference),
        IConversionOperation conversion => RootOf(conversion.Operand),
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        _ => null,
    };

    private void SpreadThrough(IInvocationOperation call)
    {
        var origin = OriginOf(call.Instance) ?? Origin.Join(call.Arguments.Select(a => OriginOf(a.Value)));
        if (origin is null)
            return;
        foreach (var argument in call.Arguments)
        {
            if (call.TargetMethod.MethodKind == MethodKind.LocalFunction && OriginOf(argument.Value) is { } handed && argument.Parameter is { } parameter)
                Mark(parameter.OriginalDefinition, handed);
            if ((argument.Value as IDelegateCreationOperation)?.Target is IAnonymousFunctionOperation lambda && !Flow.Types.IsSource(call.TargetMethod.OriginalDefinition))
                foreach (var taken in lambda.Symbol.Parameters)
                    Mark(taken, Flow.IsModules(taken.Type) && origin.Tie == Tie.Holder ? origin.As(Tie.Itself) : origin);
            if (argument.Parameter?.RefKind is RefKind.Out or RefKind.Ref)
                MarkLocals(argument.Value, null, origin);
        }

        // list.Add(layer): the list holds it.
        if (call.Instance is not null && call.TargetMethod.MethodKind != MethodKind.DelegateInvoke && OriginOf(call.Instance) is null 
            && !(Flow.Graph.Known.IsModule(call.TargetMethod.ContainingType) && Flow.Types.IsSource(call.TargetMethod.OriginalDefinition)) && RootOf(call.Instance) is { } root)
            Mark(root, origin.Tie == Tie.Weight ? origin : origin.As(Tie.Holder));
    }

    private void MarkLocals(IOperation target, IOperation? value, Origin? origin = null)
    {
        origin ??= OriginOf(value);
        if (origin is null)
            return;
        foreach (var variable in target.DescendantsAndSelf())
            if (variable is ILocalReferenceOperation { Local: var local })
                Mark(local, Taken(local));
            else if (variable is IVariableDeclaratorOperation { Symbol: var declared })
                Mark(declared, Taken(declared));

        Origin Taken(ILocalSymbol local) => origin.Tie == Tie.Holder && Flow.IsModules(local.Type) ? origin.As(Tie.Itself) : origin;
    }

    private void MarkPattern(IPatternOperation pattern, IOperation value)
    {
        if (OriginOf(value) is { } origin)
            foreach (var declared in pattern.DescendantsAndSelf())
                if (declared switch { IDeclarationPatternOperation d => d.DeclaredSymbol, IRecursivePatternOperation r => r.DeclaredSymbol, IListPatternOperation l => l.DeclaredSymbol, _ => null } is { } symbol)
                    Mark(symbol, origin);
    }
}
