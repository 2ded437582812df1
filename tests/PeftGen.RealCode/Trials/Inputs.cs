using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.RealCode.Trials;

/// <summary>Finds inputs that a model's forward takes.</summary>
internal static class Inputs
{
    private const int MostTries = 200;

    /// <summary>The first inputs with which a model runs.</summary>
    /// <param name="model">The model.</param>
    /// <param name="forward">Its method.</param>
    /// <param name="failure">The last failure, where none was found.</param>
    public static object?[]? For(nn.Module model, MethodInfo forward, out string? failure)
    {
        failure = "no inputs for its forward";
        foreach (var inputs in Combinations(forward.GetParameters()).Take(MostTries))
        {
            try
            {
                if (TensorIn(forward.Invoke(model, inputs)) is not null)
                    return inputs;
                failure = "forward returns no tensor";
            }
            catch (TargetInvocationException e)
            {
                failure = e.InnerException!.Message.Split('\n')[0];
            }
        }

        return null;
    }

    /// <summary>The first floating tensor in what a forward returns: itself, in a tuple, a list, or an object's property.</summary>
    public static Tensor? TensorIn(object? output, int depth = 0) => output switch
    {
        Tensor tensor => tensor.is_floating_point() ? tensor : null,
        null or string => null,
        _ when depth > 2 => null,
        ITuple tuple => Enumerable.Range(0, tuple.Length).Select(i => TensorIn(tuple[i], depth + 1)).FirstOrDefault(t => t is not null),
        IEnumerable list => list.Cast<object?>().Select(item => TensorIn(item, depth + 1)).FirstOrDefault(t => t is not null),
        _ => output.GetType().GetProperties().Where(p => p.GetIndexParameters().Length == 0 && !p.PropertyType.IsPrimitive)
            .Select(p => TensorIn(p.GetValue(output), depth + 1)).FirstOrDefault(t => t is not null),
    };

    private static IEnumerable<object?[]> Combinations(ParameterInfo[] parameters)
    {
        IEnumerable<object?[]> all = [[]];
        foreach (var parameter in parameters)
            all = all.SelectMany(chosen => Candidates(parameter), (chosen, value) => chosen.Append(value).ToArray());
        return all;
    }

    private static IEnumerable<object?> Candidates(ParameterInfo parameter)
    {
        if (parameter.ParameterType == typeof(Tensor))
            return Tensors(parameter);
        if (parameter.HasDefaultValue)
            return [parameter.DefaultValue];
        if (Nullable.GetUnderlyingType(parameter.ParameterType) is not null)
            return [null];
        if (parameter.ParameterType == typeof(int) || parameter.ParameterType == typeof(long))
            return [Convert.ChangeType(0, parameter.ParameterType, System.Globalization.CultureInfo.InvariantCulture)];
        if (parameter.ParameterType.IsValueType)
            return [Activator.CreateInstance(parameter.ParameterType)];
        return [null, Instances.New(parameter.ParameterType, out _)];
    }

    private static IEnumerable<object?> Tensors(ParameterInfo parameter)
    {
        var name = parameter.Name?.ToUpperInvariant() ?? "";
        using var generator = new Generator(3);
        Tensor ids = randint(0, 16, [2, 5], dtype: ScalarType.Int64, generator: generator), positions = arange(5, dtype: ScalarType.Int64);
        Tensor[] floats = [rand([2, 5, SmallNumbers.Width], generator: generator), rand([2, SmallNumbers.Width], generator: generator), rand([2, 3, SmallNumbers.Width, SmallNumbers.Width], generator: generator),
            rand([2, SmallNumbers.Width, 4, 4], generator: generator), rand([2, SmallNumbers.Width, 5], generator: generator)];
        var isOptional = parameter.HasDefaultValue || new NullabilityInfoContext().Create(parameter).WriteState != NullabilityState.NotNull;
        if (name.Contains("MASK", StringComparison.Ordinal))
            return [.. isOptional ? new object?[] { null } : [], ones(2, 5), ones([2, 5], dtype: ScalarType.Int64), ones([5, 5], dtype: ScalarType.Bool).tril(), zeros(5, 5), zeros(2, 1, 5, 5)];
        if (name.Contains("POS", StringComparison.Ordinal) || name.Contains("CACHE", StringComparison.Ordinal))
            return [.. isOptional ? new object?[] { null } : [], positions, positions.unsqueeze(0), positions.expand(2, 5)];
        return parameter.HasDefaultValue ? [null] : [ids, .. floats, .. isOptional ? new object?[] { null } : []];
    }
}
