using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>One prompt for all tasks and a factor of low rank for each; the formula is <see cref="MultitaskPromptTuning"/>'s.</summary>
internal sealed class TaskPrompts : Prompt
{
    private const string Columns = "prefix_task_cols", Factors = "prefix_task_rows";
    private readonly MultitaskPromptTuning _values;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="rows">How many vectors there are.</param>
    /// <param name="values">The number of tasks and the rank.</param>
    public TaskPrompts(Site site, int rows, MultitaskPromptTuning values) : base(site, rows, values) => _values = values;

    protected override void Begin(Site site, long width, Tensor? table)
    {
        Learn(Vectors, Start.Normal(site, 1, Rows, width));
        Learn(Columns, Start.Normal(site, 0.02, _values.Tasks, Rows, _values.Rank));
        Learn(Factors, Start.Normal(site, 0.02, _values.Tasks, _values.Rank, width));
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
