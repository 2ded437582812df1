using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The row of an embedding that never gets a gradient, its <c>padding_idx</c>: what an adapter looks up for it gets none either.</summary>
internal static class PaddingRow
{
    /// <summary>The row. TorchSharp's Embedding does not tell it, but a backward pass through all rows leaves it out.</summary>
    /// <param name="embedding">The layer; its weight is what it was afterwards.</param>
    /// <returns>The row's index; null: all rows learn.</returns>
    public static long? Of(Embedding embedding)
    {
        using var scope = NewDisposeScope();
        // The property makes a new parameter of the same numbers on each call, which is not the one that the module computes with.
        var table = embedding.named_parameters(recurse: false).Single(p => p.name == "weight").parameter;
        if (!table.is_floating_point())
            return null;
        var (asks, before) = (table.requires_grad, table.detach().clone());
        table.requires_grad = true;
        try
        {
            using var enabled = enable_grad();
            var rows = embedding.forward(arange(table.shape[0], ScalarType.Int64, table.device));
            if (!rows.requires_grad)
                return null;
            var gradient = autograd.grad([rows], [table], [ones(1, dtype: rows.dtype, device: rows.device).expand_as(rows)], allow_unused: true)[0];
            if (gradient.IsInvalid)
                return null;
            var still = (gradient.is_sparse ? gradient.to_dense() : gradient).select(1, 0).eq(0).nonzero();
            return still.shape[0] == 1 ? still.item<long>() : null;
        }
        finally
        {
            table.requires_grad = asks;
            // An embedding with a largest norm scales rows down where it looks them up.
            using var quiet = no_grad();
            if (!table.Equals(before))
                table.copy_(before);
        }
    }

    /// <summary>Rows of a table for some ids.</summary>
    /// <param name="table">The table, <c>[vocabulary, dim]</c>.</param>
    /// <param name="ids">Ids, <c>[count]</c>.</param>
    /// <param name="padding">The id whose row gets no gradient; null: none.</param>
    /// <returns><c>[count, dim]</c>; the caller owns it.</returns>
    public static Tensor Look(Tensor table, Tensor ids, long? padding)
    {
        var rows = table.index_select(0, ids);
        if (padding is not { } still || !rows.requires_grad)
            return rows;
        using (rows)
        {
            using var fixedRows = rows.detach();
            using var isPadding = ids.eq(still);
            using var wide = isPadding.unsqueeze(-1);
            return where(wide, fixedRows, rows);
        }
    }
}
