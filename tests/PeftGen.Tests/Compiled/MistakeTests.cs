using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>What people get wrong is answered with a sentence that says what to do.</summary>
public sealed class MistakeTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TempFolder _folder = new();
    private readonly SizedModel _model = new(4);
    private readonly Tensor _x = rand(2, 4);

    public void Dispose()
    {
        _folder.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void A_disposed_adapter()
    {
        var adapter = _model.CreateAdapter();
        var other = _model.CreateAdapter();
        var stack = Stack.Of(adapter, other);
        var with = _model.With(adapter);
        adapter.Dispose();
        const string Message = "the adapter is disposed, so its numbers are gone";
        Says(Message, () => _model.forward(adapter, _x));
        Says(Message, () => _model.With(adapter));
        Says(Message, () => with.forward(_x));
        Says(Message, () => _model.forward(stack, _x));
        Says(Message, () => Stack.Of(adapter, other));
        Says(Message, () => Rows.Of(adapter, null));
        Says(Message, () => adapter.Save(_folder.Path));
        Says(Message, () => adapter.SaveAsAdapterHub(_folder.Path));
        Says(Message, () => adapter.MergeInto(_model));
        Says(Message, () => adapter.TrainingState());
        Says(Message, () => adapter.Eject());
        Assert.Empty(_folder.FileNames);
    }

    [Fact]
    public void No_adapter()
    {
        const string Message = "the adapter is null";
        Says(Message, () => _model.With(null!));
        Says(Message, () => ((SizedModel.LoRAAdapter)null!).Save(_folder.Path));
        Says(Message, () => Stack.Of(_model.CreateAdapter(), null!));
        Says(Message, () => Stack.Of<SizedModel.LoRAAdapter>(null!));
        Says("without any adapter", () => Rows.Of<SizedModel.LoRAAdapter>(null!));
    }

    [Fact]
    public void An_adapter_of_a_model_of_other_sizes()
    {
        var adapter = new SizedModel(6).CreateAdapter();
        const string Message = "the adapter is another model's. It was made where fc has weight [6, 6], bias [6], and here is weight [4, 4], bias [4]. Give what this model's own CreateAdapter";
        Says(Message, () => _model.forward(adapter, _x));
        Says(Message, () => _model.With(adapter));
        Says(Message, () => adapter.MergeInto(_model));
        Says(Message, () => _model.forward(Stack.Of(adapter, _model.CreateAdapter()), _x));
    }

    /// <summary>One of the same sizes fits: adapters are values beside a base.</summary>
    [Fact]
    public void An_adapter_of_an_equal_model_fits()
    {
        var other = new SizedModel(4);
        other.load_state_dict(_model.state_dict());
        var adapter = other.CreateAdapter();
        Fill.Normal(adapter, 2);
        TensorAssert.Same(other.forward(adapter, _x), _model.forward(adapter, _x));
    }

    [Fact]
    public void A_folder_without_a_path()
    {
        var adapter = _model.CreateAdapter();
        foreach (var (path, found) in new[] { ("", "empty"), (" ", "empty"), (null, "null") })
        {
            Says($"the folder's path is {found}, expected", () => adapter.Save(path!));
            Says($"the folder's path is {found}, expected", () => adapter.SaveAsAdapterHub(path!));
            Says($"the folder's path is {found}, expected", () => _model.LoadAdapter(path!));
        }
    }

    [Fact]
    public void Merging_and_what_it_excludes()
    {
        var (adapter, other) = (_model.CreateAdapter(), _model.CreateAdapter());
        Says("nothing is merged into this model", () => adapter.UnmergeFrom(_model));
        adapter.MergeInto(_model);
        Says("an adapter is already merged", () => adapter.MergeInto(_model));
        Says("an adapter is already merged", () => _model.CreateAdapter());
        Says("another adapter is merged", () => _model.forward(other, _x));
        Says("unmerge that one", () => other.UnmergeFrom(_model));
        TensorAssert.Same(_model.forward(_x), _model.forward(adapter, _x));
    }

    private static void Says(string message, Action mistake) =>
        Assert.Contains(message, Assert.Throws<AdapterException>(mistake).Message, StringComparison.Ordinal);
}

[LoRA(rank: 2, alpha: 4, targets: "fc")]
internal sealed partial class SizedModel : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc;

    public SizedModel(long width) : base(nameof(SizedModel))
    {
        fc = nn.Linear(width, width);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => fc.forward(x);
}
