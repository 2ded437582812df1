using Microsoft.CodeAnalysis;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>What a root has besides its bodies: groups, factories, entries.</summary>
internal static class RootModelBuilder
{
    /// <summary>What the names of parameters tell.</summary>
    public static readonly IReadOnlyDictionary<string, string> RoleNames = new Dictionary<string, string>
    {
        ["input_ids"] = "InputIds", ["ids"] = "InputIds", ["tokens"] = "InputIds",
        ["attention_mask"] = "AttentionMask", ["mask"] = "AttentionMask",
        ["token_type_ids"] = "TokenTypeIds",
        ["decoder_input_ids"] = "DecoderInputIds",
        ["encoder_outputs"] = "EncoderOutputs", ["encoded"] = "EncoderOutputs",
        ["position_ids"] = "PositionIds",
        ["task_ids"] = "TaskIds",
        ["labels"] = "Labels",
    };

    public static RootModel Build(ModelClass type, List<DeclaredMethod> declared, string? input, ModelGraph graph, BodyScanner scanner, Reachability reach) => new(
        Record: FreeNames.Field(type, "adaptation"),
        ModuleBase: ModuleBase(type, graph, reach).ToDisplayString(FullNullable),
        Groups: Group.Of(declared).Select(group => BuildGroup(type, group)).ToEquatable(),
        Entries: Entries(type, graph, scanner, reach).ToEquatable(),
        Input: input);

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
    public static IEnumerable<EntryModel> Entries(ModelClass type, ModelGraph graph, BodyScanner scanner, Reachability reach)
    {
        var seen = new HashSet<string>();
        foreach (var scan in type.Lineage.SelectMany(scanner.Scan))
        {
            var method = scan.Symbol;
            if (!reach.Methods.Contains(method) || method.DeclaredAccessibility is not (Accessibility.Public or Accessibility.Internal) || method.IsStatic || method.IsGenericMethod)
                continue;
            var parameters = string.Join(", ", scan.Definition.ParameterList.Parameters.Select(p => Microsoft.CodeAnalysis.SyntaxNodeExtensions.NormalizeWhitespace(p.WithoutTrivia()).ToString()));
            if (!seen.Add($"{method.Name}({string.Join(",", method.Parameters.Select(p => p.Type.ToDisplayString()))})"))
                continue;
            yield return new EntryModel(
                method.DeclaredAccessibility == Accessibility.Public ? "public" : "internal",
                scan.Syntax.ReturnType.WithoutTrivia().ToString(), FormOf(method), scan.Syntax.Identifier.Text, parameters, ClassModelBuilder.ArgumentsOf(method),
                method.Parameters.Select(p => (p, role: RoleOf(p))).Where(p => p.role is not null && SymbolEqualityComparer.Default.Equals(p.p.Type, graph.Known.Tensor))
                    .Select(p => new InputModel(p.role!, Identifiers.Escape(p.p.Name), p.p.NullableAnnotation == NullableAnnotation.Annotated)).ToEquatable(),
                reach.IsModuleForward(method),
                method.Parameters.FirstOrDefault(p => KnownTypes.Implements(p.Type, graph.Known.TokenCache)) is { } cache ? Identifiers.Escape(cache.Name) : null,
                graph.Known.IsTensor(method.ReturnType));
        }
    }

    private static EntryForm FormOf(IMethodSymbol method)
    {
        var type = method.ReturnType;
        var isByValue = method.Parameters.All(p => p.RefKind == RefKind.None);
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
        return RoleNames.TryGetValue(parameter.Name, out var role) ? role : null;
    }
}
