using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace PeftGen;

/// <summary>What stands at a place of a compiled class.</summary>
public enum MemberKind
{
    /// <summary>A layer whose calls are compiled: a built-in, a <c>Sequential</c>, or any <c>Module&lt;Tensor, Tensor&gt;</c>.</summary>
    Layer,

    /// <summary>A child of a compiled class.</summary>
    Child,

    /// <summary>A list or dictionary of layers.</summary>
    Layers,

    /// <summary>A list or dictionary of children of compiled classes.</summary>
    Children,

    /// <summary>A parameter whose reads are compiled.</summary>
    Parameter,

    /// <summary>A residual site; the host is the norm after the sum, if there is one.</summary>
    Residual,

    /// <summary>An attention site.</summary>
    Attention,

    /// <summary>What the class's forward returns.</summary>
    Output,

    /// <summary>The inputs of a root.</summary>
    Input,

    /// <summary>A child that code reaches through a loop or a variable, where nothing is compiled.</summary>
    Plain,
}

/// <summary>A place of a compiled class, paired with what stands there in one instance. Generated code lists them.</summary>
/// <param name="Kind">What stands there.</param>
/// <param name="Name">The name in the adapter's tree.</param>
/// <param name="Path">The path in checkpoints, relative to the class.</param>
/// <param name="Host">The module, parameter or container of this instance; null where the field is.</param>
public readonly record struct Member(MemberKind Kind, string Name, string Path, object? Host)
{
    /// <summary>A layer.</summary>
    /// <param name="name">The name in the adapter's tree.</param>
    /// <param name="host">The layer of this instance; null where the field is.</param>
    /// <param name="path">The path in checkpoints; null: the name.</param>
    public static Member Layer(string name, Module? host, string? path = null) => new(MemberKind.Layer, name, path ?? name, host);

    /// <summary>A child of a compiled class.</summary>
    /// <inheritdoc cref="Layer"/>
    public static Member Child(string name, Module? host, string? path = null) => new(MemberKind.Child, name, path ?? name, host);

    /// <summary>A list or dictionary of layers.</summary>
    /// <inheritdoc cref="Layer"/>
    public static Member Layers(string name, object? host, string? path = null) => new(MemberKind.Layers, name, path ?? name, host);

    /// <summary>A list or dictionary of children of compiled classes.</summary>
    /// <inheritdoc cref="Layer"/>
    public static Member Children(string name, object? host, string? path = null) => new(MemberKind.Children, name, path ?? name, host);

    /// <summary>A parameter.</summary>
    /// <inheritdoc cref="Layer"/>
    public static Member Parameter(string name, Parameter? host, string? path = null) => new(MemberKind.Parameter, name, path ?? name, host);

    /// <summary>A residual site.</summary>
    /// <param name="name">The name in the adapter's tree.</param>
    /// <param name="norm">The norm after the sum; null: none.</param>
    /// <param name="path">The path of the sub-layer whose output meets the residual, where that is a module of its own; empty: the class itself.</param>
    public static Member Residual(string name, Module? norm = null, string path = "") => new(MemberKind.Residual, name, path, norm);

    /// <summary>An attention site.</summary>
    /// <param name="name">The name in the adapter's tree.</param>
    public static Member Attention(string name) => new(MemberKind.Attention, name, "", null);

    /// <summary>What the class's forward returns.</summary>
    /// <param name="name">The name in the adapter's tree.</param>
    public static Member Output(string name) => new(MemberKind.Output, name, "", null);

    /// <summary>The inputs of a root.</summary>
    /// <param name="name">The name in the adapter's tree.</param>
    public static Member Input(string name) => new(MemberKind.Input, name, "", null);

    /// <summary>Whether the site stands in the class's code, and not beside something that the class holds.</summary>
    internal bool IsInCode => Kind is MemberKind.Residual or MemberKind.Attention or MemberKind.Output or MemberKind.Input;

    /// <summary>A child, or a list of children, without an adapter.</summary>
    /// <inheritdoc cref="Layer"/>
    public static Member Plain(string name, object? host, string? path = null) => new(MemberKind.Plain, name, path ?? name, host);

    /// <summary>The parts of a fused layer; null: what is known of its name.</summary>
    internal IReadOnlyList<string>? Parts { get; private init; }

    /// <summary>The same layer, as several in one; see <see cref="FusedAttribute"/>.</summary>
    /// <param name="parts">Their names, in the order of the layer's outputs.</param>
    public Member Fused(params string[] parts) => this with { Parts = parts };

    /// <summary>Whether the host holds modules by index or key.</summary>
    internal bool IsList => Kind is MemberKind.Layers or MemberKind.Children
        || (Kind == MemberKind.Plain && Host is not null && (Host is IEnumerable<Module?> or System.Collections.IDictionary || Host is not Module && Host is System.Collections.IEnumerable || IsModuleDict(Host)));

    /// <summary>The elements of a list or dictionary with their names in paths; of lists in lists those of all, as <c>0.1</c>.</summary>
    internal IEnumerable<(string name, Module module)> Elements() => Host is null ? [] : ElementsOf(Host);

    private IEnumerable<(string name, Module module)> ElementsOf(object container)
    {
        foreach (var (name, element) in Direct(container))
            if (element is Module module && !IsContainer(element))
                yield return (name, module);
            else if (element is not null)
                foreach (var (inner, nested) in ElementsOf(element))
                    yield return ($"{name}.{inner}", nested);
    }

    /// <summary>Whether an element is itself a list or dictionary of modules.</summary>
    private static bool IsContainer(object element)
    {
        if (element is not Module)
            return element is System.Collections.IEnumerable;
        for (var type = element.GetType(); type is not null; type = type.BaseType)
            if (type.IsGenericType && (type.GetGenericTypeDefinition() == typeof(ModuleList<>) || type.GetGenericTypeDefinition() == typeof(ModuleDict<>)))
                return true;
        return false;
    }

    private static bool IsModuleDict(object container) => container.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ModuleDict<>);

    private IEnumerable<(string name, object? element)> Direct(object container)
    {
        switch (container)
        {
            case Module registered when IsModuleDict(container):
                return registered.named_children().Select(child => (child.name, (object?)child.module));
            case System.Collections.IDictionary dictionary:
                return dictionary.Cast<System.Collections.DictionaryEntry>().Select(entry => ((string)entry.Key, entry.Value));
            case System.Collections.IEnumerable list:
                return list.Cast<object?>().Select((element, index) => (index.ToString(System.Globalization.CultureInfo.InvariantCulture), element));
            default:
                throw new AdapterException($"{Path}: {container.GetType()} is no list or dictionary of modules that can be walked. Use ModuleList, ModuleDict, a list or an array.");
        }
    }
}
