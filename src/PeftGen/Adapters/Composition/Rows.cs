using System.Diagnostics.CodeAnalysis;

namespace PeftGen;

/// <summary>Several adapters of one model in one batch, each for its own rows.</summary>
public static class Rows
{
    /// <summary>
    /// Composes adapters so that row <c>i</c> of a batch runs through entry <c>i</c>, or through the base where that is null. Rows of the
    /// same adapter run together. The parts stay adapters of their own: training the result trains them, disposing it disposes none of them.
    /// </summary>
    /// <typeparam name="T">The adapters' type; for adapters of several groups the class's own: <c>Rows.Of&lt;Llama.Adapter&gt;(a, null, b)</c>.</typeparam>
    /// <param name="adapters">One entry for each row of the batch.</param>
    /// <returns>An adapter that refers to the parts. It runs batches of just as many rows, and cannot be merged.</returns>
    /// <exception cref="AdapterException">All entries are null, or a site cannot differ between rows; the message names it.</exception>
    public static T Of<[DynamicallyAccessedMembers(AdapterComposition.Constructors)] T>(params T?[] adapters) where T : AdapterNode
    {
        if (adapters is null || adapters.All(adapter => adapter is null))
            throw new AdapterException("Rows.Of was called without any adapter. Name one for at least one row, or run the model without an adapter.");
        var distinct = adapters.Distinct().ToList();
        var plan = new RowPlan(adapters.Length, distinct.Select(adapter => RowsOf(adapters, adapter)).ToList());
        return new AdapterComposition(new RowSites(plan), nameof(Rows)).Of<T>(distinct);
    }

    private static long[] RowsOf<T>(T?[] adapters, T? adapter) where T : AdapterNode =>
        Enumerable.Range(0, adapters.Length).Where(i => ReferenceEquals(adapters[i], adapter)).Select(i => (long)i).ToArray();
}

/// <summary>What stands at a site of a mixed batch.</summary>
internal sealed class RowSites(RowPlan plan) : ISiteComposition
{
    public LayerSlot Layer(string path, IReadOnlyList<LayerSlot?> parts) => Same(parts) ?? new RowsLayer(path, plan, parts);

    public ParameterSlot Parameter(string path, IReadOnlyList<ParameterSlot?> parts) =>
        Same(parts) ?? throw new AdapterException(
            $"{path}: the adapters of these rows have different values of this parameter, and the code reads it once for the whole batch. " +
            "Run the rows of each adapter in a call of their own.");

    public ResidualSlot Residual(string path, IReadOnlyList<ResidualSlot?> parts) => Same(parts) ?? new RowsResidual(path, plan, parts);

    public AttentionSlot Attention(string path, IReadOnlyList<AttentionSlot?> parts) => Same(parts) ?? new RowsAttention(path, plan, parts);

    public OutputSlot Output(string path, IReadOnlyList<OutputSlot?> parts) => Same(parts) ?? new RowsOutput(path, plan, parts);

    public InputSlot Input(string path, IReadOnlyList<InputSlot?> parts) => Same(parts) ?? new RowsInput(path, plan, parts);

    /// <summary>The slot that all rows have; null where they differ.</summary>
    private static T? Same<T>(IReadOnlyList<T?> parts) where T : Slot => parts.Distinct().ToList() is [{ } only] ? only : null;
}
