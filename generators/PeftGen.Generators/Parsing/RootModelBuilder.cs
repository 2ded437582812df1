using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>What a root has besides its bodies: groups, factories, entries.</summary>
internal static class RootModelBuilder
{
    private const int CSharp13 = 1300;

    /// <summary>What the names of parameters tell, in whichever way they are written.</summary>
    public static readonly IReadOnlyDictionary<string, string> RoleNames = new Dictionary<string, string>
    {
        ["input_ids"] = "InputIds", ["ids"] = "InputIds", ["tokens"] = "InputIds", ["token_ids"] = "InputIds", ["input_tokens"] = "InputIds", ["idx"] = "InputIds",
        ["attention_mask"] = "AttentionMask", ["attn_mask"] = "AttentionMask", ["padding_mask"] = "AttentionMask", ["mask"] = "AttentionMask",
        ["token_type_ids"] = "TokenTypeIds", ["segment_ids"] = "TokenTypeIds",
        ["decoder_input_ids"] = "DecoderInputIds",
        ["encoder_outputs"] = "EncoderOutputs", ["encoded"] = "EncoderOutputs",
        ["position_ids"] = "PositionIds",
        ["task_ids"] = "TaskIds",
        ["labels"] = "Labels",
    };

    private static readonly Dictionary<string, string> _plainNames = RoleNames.ToDictionary(pair => Words.Plain(pair.Key), pair => pair.Value);

    public static RootModel Build(
        ModelClass type, List<DeclaredMethod> declared, string? input, string constraint, ModelGraph graph, BodyScanner scanner, Reachability reach, EmittedNames emitted) => new(
        Record: FreeNames.Field(type, "adaptation"),
        ModuleBase: ModuleBase(type, graph, reach).ToDisplayString(FullNullable),
        Groups: Group.Of(declared).Select(group => BuildGroup(type, group)).ToEquatable(),
        Entries: Entries(type, graph, scanner, reach, emitted).ToEquatable(),
        Input: input,
        Constraint: constraint,
        HasPriorities: (int)((CSharpParseOptions)type.Symbol.DeclaringSyntaxReferences[0].SyntaxTree.Options).LanguageVersion >= CSharp13);

    // Without a forward to override, the module with its adapter can only be any module.
    private static INamedTypeSymbol ModuleBase(ModelClass type, ModelGraph graph, Reachability reach) =>
        reach.ForwardOf(type) is not null && graph.Known.ModuleBase(type.Symbol) is { } generic ? generic : graph.Known.Module;

    private static SymbolDisplayFormat FullNullable { get; } =
        SymbolDisplayFormat.FullyQualifiedFormat.AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static GroupModel BuildGroup(ModelClass type, Group group)
    {
        var access = group.Methods.All(m => Visibility.OfMember(type.Symbol, m.Type) == "public") ? "public" : "internal";
        var parameters = new Dictionary<string, int>();
        var methods = group.Methods.Select(m => BuildMethod(m, group.Methods.Count, parameters)).ToEquatable();
        return new GroupModel(group.Type, access, group.Infix, methods, group.Methods.All(m => m.Merges));
    }

    private static DeclaredMethodModel BuildMethod(DeclaredMethod method, int count, Dictionary<string, int> parameters)
    {
        var parameter = "values";
        if (count > 1)
        {
            parameter = method.Name.ToLowerInvariant();
            parameters[parameter] = parameters.TryGetValue(parameter, out var used) ? used + 1 : 1;
            if (parameters[parameter] > 1)
                parameter += parameters[parameter];
        }

        return new DeclaredMethodModel(
            method.Type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat), parameter, DeclaredValues.Creation(method), $"[{method.Syntax.ToString()}]");
    }

    /// <summary>The methods by which a program runs a root through an adapter.</summary>
    public static IEnumerable<MethodScan> EntryMethods(ModelClass type, BodyScanner scanner, Reachability reach)
    {
        var seen = new HashSet<string>();
        return type.Lineage.SelectMany(scanner.Scan).Where(scan => reach.Methods.Contains(scan.Symbol)
            && scan.Symbol is { DeclaredAccessibility: Accessibility.Public or Accessibility.Internal, IsStatic: false, IsGenericMethod: false } method
            && seen.Add($"{method.Name}({string.Join(",", method.Parameters.Select(p => p.Type.ToDisplayString()))})"));
    }

    /// <summary>What slots can ask for of a method's parameters.</summary>
    public static IEnumerable<InputModel> InputsOf(IMethodSymbol method, ModelGraph graph) =>
        method.Parameters.Select(p => (p, role: RoleOf(p))).Where(p => p.role is not null && graph.Known.IsTensor(p.p.Type))
            .Select(p => new InputModel(p.role!, Identifiers.Escape(p.p.Name), p.p.NullableAnnotation == NullableAnnotation.Annotated));

    private static IEnumerable<EntryModel> Entries(ModelClass type, ModelGraph graph, BodyScanner scanner, Reachability reach, EmittedNames emitted)
    {
        var scans = EntryMethods(type, scanner, reach).ToList();
        foreach (var scan in scans)
        {
            // Where one that is declared further down would do, C# passes over what is declared further up, or overrides that.
            var depths = scans.Where(s => s.Symbol.Name == scan.Symbol.Name).Select(Depth).Distinct().OrderBy(d => d).ToList();
            yield return BuildEntry(type, scan, graph, reach, emitted) with { Rank = depths.IndexOf(Depth(scan)) };
        }

        int Depth(MethodScan scan) => graph.ClassOf(EmittedNames.RootOf(scan.Symbol).ContainingType)?.Lineage.Count() ?? 0;
    }

    private static EntryModel BuildEntry(ModelClass type, MethodScan scan, ModelGraph graph, Reachability reach, EmittedNames emitted)
    {
        var (method, name) = (scan.Symbol, scan.Syntax.Identifier.Text);
        return new EntryModel(
            Access: ((method.DeclaredAccessibility == Accessibility.Public ? "public " : "internal ") + ClassModelBuilder.UnsafeOf(scan)).TrimEnd(),
            ReturnType: scan.Syntax.ReturnType.WithoutTrivia().ToString(),
            Form: FormOf(method),
            Name: name,
            Base: BaseOf(type, method, name),
            Through: name + emitted.SuffixOf(method),
            Parameters: string.Join(", ", scan.Definition.ParameterList.Parameters.Select(p => p.WithoutTrivia().NormalizeWhitespace().ToString())),
            Arguments: ClassModelBuilder.ArgumentsOf(method),
            Inputs: InputsOf(method, graph).ToEquatable(),
            IsForward: reach.IsModuleForward(method),
            Cache: method.Parameters.FirstOrDefault(p => KnownTypes.Implements(p.Type, graph.Known.TokenCache)) is { } cache ? Identifiers.Escape(cache.Name) : null,
            ReturnsTensor: graph.Known.IsTensor(method.ReturnType),
            Rank: 0);
    }

    /// <summary>How the base's method is called: C# passes an override over where the class has another method of that name that would do.</summary>
    private static string BaseOf(ModelClass type, IMethodSymbol method, string name)
    {
        var root = method;
        while (root.OverriddenMethod is { } overridden)
            root = overridden;
        var isAlone = SymbolEqualityComparer.Default.Equals(root, method)
            || type.Lineage.SelectMany(t => t.Symbol.GetMembers(method.Name)).OfType<IMethodSymbol>().All(m => m.IsOverride && m.Parameters.Length == method.Parameters.Length);
        return isAlone ? name : $"(({root.ContainingType.ToDisplayString(FullNullable)})this).{name}";
    }

    private static EntryForm FormOf(IMethodSymbol method)
    {
        var type = method.ReturnType;
        // What is by reference lives no longer than the call.
        var isByValue = method.Parameters.All(p => p.RefKind == RefKind.None && !p.Type.IsRefLikeType && p.Type.TypeKind is not (TypeKind.Pointer or TypeKind.FunctionPointer));
        var awaited = isByValue && type.Name is "Task" or "ValueTask" && type.ContainingNamespace.ToDisplayString() == "System.Threading.Tasks";
        return method.ReturnsVoid ? EntryForm.Nothing
            : awaited ? type is INamedTypeSymbol { IsGenericType: true } ? EntryForm.TaskOfValue : EntryForm.Task
            : isByValue && type.OriginalDefinition.SpecialType == SpecialType.System_Collections_Generic_IEnumerable_T ? EntryForm.Items
            : isByValue && type is INamedTypeSymbol { Name: "IAsyncEnumerable", IsGenericType: true } ? EntryForm.AsyncItems
            : EntryForm.Value;
    }

    /// <summary>The role of a parameter, by its attribute or its name; null: none.</summary>
    public static string? RoleOf(IParameterSymbol parameter)
    {
        if (DeclaredMethod.AttributesOf(parameter, "InputAttribute").FirstOrDefault() is { } data)
            return data.AttributeConstructor?.Parameters[0].Type.GetMembers().OfType<IFieldSymbol>().FirstOrDefault(f => data.ConstructorArguments is [var given] && Equals(f.ConstantValue, given.Value))?.Name;
        return _plainNames.TryGetValue(Words.Plain(parameter.Name), out var role) ? role : null;
    }
}
