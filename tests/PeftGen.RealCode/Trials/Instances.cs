using System.Collections;
using System.Reflection;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.RealCode.Trials;

/// <summary>Makes objects of other people's classes, with small numbers.</summary>
internal static class Instances
{
    private const int Deepest = 6;

    /// <summary>An object of a class, by the first of its constructors that takes such values; null where none does, with the last failure.</summary>
    public static object? New(Type type, out string? failure, int depth = 0)
    {
        failure = type.IsAbstract || type.ContainsGenericParameters ? "abstract or generic" : depth > Deepest ? "too deep" : null;
        if (failure is not null)
            return null;
        failure = "no constructor";
        foreach (var declared in new[] { false, true })
        {
            foreach (var constructor in type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).OrderBy(c => IsCopy(c, type)).ThenByDescending(c => c.IsPublic))
            {
                try
                {
                    var made = constructor.Invoke([.. constructor.GetParameters().Select(p => ValueOf(p, declared, depth))]);
                    if (made is not nn.Module)
                        Shrink(made, depth);
                    return made;
                }
                catch (Exception e) when (e is TargetInvocationException or ArgumentException or NotSupportedException or MemberAccessException)
                {
                    failure = (e.InnerException ?? e).Message.Split('\n')[0];
                }
            }
        }

        return null;
    }

    /// <summary>A value for a parameter of a constructor.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="declared">Whether to take the default that the code declares, where it does.</param>
    /// <param name="depth">How many objects lie around this one.</param>
    private static object? ValueOf(ParameterInfo parameter, bool declared, int depth) =>
        declared && parameter.HasDefaultValue ? parameter.DefaultValue : ValueOf(parameter.ParameterType, parameter.Name ?? "", parameter.HasDefaultValue ? parameter.DefaultValue : null, depth);

    private static object? ValueOf(Type type, string name, object? declared, int depth)
    {
        if (Nullable.GetUnderlyingType(type) is not null)
            return declared;
        if (type == typeof(int) || type == typeof(long))
            return Convert.ChangeType(SmallNumbers.Of(name), type, System.Globalization.CultureInfo.InvariantCulture);
        if (type == typeof(double) || type == typeof(float))
            return Convert.ChangeType(SmallNumbers.Fraction(name), type, System.Globalization.CultureInfo.InvariantCulture);
        if (type == typeof(ScalarType))
            return declared ?? ScalarType.Float32;
        if (type == typeof(Device))
            return CPU;
        if (type == typeof(string))
            return declared ?? "model";
        if (type.IsValueType)
            return declared is not null ? (type.IsEnum ? Enum.ToObject(type, declared) : declared) : Activator.CreateInstance(type);
        if (declared is null && typeof(Delegate).IsAssignableFrom(type))
            return null;
        if (type == typeof(Tensor))
            return zeros(SmallNumbers.Width);
        if (type == typeof(int[]) || type == typeof(long[]))
            return type == typeof(int[]) ? new[] { SmallNumbers.Of(name), SmallNumbers.Of(name) } : new[] { (long)SmallNumbers.Of(name), SmallNumbers.Of(name) };
        if (type.IsAssignableFrom(typeof(TorchSharp.Modules.Linear)))
            return nn.Linear(SmallNumbers.Width, SmallNumbers.Width);
        if (type.IsArray)
            return Array.CreateInstance(type.GetElementType()!, 0);
        return New(type, out _, depth + 1);
    }

    /// <summary>Sets the numbers of a configuration.</summary>
    private static void Shrink(object configuration, int depth)
    {
        if (configuration is IEnumerable)
            return;
        foreach (var property in configuration.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Where(p => p.SetMethod is not null && p.GetIndexParameters().Length == 0))
            Set(property.PropertyType, property.Name, property.GetValue(configuration), value => property.SetValue(configuration, value), depth);
        foreach (var field in configuration.GetType().GetFields(BindingFlags.Instance | BindingFlags.Public).Where(f => !f.IsInitOnly))
            Set(field.FieldType, field.Name, field.GetValue(configuration), value => field.SetValue(configuration, value), depth);
    }

    // Flags, names and what is absent stay as the code has them.
    private static void Set(Type type, string name, object? now, Action<object?> set, int depth)
    {
        if (type == typeof(int) || type == typeof(long) || type == typeof(double) || type == typeof(float))
            set(ValueOf(type, name, null, depth));
        else if (now is null && type.IsClass && type.Assembly != typeof(object).Assembly && !typeof(nn.Module).IsAssignableFrom(type) && type != typeof(Tensor))
            set(ValueOf(type, name, null, depth + 1));
    }

    private static bool IsCopy(ConstructorInfo constructor, Type type) => constructor.GetParameters() is [{ ParameterType: var only }] && only == type;
}
