using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>What a multitask prompt starts from, beside what HF PEFT 0.21.2's <c>MultitaskPromptEmbedding</c> made of the same source: three tasks of rank 2.</summary>
public sealed class TaskPromptStartTests : IDisposable
{
    private const double Tolerance = 1e-6;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TempFolder _folder = new();
    private readonly PromptModel _model = new();
    private readonly SafetensorsFile _expected = SafetensorsFile.Open(TestData.Path("prompt_starts", "expected.safetensors"));
    private readonly string _source = TestData.Path("prompt_starts");

    public void Dispose()
    {
        _expected.Dispose();
        _folder.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(TaskPromptStart.SourceTask, "exact")]
    [InlineData(TaskPromptStart.SourceAverage, "average")]
    public void One_task_takes_over_a_factor(TaskPromptStart start, string recorded)
    {
        foreach (var source in (string[])[_source, Path.Combine(_source, "adapter_model.safetensors")])
        {
            var adapter = _model.CreateTasksAdapter(new MultitaskPromptTuning(3, tasks: 1, rank: 2) { Start = start, Source = source, SourceTask = 2 });
            foreach (var name in (string[])["prompt_embeddings", "prefix_task_cols", "prefix_task_rows"])
                TensorAssert.Close(_expected.Read($"{recorded}.{name}"), Parameter(adapter, name), Tolerance, name);
            // What the model is given: the reference's own product for both rows.
            var rows = _expected.Read($"{recorded}.prompt");
            var ids = tensor(new long[,] { { 4, 8 }, { 1, 3 } });
            var x = cat([rows, Base("embeddings.word_embeddings.weight")[ids]], 1).tanh();
            var expected = nn.functional.linear(PromptModel.Mix(x, null), Base("head.weight"), Base("head.bias"));
            TensorAssert.Close(expected, _model.forward(adapter, new ForwardOptions { TaskIds = zeros(2, ScalarType.Int64) }, ids), 1e-5);
        }
    }

    [Fact]
    public void Many_tasks_take_over_what_is_shared()
    {
        var adapter = _model.CreateTasksAdapter(new MultitaskPromptTuning(3, tasks: 400, rank: 1) { Start = TaskPromptStart.SourceShared, Source = _source });
        TensorAssert.Same(_expected.Read("shared.prompt_embeddings"), Parameter(adapter, "prompt_embeddings"));
        foreach (var factor in (string[])["prefix_task_cols", "prefix_task_rows"])
            Assert.InRange(Parameter(adapter, factor).std().item<float>(), 0.018f, 0.022f);
    }

    [Fact]
    public void Vectors_may_be_those_of_tokens()
    {
        var word = Base("embeddings.word_embeddings.weight");
        using (no_grad())
            word.copy_(_expected.Read("word_embeddings"));
        var text = _model.CreateTasksAdapter(new MultitaskPromptTuning(3) { Start = TaskPromptStart.Tokens, StartTokens = [9, 2] });
        TensorAssert.Same(_expected.Read("text.prompt_embeddings"), Parameter(text, "prompt_embeddings"));
        var drawn = Parameter(_model.CreateTasksAdapter(new MultitaskPromptTuning(50) { Start = TaskPromptStart.Vocabulary }), "prompt_embeddings");
        Assert.Equal(0, (drawn.unsqueeze(1) - word.unsqueeze(0)).abs().sum(-1).min(-1).values.max().item<float>());
        Assert.InRange(Parameter(_model.CreateTasksAdapter(new MultitaskPromptTuning(1000)), "prompt_embeddings").std().item<float>(), 0.95f, 1.05f);
    }

    [Fact]
    public void An_adapter_that_was_saved_here_is_a_source()
    {
        var trained = _model.CreateTasksAdapter(new MultitaskPromptTuning(3, tasks: 4, rank: 2));
        trained.Save(_folder["trained"]);
        var values = new MultitaskPromptTuning(3, rank: 2) { Start = TaskPromptStart.SourceTask, Source = _folder["trained"], SourceTask = 3 };
        var adapter = _model.CreateTasksAdapter(values);
        TensorAssert.Same(Parameter(trained, "prefix_task_cols").narrow(0, 3, 1), Parameter(adapter, "prefix_task_cols"));
        // In a narrower file, too.
        using (var file = SafetensorsFile.Open(_folder["trained/adapter_model.safetensors"]))
            SafetensorsWriter.Write(_folder["half.safetensors"], file.Names.Select(name => (name, file.Read(name).to(ScalarType.BFloat16))).ToList());
        var half = _model.CreateTasksAdapter(new MultitaskPromptTuning(3, rank: 2) { Start = TaskPromptStart.SourceAverage, Source = _folder["half.safetensors"] });
        var mean = Parameter(trained, "prefix_task_rows").to(ScalarType.BFloat16).to(ScalarType.Float32).mean([0], keepdim: true);
        TensorAssert.Close(mean, Parameter(half, "prefix_task_rows"), Tolerance);
    }

    [Fact]
    public void Files_tell_the_start_and_open_without_the_source()
    {
        var values = new MultitaskPromptTuning(3, rank: 2) { Start = TaskPromptStart.SourceTask, Source = _folder["trained"], SourceTask = 1 };
        _model.CreateTasksAdapter(new MultitaskPromptTuning(3, tasks: 2, rank: 2)).Save(_folder["trained"]);
        var adapter = _model.CreateTasksAdapter(values);
        adapter.Save(_folder["a"]);
        Directory.Delete(_folder["trained"], recursive: true);
        var config = JsonNode.Parse(File.ReadAllText(_folder["a/adapter_config.json"]))!;
        Assert.Equal("EXACT_SOURCE_TASK", (string?)config["prompt_tuning_init"]);
        Assert.Equal(1, (int)config["prompt_tuning_init_task"]!);
        // HF PEFT takes the name of a file.
        Assert.Equal(Path.Combine(_folder["trained"], "adapter_model.safetensors"), (string?)config["prompt_tuning_init_state_dict_path"]);
        var loaded = _model.LoadTasksAdapter(_folder["a"]);
        TensorAssert.Same(Parameter(adapter, "prefix_task_rows"), Parameter(loaded, "prefix_task_rows"));
        loaded.Save(_folder["b"]);
        Assert.Equal(File.ReadAllText(_folder["a/adapter_config.json"]), File.ReadAllText(_folder["b/adapter_config.json"]));
    }

    [Theory]
    [InlineData("RANDOM", "")]
    [InlineData("TEXT", "")]
    [InlineData("SAMPLE_VOCAB", ", Start = TaskPromptStart.Vocabulary")]
    [InlineData("ONLY_SOURCE_SHARED", ", Start = TaskPromptStart.SourceShared, Source = \"x.safetensors\"")]
    [InlineData("AVERAGE_SOURCE_TASKS", ", Start = TaskPromptStart.SourceAverage, Source = \"x.safetensors\"")]
    [InlineData("EXACT_SOURCE_TASK", ", Start = TaskPromptStart.SourceTask, Source = \"x.safetensors\", SourceTask = 2")]
    public void PEFT_s_fields_are_read(string init, string properties)
    {
        var config = new JsonObject
        {
            ["peft_type"] = "MULTITASK_PROMPT_TUNING", ["num_virtual_tokens"] = 3,
            ["prompt_tuning_init"] = init, ["prompt_tuning_init_state_dict_path"] = "x.safetensors", ["prompt_tuning_init_task"] = 2,
        };
        Assert.Equal($"[MultitaskPromptTuning(length: 3{properties})]", AdapterDeclaration.Read(config).ToString());
    }

    [Fact]
    public void What_cannot_be_started_from_is_said()
    {
        Refuses("Source is not set", new MultitaskPromptTuning(3) { Start = TaskPromptStart.SourceShared });
        Refuses("Start is Random and Source is", new MultitaskPromptTuning(3) { Source = _source });
        Refuses("StartTokens has 0 ids", new MultitaskPromptTuning(3) { Start = TaskPromptStart.Tokens });
        Refuses("none with this start", new MultitaskPromptTuning(3) { Start = TaskPromptStart.SourceShared, Source = _source, StartTokens = [1] });
        Refuses("there are 2 tasks", new MultitaskPromptTuning(3, tasks: 2, rank: 2) { Start = TaskPromptStart.SourceAverage, Source = _source });
        Refuses("has 3 tasks, expected a number from 0 to 2", new MultitaskPromptTuning(3, rank: 2) { Start = TaskPromptStart.SourceTask, Source = _source, SourceTask = 3 });
        Refuses("prompt_embeddings: [3, 5] there, [4, 5] expected", new MultitaskPromptTuning(4) { Start = TaskPromptStart.SourceShared, Source = _source });
        Refuses("prefix_task_cols: [1, 3, 2] there, [1, 3, 1] expected", new MultitaskPromptTuning(3) { Start = TaskPromptStart.SourceAverage, Source = _source });
        Assert.Contains("is \"ELSE\", expected one of TEXT, RANDOM", Assert.Throws<AdapterException>(
            () => AdapterDeclaration.Read(new JsonObject { ["peft_type"] = "MULTITASK_PROMPT_TUNING", ["prompt_tuning_init"] = "ELSE" })).Message, StringComparison.Ordinal);

        // Pickles are not opened, alone or in a folder.
        Directory.CreateDirectory(_folder["old"]);
        File.WriteAllText(_folder["old/adapter_model.bin"], "");
        foreach (var old in (string[])[_folder["old"], _folder["old/adapter_model.bin"]])
            Assert.Contains("Python pickle", Unopened(old), StringComparison.Ordinal);
        Assert.Contains("there is no such file", Unopened(_folder["none"]), StringComparison.Ordinal);
        Assert.Contains("there is no such file", Unopened(_folder["none.safetensors"]), StringComparison.Ordinal);
        // A plain prompt has nothing but what is shared.
        new PromptModel().CreateAdapter(new PromptTuning(3)).Save(_folder["plain"]);
        Refuses("Missing: 2 (prefix_task_cols, prefix_task_rows)", new MultitaskPromptTuning(3) { Start = TaskPromptStart.SourceAverage, Source = _folder["plain"] });
        _model.CreateTasksAdapter(new MultitaskPromptTuning(3) { Start = TaskPromptStart.SourceShared, Source = _folder["plain"] }).Dispose();
    }

    private void Refuses(string why, MultitaskPromptTuning values) =>
        Assert.Contains(why, Assert.Throws<AdapterException>(() => _model.CreateTasksAdapter(values)).Message, StringComparison.Ordinal);

    private string Unopened(string source) => Assert.Throws<CheckpointException>(
        () => _model.CreateTasksAdapter(new MultitaskPromptTuning(3) { Start = TaskPromptStart.SourceShared, Source = source })).Message;

    private static Tensor Parameter(AdapterNode adapter, string name) => adapter.named_parameters().Single(p => p.name.EndsWith(name, StringComparison.Ordinal)).parameter;

    private Tensor Base(string name) => _model.named_parameters().Single(p => p.name == name).parameter;
}
