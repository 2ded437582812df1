using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Rewriting;

namespace PeftGen.Generators.Parsing;

/// <summary>Turns a class that is compiled into the values that the emitter prints.</summary>
internal sealed class ClassModelBuilder(
    ModelGraph graph, BodyScanner scanner, CompiledSites sites, Reachability reach, HashSet<ModelClass> abstractly, DiagnosticList diagnostics)
{
    private const string LayerSlot = "global::PeftGen.LayerSlot";

    public ClassModel Build(ModelClass type, List<DeclaredMethod>? declared)
    {
        var declaration = type.Symbol.DeclaringSyntaxReferences.Select(r => r.GetSyntax()).OfType<TypeDeclarationSyntax>().First();
        var methods = scanner.Scan(type).Where(m => reach.Methods.Contains(m.Symbol)).OrderBy(m => m.Syntax.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(m => m.Syntax.SpanStart).ToList();
        var names = FreeNames.For(type);
        var siteNames = new SiteNames(type, sites, scanner);
        var rewriter = new BodyRewriter(type, reach, siteNames, names, scanner, diagnostics);
        var parts = methods.Select(m => (TypeDeclarationSyntax)m.Syntax.Parent!).Prepend(declaration).Distinct().ToList();
        return new ClassModel(
            HintName: HintNames.For(type.Symbol),
            Scopes: Scopes.Of(parts).ToEquatable(),
            Containers: Containers(type.Symbol).Reverse().ToEquatable(),
            Header: HeaderOf(type.Symbol),
            Name: NameOf(type.Symbol),
            IsSealed: type.Symbol.IsSealed,
            BaseAdapter: type.Base is { } b && reach.Classes.Contains(b) ? Display(type.Symbol.BaseType!, declaration) + ".Adapter" : null,
            Nullable: scanner.ModelOf(declaration.SyntaxTree).GetNullableContext(declaration.SpanStart).AnnotationsEnabled(),
            Names: names,
            Members: Members(type, siteNames, methods, declaration).ToEquatable(),
            Bodies: methods.Select(m => BuildBody(type, m, rewriter)).ToEquatable(),
            Abstractions: Abstractions(type).ToEquatable(),
            Root: declared is null ? null : RootModelBuilder.Build(type, declared, graph, scanner, reach));
    }

    private IEnumerable<MemberModel> Members(ModelClass type, SiteNames siteNames, List<MethodScan> methods, SyntaxNode place)
    {
        // Where code reaches children through variables, all of them have to be known, also those without an adapter.
        var lookups = methods.SelectMany(m => m.Uses).Any(use => use switch
        {
            LayerUse layer => !layer.Receiver.IsDirect && reach.Reaches(type, use),
            NodeUse node => !node.Receiver.IsDirect && reach.Reaches(type, use),
            _ => false,
        });
        foreach (var child in type.Own)
        {
            if (!reach.IsCompiled(type, child))
            {
                if (lookups && child.Shape != ChildShape.Parameter)
                    yield return new MemberModel("Plain", child.Name, child.Path, child.Name, "", true);
                continue;
            }

            var layers = child.Shape is ChildShape.BuiltIn or ChildShape.Sequential || (child.Shape == ChildShape.Abstract && IsTensorToTensor(child.Type));
            var element = layers ? LayerSlot
                : child.Shape == ChildShape.Abstract ? "global::PeftGen.AdapterNode"
                : Display(child.Type, place) + ".Adapter";
            yield return child.Shape == ChildShape.Parameter
                ? new MemberModel("Parameter", child.Name, child.Path, child.Name, "global::PeftGen.ParameterSlot", true)
                : child.IsList ? new MemberModel(layers ? "Layers" : "Children", child.Name, child.Path, child.Name, element, false)
                : new MemberModel(layers ? "Layer" : "Child", child.Name, child.Path, child.Name, element, layers || child.Shape == ChildShape.Abstract || child.IsNullable);
        }

        foreach (var (use, name) in siteNames.Own)
            yield return use is ResidualUse residual
                ? new MemberModel("Residual", name, name, residual.Norm?.Receiver.Target.child.Name, "global::PeftGen.ResidualSlot", true)
                : new MemberModel("Attention", name, name, null, "global::PeftGen.AttentionSlot", true);
    }

    private bool IsTensorToTensor(ITypeSymbol type) =>
        graph.Known.IsTensorToTensor(type is ITypeParameterSymbol parameter ? parameter.ConstraintTypes.First(graph.Known.IsModule) : type);

    private BodyModel BuildBody(ModelClass type, MethodScan scan, BodyRewriter rewriter)
    {
        var (method, syntax) = (scan.Symbol, scan.Syntax);
        string? body = null;
        var start = syntax.Identifier.SpanStart;
        if (!method.IsAbstract)
            body = rewriter.Rewrite(scan, out start);
        var position = syntax.SyntaxTree.GetText().Lines.GetLinePosition(start);
        var isForward = IsModuleForward(method);
        return new BodyModel(
            Documentation: method.Name,
            Modifiers: Modifiers(type, method),
            ReturnType: syntax.ReturnType.WithoutTrivia().ToString(),
            Name: syntax.Identifier.ValueText + syntax.TypeParameterList?.WithoutTrivia(),
            Parameters: string.Join(", ", syntax.ParameterList.Parameters.Select(p => p.WithoutTrivia().NormalizeWhitespace().ToString())),
            Arguments: ArgumentsOf(method),
            Constraints: string.Concat(syntax.ConstraintClauses.Select(c => " " + c.WithoutTrivia())),
            Body: body,
            File: syntax.SyntaxTree.FilePath,
            Line: position.Line + 1,
            Column: position.Character,
            Overrides: Overridden(method, syntax).ToEquatable(),
            WithHooks: isForward && reach.Hooked.Any(h => h.Lineage.Contains(type) || type.Lineage.Contains(h)),
            Sequence: isForward ? method.Parameters.Length : 0,
            Returns: !method.ReturnsVoid);
    }

    /// <summary>Whether a method implements TorchSharp's own abstract <c>forward</c>.</summary>
    private bool IsModuleForward(IMethodSymbol method)
    {
        var overridden = method;
        while (overridden.OverriddenMethod is { } next)
            overridden = next;
        return method.Name == "forward" && graph.Known.IsAbstractModule(overridden.ContainingType);
    }

    public static string ArgumentsOf(IMethodSymbol method) =>
        string.Join(", ", method.Parameters.Select(p => (p.RefKind switch { RefKind.Ref => "ref ", RefKind.Out => "out ", RefKind.In => "in ", _ => "" }) + p.Name));

    private static string Modifiers(ModelClass type, IMethodSymbol method)
    {
        var access = SyntaxFacts.GetText(method.DeclaredAccessibility);
        var isVirtual = (method.IsVirtual || method.IsOverride) && !type.Symbol.IsSealed && !method.IsSealed && method.DeclaredAccessibility != Accessibility.Private;
        return access + " " + (method.IsStatic ? "static " : "") + (method.IsAbstract ? "abstract " : isVirtual ? "virtual " : "") + (method.IsAsync ? "async " : "");
    }

    private IEnumerable<string> Overridden(IMethodSymbol method, SyntaxNode place)
    {
        for (var overridden = method.OverriddenMethod; overridden is not null; overridden = overridden.OverriddenMethod)
            if (reach.Methods.Contains(overridden.OriginalDefinition))
                yield return Display(overridden.ContainingType, place) + ".Adapter";
    }

    private IEnumerable<AbstractionModel> Abstractions(ModelClass type)
    {
        if (!abstractly.Contains(type) || type.Symbol.IsAbstract || graph.Known.ModuleBase(type.Symbol) is not { } moduleBase)
            yield break;
        var isCompiled = type.Lineage.Any(t => scanner.Scan(t).Any(m => reach.Methods.Contains(m.Symbol) && IsModuleForward(m.Symbol)));
        var arguments = moduleBase.TypeArguments.Select(a => a.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat)).ToList();
        if (isCompiled && arguments.Count is >= 2 and <= 5)
            yield return new AbstractionModel(string.Join(", ", arguments), arguments[arguments.Count - 1], arguments.Take(arguments.Count - 1).ToEquatable());
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
        return $"partial {keyword} {NameOf(type)}";
    }

    private static string NameOf(INamedTypeSymbol type) => type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat.WithMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers)
        .WithMemberOptions(SymbolDisplayMemberOptions.None)) is var name && type.ContainingType is not null ? name.Substring(name.LastIndexOf('.') + 1) : name;
}
