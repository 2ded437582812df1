using PeftGen.Methods;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>The sizes that a module of the host shows.</summary>
internal static class HostSizes
{
    /// <summary>Those of a linear layer; of a class of the user's own that is not known to be one, as its weight and bias show them. Null: they do not.</summary>
    /// <param name="module">The module.</param>
    /// <param name="path">Its path, for messages.</param>
    public static (long inputs, long outputs)? OfLinear(nn.Module module, string path)
    {
        if (HostLinear.Is(module))
            return HostLinear.Of(module, path, "the site") is var linear ? (linear.Inputs, linear.Outputs) : null;
        if (module is Embedding || module.named_children().Any())
            return null;
        var parameters = module.named_parameters(recurse: false).ToList();
        if (parameters.Where(p => p.parameter.dim() == 2).ToList() is not [var (_, weight)] || parameters.Count > 2)
            return null;
        var (rows, columns) = (weight.shape[0], weight.shape[1]);
        var outputs = parameters.Where(p => p.parameter.dim() == 1).Select(p => (long?)p.parameter.shape[0]).FirstOrDefault() ?? (rows == columns ? rows : -1);
        return outputs == rows ? (columns, rows) : outputs == columns ? (rows, columns) : null;
    }

    /// <summary>The width of what a norm takes, whatever its class: that of its vectors. Null: it has none.</summary>
    /// <param name="norm">The norm.</param>
    public static long? OfNorm(nn.Module norm) => norm is LayerNorm { normalized_shape: [var only] } ? only
        : norm.named_parameters().Select(p => p.parameter).FirstOrDefault(p => p.dim() == 1)?.shape[0];

    /// <summary>The width of an embedding's vectors; null: the module is none.</summary>
    /// <param name="module">The module.</param>
    public static long? OfEmbedding(nn.Module module) => (module as Embedding)?.weight!.shape[1];
}
