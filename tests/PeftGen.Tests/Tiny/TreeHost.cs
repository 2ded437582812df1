using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Tiny;

/// <summary>
/// The modules of a checkpoint without their code: layers by the names and shapes of its tensors. Adapters can be created beside it,
/// saved and loaded, not run.
/// </summary>
public sealed class TreeHost : nn.Module, IAdaptable
{
    private readonly BaseRecord _record = new();

    private TreeHost(IReadOnlyList<(string[] path, long[] shape)> tensors) : base(nameof(TreeHost))
    {
        foreach (var child in tensors.GroupBy(t => t.path[0]))
        {
            var below = child.Select(t => (path: t.path[1..], t.shape)).ToList();
            if (below is [([], var shape)])
                register_parameter(child.Key, nn.Parameter(zeros(shape)));
            else
                register_module(child.Key, LayerOf(child.Key, below) ?? new TreeHost(below));
        }
    }

    public static TreeHost Of(string modelFolder)
    {
        using var file = SafetensorsFile.Open(Path.Combine(modelFolder, "model.safetensors"));
        return new TreeHost(file.Names.Select(name => (name.Split('.'), file.Entry(name).Shape)).ToList());
    }

    public TreeAdapter Load(string directory, IReadOnlyList<AdaptAttribute> declared) => _record.Load(this, new TreeAdapter(), declared, directory);

    public TreeAdapter Create(params AdaptAttribute[] values) => _record.Create(this, new TreeAdapter(), values, null);

    public AdapterNode NewAdapterNode() => new TreeAdapter();

    /// <summary>The built-in layer that has these tensors; null where they are a module's of the model's own.</summary>
    private static nn.Module? LayerOf(string name, List<(string[] path, long[] shape)> tensors)
    {
        if (tensors.Any(t => t.path.Length != 1) || tensors.All(t => t.path[0] != "weight"))
            return null;
        var weight = tensors.First(t => t.path[0] == "weight").shape;
        var bias = tensors.Count == 2;
        return weight.Length switch
        {
            2 when name.Contains("embed", StringComparison.Ordinal) => nn.Embedding(weight[0], weight[1]),
            2 => nn.Linear(weight[1], weight[0], bias),
            1 when bias => nn.LayerNorm(weight[0]),
            _ => null,
        };
    }

    /// <summary>The adapter of such a tree: a layer, child or parameter at every place, and BERT's residual and attention sites.</summary>
    public sealed class TreeAdapter : AdapterNode, IAdapter
    {
        protected override AdapterNode New() => new TreeAdapter();

        protected override IEnumerable<Member> Members(nn.Module host)
        {
            foreach (var (name, module) in host.named_children())
                yield return module is TreeHost ? Member.Child(name, module) : Member.Layer(name, module);
            foreach (var (name, parameter) in host.named_parameters(recurse: false))
                yield return Member.Parameter(name, parameter);
            var children = host.named_children().ToDictionary(child => child.name, child => child.module);
            if (children.ContainsKey("dense") && children.TryGetValue("LayerNorm", out var norm))
                yield return Member.Residual("residual", norm);
            if (children.ContainsKey("query"))
                yield return Member.Attention("attach");
        }
    }
}
