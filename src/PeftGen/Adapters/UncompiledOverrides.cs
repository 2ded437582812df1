using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Classes that derive from a compiled one and are not compiled themselves: of what they override, the compiled code knows the base's alone.</summary>
internal static class UncompiledOverrides
{
    private const BindingFlags Own = BindingFlags.DeclaredOnly | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private static readonly ConcurrentDictionary<Type, string?> _found = new();

    /// <summary>Refuses a module that overrides what an adapter runs.</summary>
    /// <param name="module">The module.</param>
    /// <param name="path">Where it stands, for messages.</param>
    /// <exception cref="AdapterException">It does.</exception>
    public static void Refuse(nn.Module module, string path)
    {
        if (module is IAdaptable adaptable && _found.GetOrAdd(module.GetType(), type => Find(type, adaptable)) is { } what)
            throw new AdapterException(path.Length == 0 ? what : $"{path}: {what}");
    }

    private static string? Find(Type type, IAdaptable adaptable)
    {
        using var node = adaptable.NewAdapterNode();
        if (node.GetType().DeclaringType is not { } compiled)
            return null;
        var above = type;
        while (above is not null && Definition(above) != compiled)
            above = above.BaseType;
        if (above is null)
            return null;
        var known = Lineage(above).SelectMany(Methods).Where(IsCompiled).ToList();
        for (var current = type; current != above; current = current!.BaseType)
            if (Methods(current!).FirstOrDefault(method => Replaces(method) && known.Any(k => IsFormOf(k, method))) is { } method)
                return $"a {type.Name} derives from {above.Name} and has a {method.Name} of its own, which an adapter cannot run: it would run {above.Name}'s. " +
                    $"Declare {current!.Name} 'partial' where {above.Name} is compiled, or give it the attributes of a model there. In another assembly, hold a {above.Name} in a field and call it.";
        return null;
    }

    private static bool Replaces(MethodInfo method) => method.GetBaseDefinition() != method || method is { IsPublic: true, IsSpecialName: false };

    /// <summary>Whether a method was emitted to run one of the user's through a node.</summary>
    private static bool IsCompiled(MethodInfo method) =>
        method.GetParameters() is [var node, var context, ..] && node.ParameterType.IsAssignableTo(typeof(AdapterNode)) && context.ParameterType == typeof(ForwardContext);

    private static bool IsFormOf(MethodInfo compiled, MethodInfo method) => compiled.Name.StartsWith(method.Name, StringComparison.Ordinal)
        && (!compiled.IsPrivate || method.GetBaseDefinition() != method)
        && compiled.GetParameters().Skip(2).Select(p => p.ParameterType).SequenceEqual(method.GetParameters().Select(p => p.ParameterType));

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "What an override does matters only where the program keeps it.")]
    private static MethodInfo[] Methods(Type type) => type.GetMethods(Own);

    private static IEnumerable<Type> Lineage(Type type)
    {
        for (var current = type; current is not null; current = current.BaseType)
            yield return current;
    }

    private static Type Definition(Type type) => type.IsGenericType ? type.GetGenericTypeDefinition() : type;
}
