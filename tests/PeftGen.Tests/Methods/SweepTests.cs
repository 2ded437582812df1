using System.Reflection;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>
/// Every property of every method, with several values, one at a time and in pairs drawn by chance: the adapter is made, runs, learns, is saved and loaded, and where it merges, merged is adapted. What is refused is
/// refused with a sentence when it is made.
/// </summary>
public sealed class SweepTests
{
    private const int Pairs = 120;
    private static readonly Dictionary<string, Func<AdaptAttribute>> _methods = new()
    {
        ["LoRA"] = () => new LoRA(2, 3, "q_proj,v_proj,embed_tokens"),
        ["MTLLoRA"] = () => new MTLLoRA(2, 2, targets: "q_proj,v_proj"),
        ["IA3"] = () => new IA3("k_proj,down_proj", "down_proj"),
        ["LNTuning"] = () => new LNTuning(),
        ["BitFit"] = () => new BitFit(),
        ["TrainableTokens"] = () => new TrainableTokens([1, 2]),
        ["Bottleneck"] = () => new Bottleneck(2, "mlp"),
        ["Houlsby"] = () => new Houlsby(2, "self_attn,mlp"),
        ["ParallelAdapter"] = () => new ParallelAdapter(2, "mlp"),
        ["AdapterPlus"] = () => new AdapterPlus(2, "mlp"),
        ["Compacter"] = () => new Compacter(2, "self_attn,mlp") { PhmDim = 2 },
        ["CompacterPlusPlus"] = () => new CompacterPlusPlus(2, "mlp") { PhmDim = 2 },
        ["PrefixTuning"] = () => new PrefixTuning(2, "self_attn"),
        ["AdaptionPrompt"] = () => new AdaptionPrompt(2, targets: "self_attn"),
        ["UniPELT"] = () => new UniPELT(2, 2, 2, "q_proj", "self_attn", "mlp") { Projection = 3 },
        ["MAM"] = () => new MAM(2, 2, "self_attn", "mlp") { Projection = 3 },
        ["PromptTuning"] = () => new PromptTuning(2),
        ["PTuning"] = () => new PTuning(2) { HiddenSize = 3 },
        ["MultitaskPromptTuning"] = () => new MultitaskPromptTuning(2, 2),
        ["EmbeddedPrompt"] = () => new EmbeddedPrompt(2),
        ["LoReFT"] = () => new LoReFT(2),
        ["NoReFT"] = () => new NoReFT(2),
        ["DiReFT"] = () => new DiReFT(2),
        ["Invertible"] = () => new Invertible(2, "embeddings", null),
    };

    // What a property's type does not tell. An empty list: the property is for other models.
    private static readonly Dictionary<string, object[]> _values = new()
    {
        ["Group"] = [], ["Submodules"] = [], ["Source"] = [], ["SourceTask"] = [], ["Exclude"] = [], ["Slices"] = [],
        // Of the call, and in no file.
        ["CutPrompt"] = [],
        ["ModulesToSave"] = ["head"], ["TaskType"] = ["CAUSAL_LM"], ["NonLinearity"] = ["gelu", "leakyrelu", "mish", "linear"],
        ["RankPattern"] = ["q_proj=1"], ["AlphaPattern"] = ["v_proj=5"], ["ReductionPattern"] = ["0=4"],
        ["Layers"] = [new[] { 0 }, 1, 2], ["LeaveOut"] = [new[] { 1 }], ["TrainableTokens"] = [new[] { 3, 1 }], ["StartTokens"] = [new[] { 3, 1 }],
        ["LayerLists"] = [], ["Width"] = [8], ["KeyWidth"] = [8], ["Projection"] = [0, 4], ["ProjectionInput"] = [5], ["HiddenSize"] = [0, 5], ["PhmDim"] = [1, 4],
    };

    private readonly Tensor _ids = tensor(new long[,] { { 1, 4, 7, 2 }, { 3, 5, 9, 10 } });
    private readonly ForwardOptions _options = new()
    {
        TaskIds = tensor(new long[] { 0, 1 }), Inputs = new Dictionary<InputRole, Tensor> { [InputRole.AttentionMask] = tensor(new long[,] { { 1, 1, 1, 1 }, { 1, 1, 1, 0 } }) },
    };

    public static TheoryData<string> Methods => [.. _methods.Keys];

    [Theory, MemberData(nameof(Methods))]
    public void One_value_at_a_time(string method)
    {
        Assert.True(Run(method, []), $"{method} is refused as it is");
        foreach (var change in ChangesOf(method))
            Run(method, [change]);
    }

    [Fact]
    public void Two_values_by_chance()
    {
        var random = new Random(20);
        var names = _methods.Keys.ToList();
        var ran = 0;
        for (var pair = 0; pair < Pairs; pair++)
        {
            var name = names[random.Next(names.Count)];
            if (ChangesOf(name) is not { Count: > 1 } changes)
                continue;
            ran += Run(name, [changes[random.Next(changes.Count)], changes[random.Next(changes.Count)]]) ? 1 : 0;
        }

        Assert.True(ran > Pairs / 2, $"only {ran} of {Pairs} were not refused");
    }

    private static List<(PropertyInfo property, object value)> ChangesOf(string method) =>
    [
        .. from property in _methods[method]().GetType().GetProperties()
           where property.SetMethod is { IsPublic: true }
           from value in ValuesOf(property)
           where value.GetType() == (Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType)
           select (property, value),
    ];

    private static IEnumerable<object> ValuesOf(PropertyInfo property) =>
        _values.TryGetValue(property.Name, out var values) ? values
        : property.PropertyType == typeof(bool) ? [true, false]
        : property.PropertyType.IsEnum ? Enum.GetValues(property.PropertyType).Cast<object>()
        : property.PropertyType == typeof(double) ? [0.25]
        : property.PropertyType == typeof(int) ? [1, 2]
        : throw new InvalidOperationException($"{property.DeclaringType!.Name}.{property.Name}: say which values a sweep is to try");

    /// <summary>Whether the values were not refused.</summary>
    private bool Run(string method, (PropertyInfo property, object value)[] changes)
    {
        using var scope = NewDisposeScope();
        var values = _methods[method]();
        foreach (var (property, value) in changes)
            property.SetValue(values, value);
        var model = new EveryMethodModel();
        AdapterNode adapter;
        try
        {
            adapter = (AdapterNode)Call(typeof(EveryMethodModel).GetMethod($"Create{method}Adapter")!, model, values, new Generator(3))!;
        }
        catch (AdapterException refused)
        {
            Assert.NotEmpty(refused.Message);
            return false;
        }

        try
        {
            Check(method, model, (EveryMethodModel.Adapter)adapter);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{values}: {e.Message}", e);
        }

        return true;
    }

    private void Check(string method, EveryMethodModel model, EveryMethodModel.Adapter adapter)
    {
        Fill.Normal(adapter, 2, 0.3);
        model.forward(adapter, _options, _ids).square().sum().backward();
        Assert.Contains(adapter.parameters(), p => p.grad is { } g && g.abs().sum().item<float>() > 0);
        Assert.All(model.parameters(), p => Assert.Null(p.grad));

        model.eval();
        adapter.eval();
        var adapted = model.forward(adapter, _options, _ids).detach();
        using var folder = new TempFolder();
        Call(typeof(AdapterFiles).GetMethod(nameof(AdapterFiles.Save))!.MakeGenericMethod(adapter.GetType()), null, adapter, folder.Path, null);
        var loaded = (EveryMethodModel.Adapter)Call(typeof(EveryMethodModel).GetMethod($"Load{method}Adapter")!, model, folder.Path)!;
        TensorAssert.Close(adapted, model.forward(loaded, _options, _ids), 1e-5, "loaded");

        if (adapter.GetType().GetMethod("MergeInto") is not { } merge || adapter.Slots().Any(slot => !slot.CanMerge))
            return;
        var before = model.forward(_ids).detach();
        Call(merge, adapter, model, true);
        TensorAssert.Close(adapted, model.forward(_ids), 1e-4, "merged");
        Call(adapter.GetType().GetMethod("UnmergeFrom")!, adapter, model);
        TensorAssert.Same(before, model.forward(_ids), "unmerged");
    }

    private static object? Call(MethodInfo method, object? target, params object?[] arguments) => method.Invoke(target, BindingFlags.DoNotWrapExceptions, null, arguments, null);
}
