using Microsoft.CodeAnalysis;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>What a root has besides its bodies: groups, factories, entries.</summary>
internal static class RootModelBuilder
{
    private static readonly Dictionary<string, string> RoleNames = new()
    {
        ["input_ids"] = "InputIds", ["ids"] = "InputIds", ["tokens"] = "InputIds",
        ["attention_mask"] = "AttentionMask", ["mask"] = "AttentionMask",
        ["position_ids"] = "PositionIds",
        ["labels"] = "Labels",
    };

    public static RootModel Build(ModelClass type, List<DeclaredMethod> declared, ModelGraph graph, BodyScanner scanner, Reachability reach) => new(
        Record: FreeNames.Field(type, "adaptation"),
        ModuleBase: (graph.Known.ModuleBase(type.Symbol) ?? graph.Known.Module).ToDisplayString(FullNullable),
        Groups: declared.GroupBy(m => m.Group ?? "").Select(BuildGroup).ToEquatable(),
        Entries: Entries(type, graph, scanner, reach).ToEquatable());

    private static SymbolDisplayFormat FullNullable { get; } =
        SymbolDisplayFormat.FullyQualifiedFormat.AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static GroupModel BuildGroup(IGrouping<string, DeclaredMethod> group)
    {
        var methods = group.ToList();
        var infix = group.Key.Length == 0 ? "" : char.ToUpperInvariant(group.Key[0]) + group.Key.Substring(1);
        var name = infix.Length > 0 ? infix : string.Concat(methods.Select(m => m.Name).Distinct());
        var parameters = new Dictionary<string, int>();
        return new GroupModel(name + "Adapter", infix, methods.Select(m => BuildMethod(m, methods.Count, parameters)).ToEquatable(), methods.All(m => m.Merges));
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

    private static IEnumerable<EntryModel> Entries(ModelClass type, ModelGraph graph, BodyScanner scanner, Reachability reach)
    {
        var seen = new HashSet<string>();
        foreach (var scan in type.Lineage.SelectMany(scanner.Scan))
        {
            var method = scan.Symbol;
            if (!reach.Methods.Contains(method) || method.DeclaredAccessibility is not (Accessibility.Public or Accessibility.Internal) || method.IsStatic || method.IsGenericMethod)
                continue;
            var parameters = string.Join(", ", scan.Syntax.ParameterList.Parameters.Select(p => Microsoft.CodeAnalysis.SyntaxNodeExtensions.NormalizeWhitespace(p.WithoutTrivia()).ToString()));
            if (!seen.Add($"{method.Name}({string.Join(",", method.Parameters.Select(p => p.Type.ToDisplayString()))})"))
                continue;
            yield return new EntryModel(
                method.DeclaredAccessibility == Accessibility.Public ? "public" : "internal",
                scan.Syntax.ReturnType.WithoutTrivia().ToString(), !method.ReturnsVoid, method.Name, parameters, ClassModelBuilder.ArgumentsOf(method),
                method.Parameters.Select(p => (p, role: RoleOf(p))).Where(p => p.role is not null && SymbolEqualityComparer.Default.Equals(p.p.Type, graph.Known.Tensor))
                    .Select(p => new InputModel(p.role!, p.p.Name)).ToEquatable(),
                method.Name == "forward" && method.IsOverride);
        }
    }

    private static string? RoleOf(IParameterSymbol parameter)
    {
        if (DeclaredMethod.AttributesOf(parameter, "InputAttribute").FirstOrDefault() is { } data)
            return data.AttributeConstructor!.Parameters[0].Type.GetMembers().OfType<IFieldSymbol>().First(f => Equals(f.ConstantValue, data.ConstructorArguments[0].Value)).Name;
        return RoleNames.TryGetValue(parameter.Name, out var role) ? role : null;
    }
}
