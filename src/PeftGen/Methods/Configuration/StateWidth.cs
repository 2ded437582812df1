using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The width of the states that a module returns.</summary>
internal static class StateWidth
{
    /// <summary>The embedding's width where there is one within, else what the last linear layer of a feed-forward network or attention puts out.</summary>
    /// <param name="site">The module.</param>
    /// <exception cref="AdapterException">It is not to be seen.</exception>
    public static long Of(Site site) =>
        site.Host.Module.modules().Prepend(site.Host.Module).OfType<Embedding>().FirstOrDefault()?.weight!.shape[1]
        ?? (site.FindLinear("ffn_out") ?? site.FindLinear("o"))?.outputs
        ?? throw new AdapterException(
            $"{site.Path}: the width of what it returns is not to be seen: it holds no embedding, and no linear layer with a name of one that ends a sub-layer, such as down_proj or o_proj.");
}
