using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Rewriting;

namespace PeftGen.Generators.Parsing;

/// <summary>Turns a class that is compiled into the values that the emitter prints.</summary>
internal sealed class ClassModelBuilder(
    ModelGraph graph, BodyScanner scanner, CompiledSites sites, Reachability reach, EmittedNames emitted, HashSet<ModelClass> abstractly, DiagnosticList diagnostics)
{
    private const string LayerSlot = "global::PeftGen.LayerSlot";
    private List<(ModelClass user, ITypeSymbol variable)>? _lookups;

    public ClassModel Build(ModelClass type, List<DeclaredMethod>? declared)
    {
        var declaration = SourceOrder.PartsOf(type.Symbol).First();
        var methods = scanner.Scan(type).Where(m => reach.Methods.Contains(m.Symbol)).OrderBy(m => m.Syntax.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(m => m.Syntax.SpanStart).ToList();
        var names = FreeNames.For(type);
        var siteNames = new SiteNames(type, sites, scanner, emitted);
        var rewriter = new BodyRewriter(reach, siteNames, names, emitted, graph, scanner, diagnostics);
        var parts = methods.Select(m => (TypeDeclarationSyntax)m.Syntax.Parent!).Prepend(declaration).Distinct().ToList();
        return new ClassModel(
            HintName: HintNames.For(type.Symbol),
            Scopes: Scopes.Of(parts).ToEquatable(),
            Containers: Containers(type.Symbol).Reverse().ToEquatable(),
            Header: HeaderOf(type.Symbol),
            Name: NameOf(type.Symbol),
            IsSealed: type.Symbol.IsSealed,
            Node: emitted.NodeOf(type.Symbol),
            BaseAdapter: type.Base is { } b && reach.Classes.Contains(b) ? Display(type.Symbol.BaseType!, declaration) + "." + emitted.NodeOf(b.Symbol) : null,
            Nullable: scanner.ModelOf(declaration.SyntaxTree).GetNullableContext(declaration.SpanStart).AnnotationsEnabled(),
            Names: names,
            Members: Members(type, siteNames, declaration).ToEquatable(),
            Bodies: methods.Select(m => BuildBody(type, m, rewriter, siteNames)).ToEquatable(),
            Abstractions: Abstractions(type).ToEquatable(),
            Root: declared is null ? null : RootModelBuilder.Build(type, declared, siteNames.Input, Constraint(type, declaration), graph, scanner, reach, emitted))
        {
            OtherSums = sites.Bodies.Any(site => site.kind == SiteKind.Residual) && scanner.OtherSumsOf(type) is { Count: > 0 } sums ? string.Join("; ", sums.Take(6)) : null,
        };
    }

    /// <summary>The first class of the lineage that is compiled, which its nodes are of; a sealed class cannot be a constraint.</summary>
    private string Constraint(ModelClass type, SyntaxNode place)
    {
        var first = type.Symbol;
        while (first.BaseType is { } next && graph.ClassOf(next) is { } above && reach.Classes.Contains(above))
            first = next;
        return first.IsSealed ? "global::TorchSharp.torch.nn.Module" : Display(first, place);
    }

    /// <summary>What is emitted into a linear layer of the user's own.</summary>
    public LinearModel Build(OwnLinear linear)
    {
        var type = linear.Type.Symbol;
        return new LinearModel(
            HintNames.For(type).Replace(".g.cs", ".linear.g.cs"),
            type.ContainingNamespace.IsGlobalNamespace ? null : type.ContainingNamespace.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat.WithGlobalNamespaceStyle(SymbolDisplayGlobalNamespaceStyle.Omitted)),
            Containers(type).Reverse().ToEquatable(), HeaderOf(type), Identifiers.Escape(linear.Weight.Name), linear.Bias is { } bias ? Identifiers.Escape(bias.Name) : null, linear.IsTransposed);
    }

    private IEnumerable<MemberModel> Members(ModelClass type, SiteNames siteNames, SyntaxNode place)
    {
        var lookups = Lookups(type);
        foreach (var child in type.Own)
        {
            if (reach.IsCompiled(type, child))
                yield return MemberOf(type, child, place);
            else if (child.Shape != ChildShape.Parameter && lookups.Any(variable => graph.MayBe(child, variable)))
                yield return NewMember("Plain", type, child, "", isOptional: true);
        }

        foreach (var (use, name, path) in siteNames.Own)
            yield return use is ResidualUse residual
                ? NewSite("Residual", name) with { Path = path, Host = residual.Norm is { } norm ? Identifiers.Escape(norm.Receiver.Target.child.Name) : null }
                : NewSite("Attention", name);
        if (siteNames.Output is { } output)
            yield return NewSite("Output", output);
        if (siteNames.Input is { } input)
            yield return NewSite("Input", input);
    }

    /// <summary>The types of variables through which code meets the children of a class: what they can hold has to be known, also without an adapter.</summary>
    private List<ITypeSymbol> Lookups(ModelClass type)
    {
        _lookups ??= reach.Classes.SelectMany(scanner.Scan).SelectMany(scan => scan.Uses.Select(use => (scan.Type, use)))
            .Select(p => (p.Type, p.use, receiver: p.use switch { LayerUse layer => layer.Receiver, NodeUse node => node.Receiver, MethodGroupUse group => group.Receiver, WeightUse weight => weight.Receiver, _ => null }))
            .Where(p => p.receiver is { IsDirect: false } && reach.Reaches(p.Type, p.use)).Select(p => (p.Type, p.receiver!.Type)).ToList();
        return _lookups.Where(l => l.user.Lineage.Contains(type) || type.Lineage.Contains(l.user)).Select(l => l.variable).Distinct<ITypeSymbol>(SymbolEqualityComparer.Default).ToList();
    }

    private MemberModel MemberOf(ModelClass type, ModelChild child, SyntaxNode place)
    {
        var layers = child.Shape is ChildShape.BuiltIn or ChildShape.Sequential || (child.Shape == ChildShape.Abstract && graph.Known.IsTensorToTensor(child.Type)) || reach.IsOwnLinear(child.Type);
        var access = child.Shape == ChildShape.Composite && !layers ? Visibility.OfMember(type.Symbol, child.Type) : "public";
        var element = layers ? LayerSlot
            : child.Shape == ChildShape.Abstract || access is null ? "global::PeftGen.AdapterNode"
            : $"{Display(child.Type, place)}.{emitted.NodeOf(child.Type)}";
        return child.Shape == ChildShape.Parameter ? NewMember("Parameter", type, child, "global::PeftGen.ParameterSlot", isOptional: true)
            : child.IsList ? NewMember(layers ? "Layers" : "Children", type, child, element, isOptional: false, access)
            : NewMember(layers ? "Layer" : "Child", type, child, element, layers || access is null || child.Shape == ChildShape.Abstract || child.IsNullable, access);
    }

    private MemberModel NewMember(string kind, ModelClass owner, ModelChild child, string type, bool isOptional, string? access = "public") =>
        new(kind, child.Name, emitted.PropertyOf(owner, child.Name), child.Path, Identifiers.Escape(child.Name), type, isOptional, access ?? "internal")
        {
            Fused = kind is "Layer" or "Layers" ? child.Fused?.ToEquatable() : null,
        };

    private static MemberModel NewSite(string kind, string name) => new(kind, name, name, "", null, $"global::PeftGen.{kind}Slot", true, "public");

    private BodyModel BuildBody(ModelClass type, MethodScan scan, BodyRewriter rewriter, SiteNames siteNames)
    {
        var (method, syntax) = (scan.Symbol, scan.Syntax);
        var isForward = reach.IsModuleForward(method);
        return new BodyModel(
            Documentation: method.Name,
            Access: SyntaxFacts.GetText(method.DeclaredAccessibility),
            Modifiers: Modifiers(type, method),
            ReturnType: syntax.ReturnType.WithoutTrivia().ToString(),
            Name: syntax.Identifier.Text + emitted.SuffixOf(method) + syntax.TypeParameterList?.WithoutTrivia(),
            Parameters: string.Join(", ", scan.Definition.ParameterList.Parameters.Select(p => p.WithoutTrivia().NormalizeWhitespace().ToString())),
            Arguments: ArgumentsOf(method),
            Constraints: string.Concat(syntax.ConstraintClauses.Select(c => " " + c.WithoutTrivia())),
            Body: method.IsAbstract ? null : rewriter.Rewrite(scan),
            Overrides: Overridden(method, syntax).ToEquatable(),
            Call: isForward && (reach.Hooked.Any(h => h.Lineage.Contains(type) || type.Lineage.Contains(h)) || abstractly.Any(a => a.Lineage.Contains(type))) ? emitted.OfModule("call") : null,
            Sequence: isForward ? method.Parameters.Length : 0,
            Returns: !method.ReturnsVoid)
        {
            Output = isForward ? siteNames.Output : null,
            Unsafe = UnsafeOf(scan),
            Checkpointed = isForward && GradientCheckpointing.Covers(type) && GradientCheckpointing.Fault(method, graph.Known) is null
                ? method.Parameters.Select(p => new ArgumentModel(
                    Identifiers.Escape(p.Name), graph.Known.IsTensor(p.Type), p.NullableAnnotation == NullableAnnotation.Annotated,
                    !graph.Known.IsTensor(p.Type) && GradientCheckpointing.IsAbsentInTraining(p))).ToEquatable()
                : null,
        };
    }

    /// <summary>The word where the method's signature or body needs it.</summary>
    public static string UnsafeOf(MethodScan scan) => scan.Syntax.Modifiers.Concat(scan.Definition.Modifiers).Any(m => m.IsKind(SyntaxKind.UnsafeKeyword)) ? "unsafe " : "";

    public static string ArgumentsOf(IMethodSymbol method) =>
        string.Join(", ", method.Parameters.Select(p => (p.RefKind switch { RefKind.Ref => "ref ", RefKind.Out => "out ", RefKind.In => "in ", _ => "" }) + Identifiers.Escape(p.Name)));

    private static string Modifiers(ModelClass type, IMethodSymbol method)
    {
        var isVirtual = (method.IsVirtual || method.IsOverride) && !type.Symbol.IsSealed && !method.IsSealed && method.DeclaredAccessibility != Accessibility.Private;
        // A static method becomes an instance method: layers are found by their place in this.
        return (method.IsAbstract ? "abstract " : isVirtual ? "virtual " : "") + (method.IsAsync ? "async " : "");
    }

    private IEnumerable<string> Overridden(IMethodSymbol method, SyntaxNode place)
    {
        for (var overridden = method.OverriddenMethod; overridden is not null; overridden = overridden.OverriddenMethod)
            if (reach.Methods.Contains(overridden.OriginalDefinition))
                yield return $"{Display(overridden.ContainingType, place)}.{emitted.NodeOf(overridden.ContainingType)}";
    }

    private IEnumerable<AbstractionModel> Abstractions(ModelClass type)
    {
        if (!abstractly.Contains(type) || type.Symbol.IsAbstract || graph.Known.ModuleBase(type.Symbol) is not { } moduleBase)
            yield break;
        var isCompiled = type.Lineage.Any(t => scanner.Scan(t).Any(m => reach.Methods.Contains(m.Symbol) && reach.IsModuleForward(m.Symbol)));
        var arguments = moduleBase.TypeArguments.Select(a => a.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat)).ToList();
        if (isCompiled && arguments.Count >= 2)
            yield return new AbstractionModel(string.Join(", ", arguments), arguments[arguments.Count - 1], arguments.Take(arguments.Count - 1).ToEquatable(), emitted.OfModule("forward"), emitted.OfModule("call"));
    }

    private string Display(ITypeSymbol symbol, SyntaxNode place) =>
        symbol.WithNullableAnnotation(NullableAnnotation.NotAnnotated).ToMinimalDisplayString(scanner.ModelOf(place.SyntaxTree), place.SpanStart);

    private static IEnumerable<string> Containers(INamedTypeSymbol type)
    {
        for (var outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
            yield return HeaderOf(outer);
    }

    private static string HeaderOf(INamedTypeSymbol type)
    {
        var keyword = (type.IsRecord, type.TypeKind) switch
        {
            (true, TypeKind.Struct) => "record struct",
            (true, _) => "record",
            (_, TypeKind.Struct) => "struct",
            (_, TypeKind.Interface) => "interface",
            _ => "class",
        };
        var isUnsafe = SourceOrder.PartsOf(type).Any(part => part.Modifiers.Any(SyntaxKind.UnsafeKeyword));
        return $"{(isUnsafe ? "unsafe " : "")}partial {keyword} {NameOf(type)}";
    }

    private static string NameOf(INamedTypeSymbol type) => type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat.WithMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers)
        .WithMemberOptions(SymbolDisplayMemberOptions.None)) is var name && type.ContainingType is not null ? name.Substring(name.LastIndexOf('.') + 1) : name;
}
