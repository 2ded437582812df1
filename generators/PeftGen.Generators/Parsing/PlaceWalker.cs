using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Parsing;

/// <summary>What lies at a path below a root.</summary>
internal enum PlaceKind
{
    /// <summary>A layer, or a module whose class is known only at run time.</summary>
    Layer,

    /// <summary>A parameter within a built-in layer.</summary>
    LayerParameter,

    /// <summary>A parameter that a class of this compilation declares.</summary>
    Parameter,

    /// <summary>A module of a class of this compilation; its bodies may hold sites.</summary>
    Module,

    /// <summary>Something within a class of another assembly, which cannot be compiled here.</summary>
    Elsewhere,
}

/// <summary>A path below a root and what lies there.</summary>
/// <param name="Kind">What lies there.</param>
/// <param name="Path">The path; <c>*</c> stands for an index.</param>
/// <param name="Owner">The class that declares the child; of a module the class itself.</param>
/// <param name="Child">The child; null for a module.</param>
/// <param name="Type">The child's type.</param>
internal sealed record Place(PlaceKind Kind, string Path, ModelClass Owner, ModelChild? Child, ITypeSymbol? Type)
{
    public bool IsLinear { get; init; }

    /// <summary>Whether it is there in every model of the root: each on the way is declared by its own type, and none may be null.</summary>
    public bool IsCertain { get; init; }

    /// <summary>The linear layer of the user's own that lies there; null: none.</summary>
    public OwnLinear? OwnLinear { get; init; }

    /// <summary>Linear layers of the user's own that may stand there, where the declared type says nothing.</summary>
    public IReadOnlyList<OwnLinear> OwnLinears { get; init; } = [];

    /// <summary>The parts of a fused layer; null: it is none, or not known as one.</summary>
    public IReadOnlyList<string>? Parts => IsLinear ? Child?.Fused ?? FusedTable.Find(Path) : null;

    public TargetCandidate Candidate => new(Path, IsLinear) { Parts = Parts, Kind = Sort };

    /// <summary>What it is by its type.</summary>
    private CandidateKind Sort => Kind switch
    {
        PlaceKind.LayerParameter or PlaceKind.Parameter => CandidateKind.Parameter,
        PlaceKind.Module => CandidateKind.Module,
        _ when Type is null => CandidateKind.Any,
        _ when IsLinear => CandidateKind.Linear,
        PlaceKind.Layer => LayerKinds.Of(KnownTypes.Lineage(Type)),
        _ => CandidateKind.Any,
    };
}

/// <summary>Walks the classes below a root by the types of their fields.</summary>
internal sealed class PlaceWalker
{
    private const int MostPlaces = 20_000;
    private const int Deepest = 300;
    private readonly ModelGraph _graph;
    private readonly OwnLinears _linears;
    private readonly CancellationToken _cancel;
    private readonly int _mostOnPath;
    private readonly Dictionary<ModelClass, int> _onPath = [];
    private int _depth;

    private PlaceWalker(ModelGraph graph, OwnLinears linears, int mostOnPath, CancellationToken cancel)
    {
        _graph = graph;
        _linears = linears;
        _mostOnPath = mostOnPath;
        _cancel = cancel;
    }

    public List<Place> Places { get; } = [];

    /// <summary>What lies where, in which roles are looked for.</summary>
    public ModelShape Shape => field ??= new ModelShape(Places.Select(place => place.Candidate));

    /// <summary>Whether all places were met: of a very large model some are left out.</summary>
    public bool IsComplete { get; private set; } = true;

    /// <summary>For each class met, the classes that hold it.</summary>
    public Dictionary<ModelClass, HashSet<ModelClass>> Holders { get; } = [];

    /// <summary>What of other assemblies may hold more than can be seen: fields of their classes, and classes that derive from theirs.</summary>
    public List<Place> Foreign { get; } = [];

    /// <summary>Classes met where only an abstract type is declared.</summary>
    public HashSet<ModelClass> Abstractly { get; } = [];

    /// <summary>Classes that stand below the root for sure: each on the way is declared by its own type.</summary>
    public HashSet<ModelClass> Certain { get; } = [];

    /// <summary>Walks.</summary>
    /// <param name="graph">The classes.</param>
    /// <param name="linears">Linear layers of the user's own.</param>
    /// <param name="root">Where to begin.</param>
    /// <param name="methods">What is declared on the root. A class may hold itself, at any depth: twice on one path shows every pair of neighbours, and targets may name more.</param>
    /// <param name="annotated">All annotated classes.</param>
    /// <param name="cancel">Ends it early.</param>
    public static PlaceWalker Walk(
        ModelGraph graph, OwnLinears linears, ModelClass root, IEnumerable<DeclaredMethod> methods, ISet<INamedTypeSymbol> annotated, CancellationToken cancel)
    {
        var depths = methods.SelectMany(m => m.Claims).SelectMany(c => c.Targets.Items).Select(i => i.Pattern?.Depth ?? 0);
        var walker = new PlaceWalker(graph, linears, Math.Min(Deepest, depths.Append(2).Max()), cancel);
        walker.WalkClass(root, "", null, root, true);
        // A model may also be of a class that derives from the root.
        foreach (var derived in graph.DerivedFrom(root).Where(type => !annotated.Contains(type.Symbol)).ToList())
            walker.WalkClass(derived, "", null, null, false);
        return walker;
    }

    /// <param name="type">What may stand there.</param>
    /// <param name="path">The path.</param>
    /// <param name="holder">The class that holds it; null: it is the root.</param>
    /// <param name="sure">The class whose members are there in every model; null: there may be nothing.</param>
    /// <param name="isCertain">Whether each class on the way is declared by its own type.</param>
    private void WalkClass(ModelClass type, string path, ModelClass? holder, ModelClass? sure, bool isCertain)
    {
        _cancel.ThrowIfCancellationRequested();
        var isNew = !Holders.TryGetValue(type, out var holders);
        if (holders is null)
            Holders[type] = holders = [];
        if (holder is not null)
            holders.Add(holder);
        if (isCertain)
            Certain.UnionWith(type.Lineage);

        _onPath.TryGetValue(type, out var times);
        if (times >= _mostOnPath)
            return;
        // Of what is too much to be met at every path, each class is met at one.
        if (_depth >= Deepest || (Places.Count > MostPlaces && !isNew))
        {
            IsComplete = false;
            return;
        }

        _onPath[type] = times + 1;
        _depth++;
        Places.Add(new Place(PlaceKind.Module, path, type, null, type.Symbol) { IsCertain = sure == type });
        if (type.Lineage.Last().Symbol.BaseType is { } above && IsForeign(above))
        {
            Foreign.Add(new Place(PlaceKind.Elsewhere, path, type, null, above));
            WalkForeign(type, null, above, path, 0);
        }

        foreach (var ancestor in type.Lineage)
            foreach (var child in ancestor.Own)
                foreach (var element in child.ElementPaths(SequentialNames.In(ancestor.Symbol, child.IsDictionary)))
                    WalkChild(type, ancestor, child, Join(path, element), isCertain, sure?.Lineage.Contains(ancestor) == true && !child.IsNullable);
        _onPath[type] = times;
        _depth--;
    }

    private void WalkChild(ModelClass holder, ModelClass owner, ModelChild child, string path, bool isCertain, bool isThere)
    {
        switch (child.Shape)
        {
            case ChildShape.Parameter:
                Places.Add(new Place(PlaceKind.Parameter, path, owner, child, child.Type) { IsCertain = isThere });
                return;
            case ChildShape.BuiltIn:
                AddLayer(owner, child, path, child.Type, isThere);
                if (IsForeign(child.Type))
                {
                    Foreign.Add(new Place(PlaceKind.Elsewhere, path, owner, child, child.Type));
                    WalkForeign(owner, child, (INamedTypeSymbol)child.Type, path, 0);
                }

                return;
            case ChildShape.Composite when _linears.Of(child.Type) is { } linear:
                Places.Add(new Place(PlaceKind.Layer, path, owner, child, child.Type) { IsLinear = true, OwnLinear = linear, IsCertain = isThere });
                break;
            case ChildShape.Sequential:
                foreach (var name in SequentialNames.In(owner.Symbol).Append("*"))
                    AddLayer(owner, child, Join(path, name), null, false);
                break;
            case ChildShape.Abstract when _graph.Known.IsTensorToTensor(child.Type):
                AddLayer(owner, child, path, null, false);
                goto case ChildShape.Sequential;
        }

        foreach (var candidate in _graph.Candidates(child).ToList())
        {
            var isNew = !Holders.ContainsKey(candidate);
            if (child.Shape != ChildShape.Composite)
                Abstractly.Add(candidate);
            // Any class may stand in an abstract place: those already met are linked, but not walked at every path again.
            if (isNew || child.Shape == ChildShape.Composite || !_onPath.ContainsKey(candidate) || _onPath[candidate] == 0)
                WalkClass(candidate, child.Shape == ChildShape.Sequential ? Join(path, "*") : path, holder, isThere && child.Shape == ChildShape.Composite ? _graph.ClassOf(child.Type) : null, isCertain && child.Shape == ChildShape.Composite);
            else
                Holders[candidate].Add(holder);
        }
    }

    private void AddLayer(ModelClass owner, ModelChild child, string path, ITypeSymbol? type, bool isThere)
    {
        var own = type is null ? _graph.Candidates(child).Select(candidate => _linears.Of(candidate.Symbol)).OfType<OwnLinear>().ToList() : [];
        Places.Add(new Place(PlaceKind.Layer, path, owner, child, type) { IsLinear = type is null || _graph.Known.IsLinear(type), IsCertain = isThere, OwnLinears = own });
        foreach (var parameter in _graph.Known.ParametersOf(type))
            Places.Add(new Place(PlaceKind.LayerParameter, Join(path, parameter), owner, child, type) { IsCertain = isThere });
    }

    /// <summary>Whether a class is of another assembly than TorchSharp's and this library's, whose layers are known.</summary>
    private bool IsForeign(ITypeSymbol type) => !SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, _graph.Known.Adapt.ContainingAssembly) &&
        !SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, _graph.Known.Module.ContainingAssembly);

    private void WalkForeign(ModelClass owner, ModelChild? child, INamedTypeSymbol type, string path, int depth)
    {
        foreach (var field in type.GetMembers().OfType<IFieldSymbol>().Where(f => !f.IsStatic && _graph.Known.IsModule(f.Type)))
        {
            var inner = Join(path, (field.AssociatedSymbol ?? field).Name);
            Places.Add(new Place(PlaceKind.Elsewhere, inner, owner, child, type));
            if (depth < 4 && field.Type is INamedTypeSymbol named && IsForeign(named))
                WalkForeign(owner, child, named, inner, depth + 1);
        }
    }

    private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
}
