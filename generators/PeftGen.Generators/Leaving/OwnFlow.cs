using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>An object, in a field of a module class, that holds modules of it.</summary>
/// <param name="Origin">The module.</param>
/// <param name="Place">Where it is handed over.</param>
internal sealed record Held(Origin Origin, ExpressionSyntax Place);

/// <summary>What leaves the code of a module class. Modules that it calls itself are followed, whatever they came through; here counts who else may.</summary>
/// <param name="flow">What is known of other code.</param>
/// <param name="body">The code.</param>
/// <param name="type">The class.</param>
/// <param name="receivers">Which children an expression names.</param>
/// <param name="held">Fields that hold modules; what is found is added.</param>
/// <param name="isConstructor">Whether it is code for which there is no overload.</param>
internal sealed class OwnFlow(FlowContext flow, IOperation body, ModelClass type, ReceiverFinder receivers, Dictionary<ISymbol, Held> held, bool isConstructor) : ModuleFlow(flow, body)
{
    private ExpressionSyntax? _place;

    /// <summary>What was found.</summary>
    public List<Use> Uses { get; } = [];

    protected override bool DelegatesRunTheBase => false;

    protected override Origin? SeedOf(IOperation operation)
    {
        switch (operation)
        {
            case IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance, IsImplicit: false }:
                return new Origin(operation, Tie.Itself);
            case IFieldReferenceOperation or IPropertyReferenceOperation { Arguments.Length: 0 }:
                return MemberSeed((IMemberReferenceOperation)operation);
            case IParameterReferenceOperation { Parameter: var parameter }:
                return Carried(parameter) is null && Flow.IsModules(parameter.Type) && !(isConstructor && parameter.ContainingSymbol is IMethodSymbol { MethodKind: MethodKind.Constructor }) ? new Origin(operation, Tie.Itself) : null;
            default:
                return null;
        }
    }

    private Origin? MemberSeed(IMemberReferenceOperation reference)
    {
        var member = reference.Member.OriginalDefinition;
        if (held.TryGetValue(member, out var kept))
            return kept.Origin;
        if (reference.Instance is null or IInstanceReferenceOperation)
            return type.Find(member) is { Shape: ChildShape.Parameter } ? isConstructor ? new Origin(reference, Tie.Weight) : null
                : Flow.IsModules(reference.Type) ? new Origin(reference, Tie.Itself) : null;
        if (Flow.Graph.ClassOf(member.ContainingType) is not { } owner || !(Flow.IsModules(reference.Type) || owner.Find(member) is not null))
            return null;
        if (reference.Syntax is ExpressionSyntax syntax && receivers.Of(syntax)?.IsDirect == true)
            return owner.Find(member)?.Shape == ChildShape.Parameter ? isConstructor ? new Origin(reference, Tie.Weight) : null : new Origin(reference, Tie.Itself);
        return owner.Find(member) is not { } child ? new Origin(reference, Tie.Below)
            : new Origin(reference, child.Shape == ChildShape.Parameter ? Tie.Weight : Tie.Elsewhere) { Foreign = (owner.Lineage.First(t => t.Own.Contains(child)), child) };
    }

    protected override Origin? MemberOf(Origin holder, IOperation instance, IMemberReferenceOperation member) =>
        instance is IInstanceReferenceOperation ? null : base.MemberOf(holder, instance, member);

    // Weights that are read off a child are followed.
    protected override Origin? WeightOf(Origin holder, IOperation instance) =>
        holder.Tie is Tie.Itself && !isConstructor ? null : base.WeightOf(holder, instance);

    protected override Origin? ImplicitSelf(IOperation instance) => instance is IInstanceReferenceOperation ? new Origin(instance, Tie.Itself) : null;

    protected override bool IsOwn(IMethodSymbol method) => method.MethodKind != MethodKind.Constructor && type.Has(method);

    protected override Origin? ResultOfOwn(CallSite call)
    {
        if (!IsOwn(call.Target))
            return null;
        if (Flow.IsModules(call.Target.ReturnType))
            return new Origin(call.Operation, Tie.Itself);
        return call.Instance is not null && Flow.Types.CanHoldModules(call.Target.ReturnType) && Flow.Summary(call.Target, -1).Returns ? new Origin(call.Instance, Tie.Holder) : null;
    }

    protected override void SpreadTo(IOperation target, IOperation value)
    {
        base.SpreadTo(target, value);
        // In a constructor a layer may be made in a variable first.
        if (value is ILocalReferenceOperation local && target is IMemberReferenceOperation { Instance: IInstanceReferenceOperation, Member: var member } && type.Find(member) is { Shape: not ChildShape.Parameter })
            Mark(local.Local, new Origin(target, Tie.Itself));
    }

    protected override void Judge(IOperation operation)
    {
        _place = PlaceOf(operation);
        foreach (var call in Calls.Of(operation))
            JudgeCall(call);
        switch (operation)
        {
            case IDynamicInvocationOperation dynamic:
                foreach (var origin in dynamic.Arguments.Select(OriginOf).OfType<Origin>())
                    Leave(origin, [new Sink(null)]);
                break;
            case IBinaryOperation binary when Flow.Types.IsTensor(binary.Type):
                foreach (var origin in new[] { OriginOf(binary.LeftOperand), OriginOf(binary.RightOperand) })
                    if (origin is { Tie: Tie.Weight })
                        Leave(origin, [new Sink(null, null, ReadsWeight: true)]);
                break;
            case IAssignmentOperation assignment and not ICompoundAssignmentOperation:
                JudgeKept(assignment.Target, assignment.Value);
                break;
            case IEventAssignmentOperation { Adds: true } assignment:
                JudgeKept(assignment.EventReference, assignment.HandlerValue);
                break;
        }
    }

    private void JudgeCall(CallSite call)
    {
        JudgeHidden(call);
        var isOwn = IsOwn(call.Target);
        foreach (var (parameter, value) in call.Arguments)
        {
            if (OriginOf(value) is not { } origin || (isOwn && origin.Tie is not Tie.Holder) || IsOfReceiver(call, value))
                continue;
            if (call.Target.MethodKind == MethodKind.DelegateInvoke)
            {
                // A lambda of this body is compiled with it; what a field holds was made elsewhere.
                if (call.Instance is IFieldReferenceOperation or IPropertyReferenceOperation)
                    Leave(origin, [new Sink(null)]);
                continue;
            }

            Leave(origin, Runners.OfArgument(Flow, call, parameter, value, origin));
            if (parameter is not null && Flow.Types.IsSource(call.Target.OriginalDefinition))
                foreach (var kept in Flow.Summary(call.Target, parameter.Ordinal).KeptIn)
                    Leave(origin, Flow.OfKept(kept), isKept: true);
            else if (HelperFlow.StaticOf(call.Instance) is { } list)
                Leave(origin, Flow.OfKept(list), isKept: true);
            else if (FieldOf(call.Instance) is { } field && !held.ContainsKey(field) && !Flow.Graph.Known.IsModule(call.Target.ContainingType) && value.Syntax is ExpressionSyntax syntax)
                held[field] = new Held(origin.As(Tie.Holder), syntax);
        }

        if (call.Instance is not null && OriginOf(call.Instance) is { Tie: not Tie.Itself } instance && (instance.Tie != Tie.Holder || Flow.Graph.ClassOf(call.Target.ContainingType) is null)
            && !(call.Target.MethodKind == MethodKind.DelegateInvoke && Flow.IsModules(call.Target.ReturnType)))
            Leave(instance, Runners.OfInstance(Flow, call, instance, call.Target), variable: instance.Tie == Tie.Below ? call.Instance.Type : null,
                place: FieldOf(call.Instance) is { } own && held.TryGetValue(own, out var kept2) ? kept2.Place : null);
    }

    /// <summary>Whether a module is handed to the one that holds it: <c>block.Run(block.fc, x)</c>.</summary>
    private bool IsOfReceiver(CallSite call, IOperation value) =>
        call.Instance?.Syntax is ExpressionSyntax holder && value.Syntax is ExpressionSyntax inner && receivers.Of(holder) is { IsDirect: true } outer && receivers.Of(inner) is { IsDirect: true } child
        && child.Chain.Count > outer.Chain.Count && outer.Chain.SequenceEqual(child.Chain.Take(outer.Chain.Count));

    /// <summary>Members that C# calls where the code does not say so.</summary>
    private void JudgeHidden(CallSite call)
    {
        var target = call.Target.OriginalDefinition;
        if (call.IsWritten || _place is null || target.MethodKind == MethodKind.Constructor || !(Flow.Graph.ClassOf(target.ContainingType) is not null || target.ContainingType is { TypeKind: TypeKind.Interface }
            || (target.IsVirtual || target.IsAbstract || target.IsOverride) && Flow.Graph.Known.IsModule(target.ContainingType)) || IsAutomatic(target))
            return;
        var receiver = (call.Instance ?? call.Arguments.Select(a => a.value).FirstOrDefault(v => v.Type is { } operand && Flow.Graph.Known.IsModule(operand)))?.Syntax;
        Uses.Add(new MemberUse(_place, receiver is ExpressionSyntax and not ThisExpressionSyntax && call.Instance is not IInstanceReferenceOperation ? receivers.Of((ExpressionSyntax)receiver) : null, target));
    }

    private static bool IsAutomatic(IMethodSymbol method) => !method.IsAbstract && method.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() is AccessorDeclarationSyntax { Body: null, ExpressionBody: null };

    private void JudgeKept(IOperation target, IOperation value)
    {
        var own = FieldOf(target);
        if (own is not null && !isConstructor && KeepsCode(Unconverted(value).Type) && value.Syntax is ExpressionSyntax code && value.DescendantsAndSelf().Any(o => o is IAnonymousFunctionOperation or IMethodReferenceOperation))
            Uses.Add(new KeptUse(code, own.Name));
        if (OriginOf(value) is not { } origin || value.Syntax is not ExpressionSyntax syntax)
            return;
        _place = syntax;
        if (HelperFlow.StaticOf(target) is { } list)
            Leave(origin, Flow.OfKept(list), isKept: true);
        if (own is null || (origin.Tie == Tie.Weight && (IsOfLayer(target) || !IsReadByOthers(own))))
            return;
        if (origin.Tie == Tie.Weight)
            Leave(origin, [new Sink(own)], isKept: true);
        else if (origin.Tie == Tie.Itself && Flow.IsModules(Unconverted(value).Type) && target.Type is { TypeKind: TypeKind.Interface })
            return; // What calls the module through its interface is found where it does.
        else if (type.Find(own) is not { } child)
            held[own] = new Held(origin.As(Tie.Holder), syntax);
        else if (child.Shape != ChildShape.Parameter && target is IMemberReferenceOperation { Instance: IInstanceReferenceOperation } && (origin.Tie == Tie.Holder || origin.Seed is IMemberReferenceOperation seed && !SymbolEqualityComparer.Default.Equals(seed.Member.OriginalDefinition, own)))
            Leave(origin, [new Sink(own) { Field = (type.Lineage.First(t => t.Own.Contains(child)), child) }], isKept: true);
    }

    private bool KeepsCode(ITypeSymbol? type) => type is { TypeKind: TypeKind.Delegate or TypeKind.Interface } or INamedTypeSymbol { Name: "Lazy" or "List" or "Dictionary" or "Queue" or "Stack" } or IArrayTypeSymbol { ElementType.TypeKind: TypeKind.Delegate }
        && (type is not INamedTypeSymbol { Name: "List" or "Dictionary" or "Queue" or "Stack" } list || list.TypeArguments.Any(KeepsCode)) || type is not null && type.SpecialType == SpecialType.None && Flow.Types.IsSource(type);

    private static IOperation Unconverted(IOperation value) => value is IConversionOperation { IsImplicit: true } conversion ? Unconverted(conversion.Operand) : value;

    /// <summary>Whether a layer is given another's weight, <c>lm_head.weight = embed_tokens.weight</c>: such ties are known where an adapter is made and merged.</summary>
    private bool IsOfLayer(IOperation target) => target is IMemberReferenceOperation { Instance: { Type: { } layer } instance } && instance is not IInstanceReferenceOperation && Flow.Graph.Known.IsModule(layer);

    // A weight that only its own starts see is no loss.
    private bool IsReadByOthers(ISymbol field) => SourceOrder.PartsOf(type.Symbol).SelectMany(p => p.Members).Where(m => m is MethodDeclarationSyntax or PropertyDeclarationSyntax)
        .Any(m => m.DescendantNodes().OfType<IdentifierNameSyntax>().Any(n => n.Identifier.ValueText == field.Name && !(n.Parent is AssignmentExpressionSyntax assignment && assignment.Left == n)));

    /// <summary>The field, of the same object, with which an expression begins.</summary>
    private ISymbol? FieldOf(IOperation? operation) => operation switch
    {
        IMemberReferenceOperation { Instance: IInstanceReferenceOperation, Member: IFieldSymbol or IPropertySymbol or IEventSymbol } member when type.Has(member.Member) => member.Member.OriginalDefinition,
        IMemberReferenceOperation { Instance: { } inner } => FieldOf(inner),
        IArrayElementReferenceOperation element => FieldOf(element.ArrayReference),
        IConversionOperation conversion => FieldOf(conversion.Operand),
        _ => null,
    };

    private void Leave(Origin origin, IEnumerable<Sink> sinks, ITypeSymbol? variable = null, bool isKept = false, ExpressionSyntax? place = null)
    {
        // A constructor's own runs are probes of shapes; what it keeps is not.
        var found = (isConstructor && !isKept ? sinks.Where(s => s.Field is not null) : sinks).Distinct().ToList();
        if (found.Count == 0 || _place is null)
            return;
        foreach (var one in origin.All)
            Leave(one, found, variable, place ?? _place, _place);
    }

    private void Leave(Origin origin, List<Sink> found, ITypeSymbol? variable, ExpressionSyntax place, ExpressionSyntax node)
    {
        var isSelf = origin.Seed is IInstanceReferenceOperation;
        var receiver = isSelf || origin.Seed.Syntax is not ExpressionSyntax syntax ? null : receivers.Of(syntax);
        if (receiver is not null)
            receiver = receiver with { Chain = origin.Foreign is { } foreign ? [foreign] : receiver.Chain, Type = Flow.Graph.ElementOf(receiver.Type) ?? receiver.Type };
        if (receiver is null && !isSelf)
            return;
        Uses.Add(new LeavingUse(node, place, isSelf ? null : receiver, isSelf ? "this" : origin.Seed.Syntax.ToString(), found) { Below = variable });
    }

    private static ExpressionSyntax? PlaceOf(IOperation operation) => operation.Syntax switch
    {
        ExpressionSyntax expression => expression,
        CommonForEachStatementSyntax loop => loop.Expression,
        InterpolationSyntax text => text.Expression,
        PrimaryConstructorBaseTypeSyntax or ConstructorInitializerSyntax => null,
        UsingStatementSyntax block => block.Expression ?? block.Declaration?.Variables.FirstOrDefault()?.Initializer?.Value,
        LocalDeclarationStatementSyntax declaration => declaration.Declaration.Variables.FirstOrDefault()?.Initializer?.Value,
        PatternSyntax pattern => pattern.Ancestors().OfType<ExpressionSyntax>().FirstOrDefault(),
        SubpatternSyntax part => part.Ancestors().OfType<ExpressionSyntax>().FirstOrDefault(e => e is IsPatternExpressionSyntax or SwitchExpressionSyntax),
        _ => null,
    };
}
