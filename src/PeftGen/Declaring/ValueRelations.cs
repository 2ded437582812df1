namespace PeftGen;

/// <summary>On a property of a method: its value counts only where another property is set, so elsewhere it is a warning.</summary>
/// <remarks>A property is set where it is neither null, false, 0 nor empty. What the declaration does not say counts as not set, so the other property's default has to be none of these.</remarks>
/// <param name="property">The name of the other property.</param>
/// <param name="values">The values with which it counts; none: any that is set.</param>
[AttributeUsage(AttributeTargets.Property, AllowMultiple = true)]
public sealed class OnlyWithAttribute(string property, params object[] values) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Property { get; } = property;

    /// <summary>The values with which it counts; none: any that is set.</summary>
    public IReadOnlyList<object> Values { get; } = values;
}

/// <summary>On a property of a method: its value does not count where a declaration sets another property as well, so that is a warning.</summary>
/// <param name="property">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property, AllowMultiple = true)]
public sealed class OverriddenByAttribute(string property) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Property { get; } = property;
}

/// <summary>On a property of a method, or on an enum's member that it may have: adapters cannot be made unless another property is set, too, so that is an error.</summary>
/// <param name="property">The name of the other property.</param>
/// <param name="values">The values that it may have; none: any that is set, see <see cref="OnlyWithAttribute"/>.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field, AllowMultiple = true)]
public sealed class RequiresAttribute(string property, params object[] values) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Property { get; } = property;

    /// <summary>The values that it may have; none: any that is set.</summary>
    public IReadOnlyList<object> Values { get; } = values;
}

/// <summary>On a method: adapters cannot be made unless one of some properties is set, so a declaration without is an error.</summary>
/// <param name="properties">The names of properties that are constructor parameters; see <see cref="OnlyWithAttribute"/> for what is set.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class AtLeastOneAttribute(params string[] properties) : Attribute
{
    /// <summary>The properties' names.</summary>
    public IReadOnlyList<string> Properties { get; } = properties;
}

/// <summary>On a property of a method that takes names: those that there are, in any case; others are an error.</summary>
/// <param name="names">The names, separated by commas.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OneOfAttribute(string names) : Attribute
{
    /// <summary>The names, separated by commas.</summary>
    public string Names { get; } = names;
}

/// <summary>On a property of a method that lists numbers: each may be there once; others are an error.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class DistinctAttribute : Attribute;
