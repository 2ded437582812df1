using System.Reflection;
using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using PeftGen.Generation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>A host that was compiled with a declaration: its generated members, by reflection.</summary>
public sealed class CompiledHost
{
    private readonly Type _type;

    /// <param name="type">The class.</param>
    /// <param name="folder">The weights.</param>
    /// <param name="dtype">What to compute in.</param>
    public CompiledHost(Type type, string folder, ScalarType dtype = ScalarType.Float32)
    {
        _type = type;
        var load = type.GetMethod("FromPretrained") ?? throw new ParityException($"{type.Name} has no FromPretrained");
        Model = (nn.Module)Call(load, null, [folder, .. load.GetParameters().Skip(1).Select(p => p.ParameterType == typeof(ScalarType) ? dtype : p.DefaultValue)])!;
        Model.eval();
    }

    public nn.Module Model { get; }

    /// <summary>The model alone.</summary>
    public Tensor Run(Inputs inputs) => Logits(Forward().Invoke(Model, BindingFlags.DoNotWrapExceptions, null, inputs.For(Forward().GetParameters()), null));

    /// <summary>The model through an adapter.</summary>
    public Tensor Run(AdapterNode adapter, Inputs inputs, ForwardOptions? options = null)
    {
        var method = AdaptedForward();
        options = new ForwardOptions { Inputs = options?.Inputs, Records = options?.Records, TaskIds = inputs.TaskIds };
        return Logits(method.Invoke(Model, BindingFlags.DoNotWrapExceptions, null, [adapter, options, .. inputs.For(method.GetParameters()[2..])], null));
    }

    /// <summary>The model as a step of generation, with a cache of its own.</summary>
    /// <param name="adapter">The adapter; null: the model alone.</param>
    public GenerationStep Step(AdapterNode? adapter)
    {
        var method = adapter is null ? Forward() : AdaptedForward();
        var cacheType = method.GetParameters().FirstOrDefault(p => p.Name == "cache")?.ParameterType ?? throw new UnsupportedException($"{_type.Name} has no cache");
        var cache = Activator.CreateInstance(cacheType);
        return (ids, mask) => Logits(method.Invoke(Model, BindingFlags.DoNotWrapExceptions, null, [.. method.GetParameters().Select(p => p.Name switch
        {
            "input_ids" => ids,
            "attention_mask" => mask,
            "cache" => cache,
            _ => typeof(AdapterNode).IsAssignableFrom(p.ParameterType) ? adapter : p.HasDefaultValue ? p.DefaultValue : null,
        })], null));
    }

    /// <summary>A fresh adapter with the declared values.</summary>
    public AdapterNode Create(ulong seed)
    {
        var method = _type.GetMethod("CreateAdapter")!;
        using var generator = new Generator(seed);
        var adapter = (AdapterNode)Call(method, Model, method.GetParameters().Select(p => p.ParameterType == typeof(Generator) ? (object?)generator : null).ToArray())!;
        adapter.eval();
        return adapter;
    }

    public AdapterNode Load(string folder, string group = "")
    {
        var adapter = (AdapterNode)Call(_type.GetMethod($"Load{Infix(group)}Adapter")!, Model, [folder])!;
        adapter.eval();
        return adapter;
    }

    /// <summary>Whether the adapter's type has a merge at all.</summary>
    public bool CanMerge(AdapterNode adapter) => adapter.GetType().GetMethod("MergeInto") is not null;

    public void Merge(AdapterNode adapter) => Call(adapter.GetType().GetMethod("MergeInto")!, adapter, [Model, true]);

    public void Unmerge(AdapterNode adapter) => Call(adapter.GetType().GetMethod("UnmergeFrom")!, adapter, [Model]);

    /// <summary>
    /// The loss as the host computes it: next token, or the token itself, over labels that are not −100, or classification. Of pairs, which have no
    /// labels, the mean over how well each text fits its own image.
    /// </summary>
    public static Tensor Loss(Tensor logits, Inputs inputs)
    {
        if (inputs.ArePairs)
            return logits.diagonal().mean();
        var labels = inputs.Labels;
        if (labels.dim() == 1)
            return nn.functional.cross_entropy(logits, labels);
        // Positions that an adapter puts in front are nobody's to predict.
        if (logits.shape[1] > labels.shape[1])
            labels = cat([full([labels.shape[0], logits.shape[1] - labels.shape[1]], -100, labels.dtype), labels], 1);
        if (inputs.HasDecoder || inputs.ArePlaced)
            return nn.functional.cross_entropy(Wide(logits.flatten(0, 1)), labels.flatten(), ignore_index: -100);
        var predicted = Wide(logits[TensorIndex.Colon, TensorIndex.Slice(null, -1)].reshape(-1, logits.shape[^1]));
        return nn.functional.cross_entropy(predicted, labels[TensorIndex.Colon, TensorIndex.Slice(1)].reshape(-1), ignore_index: -100);
    }

    private static Tensor Wide(Tensor logits) => logits.dtype == ScalarType.Float64 ? logits : logits.to(ScalarType.Float32);

    private MethodInfo Forward() => _type.GetMethods().First(m => m.Name == "forward" && !m.GetParameters().Any(p => typeof(AdapterNode).IsAssignableFrom(p.ParameterType)));

    private MethodInfo AdaptedForward() => _type.GetMethods()
        .Single(m => m is { Name: "forward", IsGenericMethodDefinition: true } && m.GetParameters() is [{ ParameterType: { IsGenericType: true } adapter }, var options, ..]
            && adapter.GetGenericTypeDefinition() == typeof(AdapterOf<>) && options.ParameterType == typeof(ForwardOptions))
        .MakeGenericMethod(_type);

    private static string Infix(string group) => group.Length == 0 ? "" : char.ToUpperInvariant(group[0]) + group[1..];

    private static Tensor Logits(object? output) => output as Tensor ?? throw new ParityException($"forward returned {output?.GetType().Name ?? "nothing"}, expected a tensor of logits");

    private static object? Call(MethodInfo method, object? target, object?[] arguments) => method.Invoke(target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
}
