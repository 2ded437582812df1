using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>
/// The names of what is emitted into classes. A compiled method has a name that the user's code nowhere has, and that no other compiled method of the object has:
/// so no call of the user's is taken for one of it, and none of it for another.
/// </summary>
internal sealed class EmittedNames
{
    private static readonly string[] _nodes = ["Adapter", "AdapterParts", "AdapterTree"];
    private readonly Dictionary<ISymbol, int> _numbers = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ModelClass, string> _nodeNames = [];
    private readonly HashSet<string> _members;
    private readonly ModelGraph _graph;
    private readonly string _suffix;

    /// <param name="graph">The classes.</param>
    /// <param name="scanner">Their bodies.</param>
    /// <param name="reach">What is compiled.</param>
    public EmittedNames(ModelGraph graph, BodyScanner scanner, Reachability reach)
    {
        _graph = graph;
        _members = [.. MembersOf(graph.Known.AdapterNode)];
        var roots = new HashSet<ISymbol>(reach.Methods.OfType<IMethodSymbol>().Select(RootOf), SymbolEqualityComparer.Default).Cast<IMethodSymbol>().ToList();
        var derived = reach.Classes.ToDictionary(type => type, type => graph.DerivedFrom(type).Prepend(type).ToList());
        var words = derived.Values.SelectMany(types => types).SelectMany(type => type.Lineage).Distinct().ToDictionary(type => type, type => FreeNames.Words(type.Symbol));

        var names = new HashSet<string>(roots.Select(SimpleName)) { "forward", "call" };
        var taken = new HashSet<string>(words.Values.SelectMany(w => w).Select(word => word.TrimEnd('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')));
        _suffix = Enumerable.Range(0, int.MaxValue).Select(i => i == 0 ? "Through" : i == 1 ? "ThroughAdapter" : "ThroughAdapter" + new string('_', i - 1))
            .First(suffix => !names.Any(name => taken.Contains(name + suffix)));
        Number(roots);

        foreach (var type in reach.Classes)
            _nodeNames[type] = _nodes.First(name => name == _nodes[_nodes.Length - 1] || !derived[type].Any(t => words[t].Contains(name) && Meanings.Has(scanner, t, name)));
    }

    /// <summary>The name of the class of nodes that is nested in a class: <c>Adapter</c>, unless the user's code calls something else so.</summary>
    public string NodeOf(ITypeSymbol type) => _graph.ClassOf(type) is { } module && _nodeNames.TryGetValue(module, out var name) ? name : _nodes[0];

    /// <summary>The property of a node for one of the class's places: its name, unless nodes have a member of that name themselves.</summary>
    public string PropertyOf(ModelClass owner, string place)
    {
        var name = place;
        while (_members.Contains(name) || name == NodeOf(owner.Symbol) || (name != place && owner.Children.Any(child => child.Name == name)))
            name += "Place";
        return Identifiers.Escape(name);
    }

    /// <summary>Whether nodes have a member of a name.</summary>
    public bool IsMember(string name) => _members.Contains(name);

    /// <summary>What is put after the name of a method to call it as compiled.</summary>
    public string SuffixOf(IMethodSymbol method) => _suffix + (_numbers.TryGetValue(RootOf(method), out var number) && number > 1 ? number.ToString(System.Globalization.CultureInfo.InvariantCulture) : "");

    /// <summary>The compiled form of TorchSharp's own <c>forward</c> and <c>call</c>.</summary>
    public string OfModule(string verb) => verb + _suffix;

    /// <summary>Methods of one name in one object are numbered; the module's own forward is the first.</summary>
    private void Number(List<IMethodSymbol> roots)
    {
        var ordered = roots.Select(root => (root, type: _graph.ClassOf(root.ContainingType), place: root.DeclaringSyntaxReferences.FirstOrDefault()))
            .OrderBy(r => r.type?.Lineage.Count() ?? 0).ThenBy(r => r.place?.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(r => r.place?.Span.Start ?? 0);
        var before = new List<(string name, ModelClass type, int number)>();
        foreach (var (root, type, _) in ordered)
        {
            if (type is null)
                continue;
            var name = SimpleName(root);
            var related = before.Where(b => b.name == name && (b.type.Lineage.Contains(type) || type.Lineage.Contains(b.type))).Select(b => b.number).ToList();
            var number = name is "forward" or "call" && _graph.Known.ModuleBase(type.Symbol) is not null ? 2 : 1;
            while (related.Contains(number))
                number++;
            _numbers[root] = number;
            before.Add((name, type, number));
        }
    }

    private static IEnumerable<string> MembersOf(INamedTypeSymbol? type)
    {
        for (var current = type; current is not null; current = current.BaseType)
            foreach (var member in current.GetMembers().Where(m => m.DeclaredAccessibility is Accessibility.Public or Accessibility.Protected or Accessibility.ProtectedOrInternal && m.CanBeReferencedByName))
                yield return member.Name;
    }

    /// <summary>The declaration that a method overrides in the end.</summary>
    public static IMethodSymbol RootOf(IMethodSymbol method)
    {
        var root = method.OriginalDefinition;
        while (root.OverriddenMethod is { } overridden)
            root = overridden.OriginalDefinition;
        return root;
    }

    private static string SimpleName(IMethodSymbol method) => method.Name.Substring(method.Name.LastIndexOf('.') + 1);
}
