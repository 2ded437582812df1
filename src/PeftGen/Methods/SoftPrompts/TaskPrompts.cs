using PeftGen.Checkpoints;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>One prompt for all tasks and a factor of low rank for each; the formula is <see cref="MultitaskPromptTuning"/>'s.</summary>
internal sealed class TaskPrompts : Prompt
{
    private const string Columns = "prefix_task_cols", Factors = "prefix_task_rows";
    private readonly MultitaskPromptTuning _values;
    private readonly FirstVectors _first;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="rows">How many vectors there are.</param>
    /// <param name="values">The number of tasks, the rank and the start.</param>
    public TaskPrompts(Site site, int rows, MultitaskPromptTuning values) : base(site, rows, values)
    {
        _values = values;
        _first = new FirstVectors(values, values.Start switch
        {
            TaskPromptStart.Vocabulary => PromptStart.Vocabulary,
            TaskPromptStart.Tokens => PromptStart.Tokens,
            _ => PromptStart.Random,
        }, values.StartTokens);
    }

    protected override void Begin(Site site, long width, Tensor? table)
    {
        Learn(Vectors, _first.Make(site, Path, Rows, width, table));
        Learn(Columns, Start.Normal(site, 0.02, _values.Tasks, Rows, _values.Rank));
        Learn(Factors, Start.Normal(site, 0.02, _values.Tasks, _values.Rank, width));
        // What is loaded has its values from its own file; the one that it started from may be gone.
        if (_values.Source is { } source && !site.IsForFile)
            TakeOver(source);
    }

    protected override Tensor Compute(ForwardContext context)
    {
        using var tasks = TasksOf(context);
        using var columns = this[Columns].index_select(0, tasks);
        using var factors = this[Factors].index_select(0, tasks);
        using var product = columns.matmul(factors);
        return product * this[Vectors];
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(Vectors, this[Vectors]), new(Columns, this[Columns]), new(Factors, this[Factors])];

    /// <summary>Starts from a trained prompt.</summary>
    /// <param name="source">Its folder or file.</param>
    private void TakeOver(string source)
    {
        using var file = AdapterFolder.OpenSource(source);
        IReadOnlyList<string> keys = _values.Start == TaskPromptStart.SourceShared ? [Vectors] : [Vectors, Columns, Factors];
        TensorFit.Check(
            file.FilePath, $"{Path} is to start from it: give the length, submodules and rank that it was trained with.", keys.ToDictionary(key => key, Tensor (key) => this[key]),
            keys.Where(file.Contains).ToDictionary(key => key, key => key == Vectors ? file.Entry(key) : file.Entry(key) with { Shape = [1, .. file.Entry(key).Shape.Skip(1)] }));
        using var quiet = no_grad();
        foreach (var key in keys)
        {
            using var read = file.Read(key);
            using var typed = read.to(this[key].dtype);
            using var taken = key == Vectors ? typed.alias() : OfOneTask(typed, file.FilePath);
            this[key].copy_(taken);
        }
    }

    /// <summary>What the one task starts from, <c>[1, …]</c>, of what a trained prompt has for its tasks, <c>[tasks, …]</c>.</summary>
    private Tensor OfOneTask(Tensor trained, string file)
    {
        if (_values.Start == TaskPromptStart.SourceAverage)
            return trained.mean([0], keepdim: true);
        if (_values.SourceTask < 0 || _values.SourceTask >= trained.shape[0])
            throw new AdapterException($"{Path}: SourceTask is {_values.SourceTask}, and {file} has {trained.shape[0]} tasks, expected a number from 0 to {trained.shape[0] - 1}.");
        return trained.narrow(0, _values.SourceTask, 1);
    }

    private Tensor TasksOf(ForwardContext context)
    {
        var tasks = context[InputRole.TaskIds] ?? throw new AdapterException(
            $"{Path}: the prompt differs from task to task, and this call names none. Pass new ForwardOptions {{ TaskIds = … }}, Int64 [batch], from 0 to {_values.Tasks - 1}.");
        if (tasks.dim() != 1 || tasks.dtype != ScalarType.Int64)
            throw new AdapterException($"{Path}: TaskIds is {tasks.dtype} [{string.Join(", ", tasks.shape)}], expected Int64 [batch].");
        using var low = tasks.lt(0);
        using var high = tasks.ge(_values.Tasks);
        using var wrong = low.logical_or_(high);
        using var any = wrong.any();
        if (any.item<bool>())
            throw new AdapterException($"{Path}: TaskIds has a task that is not among the {_values.Tasks}, expected numbers from 0 to {_values.Tasks - 1}.");
        return tasks.to(this[Vectors].device);
    }
}
