using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Prompts before the tokens: where they stand, what they start as, what trains and what is saved.</summary>
public sealed class PromptTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly PromptModel _model = new();
    private readonly Tensor _ids = tensor(new long[,] { { 4, 8, 0, 7 }, { 1, 4, 4, 3 } });
    private readonly Tensor _mask = tensor(new long[,] { { 1, 1, 0, 0 }, { 1, 1, 1, 1 } });
    private readonly Tensor _segments = tensor(new long[,] { { 1, 1, 0, 0 }, { 0, 1, 1, 1 } });
    private readonly Tensor _tasks = tensor(new long[] { 1, 0 });

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void The_vectors_stand_before_the_tokens_embeddings()
    {
        var adapter = Filled(_model.CreateAdapter());
        var rows = Parameter(adapter, "prompt_embeddings").expand(2, 3, -1);
        var word = Base("embeddings.word_embeddings.weight");
        // Ones before the mask, the first segment before the segments.
        var mask = cat([ones(2, 3), _mask.to(ScalarType.Float32)], 1);
        var x = (cat([rows, word[_ids]], 1) + Base("embeddings.token_type_embeddings.weight")[cat([zeros(2, 3, ScalarType.Int64), _segments], 1)]).tanh();
        var expected = nn.functional.linear(PromptModel.Mix(x, mask), Parameter(adapter, "weight"), Parameter(adapter, "bias"));
        TensorAssert.Close(expected, _model.forward(adapter, _ids, _mask, _segments), Tolerance);
        var cut = Filled(_model.CreateAdapter(new PromptTuning(3) { ModulesToSave = "head", CutPrompt = true }));
        TensorAssert.Close(expected.narrow(1, 3, 4), _model.forward(cut, _ids, _mask, _segments), Tolerance);
    }

    [Fact]
    public void Given_positions_count_on_and_labels_are_ignored_in_front()
    {
        var adapter = Filled(_model.CreateAdapter(new PromptTuning(3)));
        var positions = tensor(new long[,] { { 0, 1, 2, 3 }, { 5, 6, 8, 9 } });
        var labels = tensor(new long[,] { { 4, -100, 0, 7 }, { 1, 4, 4, 3 } });
        var places = cat([arange(3, ScalarType.Int64).expand(2, 3), positions + 3], 1);
        var x = (cat([Parameter(adapter, "prompt_embeddings").expand(2, 3, -1), Base("embeddings.word_embeddings.weight")[_ids]], 1) + Base("embeddings.position_embeddings.weight")[places]).tanh();
        var y = nn.functional.linear(PromptModel.Mix(x, null), Base("head.weight"), Base("head.bias"));
        var counts = cat([zeros(2, 3), labels.ne(-100).to(ScalarType.Float32)], 1).unsqueeze(-1);
        TensorAssert.Close(y * counts, _model.forward(adapter, _ids, position_ids: positions, labels: labels), Tolerance);
    }

    [Fact]
    public void Stacked_prompts_stand_one_before_the_other()
    {
        var (first, second) = (Filled(_model.CreateAdapter(new PromptTuning(3))), _model.CreateAdapter(new PromptTuning(2)));
        Fill.Normal(second, 6);
        var x = cat([Parameter(second, "prompt_embeddings").expand(2, 2, -1), Parameter(first, "prompt_embeddings").expand(2, 3, -1), Base("embeddings.word_embeddings.weight")[_ids]], 1).tanh();
        var expected = nn.functional.linear(PromptModel.Mix(x, null), Base("head.weight"), Base("head.bias"));
        TensorAssert.Close(expected, _model.forward(Stack.Of(first, second), _ids), Tolerance);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Late_vectors_stand_beside_what_the_embeddings_return(bool afterFirst)
    {
        var adapter = Filled(_model.CreateLateAdapter(new EmbeddedPrompt(3) { AfterFirst = afterFirst }));
        var rows = Parameter(adapter, "prompt_embeddings").expand(2, 3, -1);
        var x = Base("embeddings.word_embeddings.weight")[_ids].tanh();
        var at = afterFirst ? 1 : 0;
        x = cat([x.narrow(1, 0, at), rows, x.narrow(1, at, 4 - at)], 1);
        var expected = nn.functional.linear(PromptModel.Mix(x, cat([ones(2, 3), _mask.to(ScalarType.Float32)], 1)), Base("head.weight"), Base("head.bias"));
        TensorAssert.Close(expected, _model.forward(adapter, _ids, _mask), Tolerance);
        var cut = Filled(_model.CreateLateAdapter(new EmbeddedPrompt(3) { AfterFirst = afterFirst, CutPrompt = true }));
        TensorAssert.Close(cat([expected.narrow(1, 0, at), expected.narrow(1, at + 3, 4 - at)], 1), _model.forward(cut, _ids, _mask), Tolerance);
    }

    [Fact]
    public void Each_row_has_the_prompt_of_its_task()
    {
        var adapter = Filled(_model.CreateTasksAdapter());
        var (shared, columns, factors) = (Parameter(adapter, "prompt_embeddings"), Parameter(adapter, "prefix_task_cols"), Parameter(adapter, "prefix_task_rows"));
        var rows = stack([shared * columns[1].matmul(factors[1]), shared * columns[0].matmul(factors[0])]);
        var x = cat([rows, Base("embeddings.word_embeddings.weight")[_ids]], 1).tanh();
        var expected = nn.functional.linear(PromptModel.Mix(x, null), Base("head.weight"), Base("head.bias"));
        var options = new ForwardOptions { TaskIds = _tasks };
        TensorAssert.Close(expected, _model.forward(adapter, options, _ids), Tolerance);
        // The tasks stay the caller's.
        TensorAssert.Close(expected, _model.forward(adapter, options, _ids), Tolerance);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("mlp")]
    [InlineData("lstm")]
    [InlineData("tasks")]
    [InlineData("late")]
    public void Gradients_are_those_of_differences(string what)
    {
        _model.to(ScalarType.Float64);
        var adapter = Filled(Create(what), 0.5);
        Gradients.Check(() => Run(adapter), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }

    [Fact]
    public void Starts_are_random_or_the_embeddings_of_tokens()
    {
        var word = Base("embeddings.word_embeddings.weight");
        var random = Parameter(_model.CreateAdapter(new PromptTuning(1000)), "prompt_embeddings");
        Assert.InRange(random.std().item<float>(), 0.95f, 1.05f);
        // Two texts of the same tokens, one behind the other, cut at the fifth.
        var text = Parameter(_model.CreateAdapter(new PromptTuning(5) { Start = PromptStart.Tokens, StartTokens = [9, 2] }), "prompt_embeddings");
        TensorAssert.Same(word[tensor(new long[] { 9, 2, 9, 2, 9 })], text);
        var drawn = Parameter(_model.CreateAdapter(new PromptTuning(200) { Start = PromptStart.Vocabulary }), "prompt_embeddings");
        var places = (drawn.unsqueeze(1) - word.unsqueeze(0)).abs().sum(-1);
        Assert.Equal(0, places.min(-1).values.max().item<float>());
        Assert.True(places.argmin(-1).unique().output.numel() > PromptModel.Vocabulary / 2, "few tokens are drawn");
    }

    [Theory]
    [InlineData("mlp")]
    [InlineData("lstm")]
    public void A_network_trains_and_its_output_is_saved(string what)
    {
        var adapter = (PromptModel.EncodedAdapter)Filled(Create(what), 0.5);
        var expected = Run(adapter);
        Assert.All(adapter.Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace)), stored => Assert.Equal("prompt_embeddings", stored.Key));
        Assert.Equal(adapter.parameters().Sum(p => p.numel()), adapter.Slots().SelectMany(s => s.LeftOut(FileFormat.HuggingFace)).Sum(s => s.Value.numel()));
        var folder = Directory.CreateTempSubdirectory("peftgen-prompts-").FullName;
        try
        {
            adapter.Save(folder);
            var loaded = _model.LoadEncodedAdapter(folder);
            TensorAssert.Close(expected, Run(loaded), Tolerance);
            // What was loaded trains on as a plain prompt.
            Assert.Equal([3L, PromptModel.Width], Assert.Single(loaded.parameters()).shape);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        var state = adapter.TrainingState();
        var again = (PromptModel.EncodedAdapter)Create(what);
        again.LoadTrainingState(state);
        TensorAssert.Same(expected, Run(again));
        again.Eject();
        TensorAssert.Close(expected, Run(again), Tolerance);
        Assert.Equal([3L, PromptModel.Width], Assert.Single(again.parameters()).shape);
    }

    [Fact]
    public void An_lstm_drops_between_its_layers_in_training_alone()
    {
        var adapter = _model.CreateEncodedAdapter(new PTuning(3) { Encoder = PromptNetwork.Lstm, HiddenSize = 8, Dropout = 0.5 });
        adapter.eval();
        TensorAssert.Same(Run(adapter), Run(adapter));
        adapter.train();
        Assert.False(Run(adapter).allclose(Run(adapter)));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("lstm")]
    [InlineData("tasks")]
    [InlineData("late")]
    public void A_call_leaves_only_its_result(string what)
    {
        foreach (var dtype in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16])
        {
            _model.to(dtype);
            using var adapter = Create(what);
            Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
            using (var y = Run(adapter))
                Assert.Equal(dtype, y.dtype);
            var before = Live();
            for (var i = 0; i < 5; i++)
                Run(adapter).Dispose();
            Assert.Equal(before, Live());
        }
    }

    [Fact]
    public void What_cannot_be_done_is_said()
    {
        var tasks = _model.CreateTasksAdapter();
        Refuses("TaskIds", () => _model.forward(tasks, _ids));
        Refuses("from 0 to 1", () => _model.forward(tasks, new ForwardOptions { TaskIds = tensor(new long[] { 0, 2 }) }, _ids));
        Refuses("Int64 [batch]", () => _model.forward(tasks, new ForwardOptions { TaskIds = tensor(new[] { 0f, 1f }) }, _ids));
        Refuses("one for each row", () => _model.forward(tasks, new ForwardOptions { TaskIds = tensor(new long[] { 0, 1, 1 }) }, _ids));
        Refuses("[batch, tokens]", () => _model.forward(_model.CreateAdapter(), _ids, ones(2, 1, 1, 4)));
        Refuses("StartTokens", () => _model.CreateAdapter(new PromptTuning(3) { Start = PromptStart.Tokens }));
        Refuses("the id 11", () => _model.CreateAdapter(new PromptTuning(3) { Start = PromptStart.Tokens, StartTokens = [11] }));
        Refuses("at least 1", () => _model.CreateAdapter(new PromptTuning(0)));
        var moved = new MovedIdsModel();
        Refuses("was not put anywhere", () => moved.forward(moved.CreateAdapter(), _ids));
    }

    private static void Refuses(string why, Func<object> action) => Assert.Contains(why, Assert.Throws<AdapterException>(() => { action(); }).Message, StringComparison.Ordinal);

    private AdapterNode Create(string what) => what switch
    {
        "plain" => _model.CreateAdapter(),
        "mlp" => _model.CreateEncodedAdapter(),
        "lstm" => _model.CreateEncodedAdapter(new PTuning(3) { Encoder = PromptNetwork.Lstm, HiddenSize = 4 }),
        "tasks" => _model.CreateTasksAdapter(),
        _ => _model.CreateLateAdapter(),
    };

    private Tensor Run(AdapterNode adapter) => _model.forward((PromptModel.Adapter)adapter, new ForwardOptions { TaskIds = _tasks }, _ids, _mask);

    private static T Filled<T>(T adapter, double std = 1) where T : AdapterNode
    {
        Fill.Normal(adapter, 5, std);
        return adapter;
    }

    private static Tensor Parameter(AdapterNode adapter, string name) => adapter.named_parameters().Single(p => p.name.EndsWith(name, StringComparison.Ordinal)).parameter;

    private Tensor Base(string name) => _model.named_parameters().Single(p => p.name == name).parameter;

    private static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
