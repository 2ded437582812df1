using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The width of the states at a place: of a residual stream, or of what a module returns.</summary>
/// <remarks>It is read from whatever tells it there, by type and place and not by name: norms, linear layers, embeddings.</remarks>
internal static class StateWidth
{
    /// <summary>The width, as it was given, or as the model shows it.</summary>
    /// <param name="site">The place.</param>
    /// <param name="given">What the method's values say; 0: nothing.</param>
    /// <param name="method">The method, for the message.</param>
    /// <exception cref="AdapterException">It is not to be seen.</exception>
    public static long Of(Site site, int given, AdaptAttribute method) => given > 0 ? given
        : (site.Kind == SiteKind.Residual ? OfResidual(site) : OfOutput(site)) ?? throw new AdapterException(
            $"{site.Path}: the width of the states there is not to be seen: no norm, no embedding, and no linear layers that take and return as much tell it. " +
            $"Say it: [{method.GetType().Name}(Width = 768)], with the width of your model.");

    private static long? OfResidual(Site site)
    {
        // The norm after the sum acts on the sum itself.
        if (!ReferenceEquals(site.Host.Module, site.Owner) && HostSizes.OfNorm(site.Host.Module) is { } normed)
            return normed;
        return OfNormsIn(site, site.OwnerPath) ?? OfLayers(site, site.Path) ?? OfLayers(site, site.OwnerPath) ?? Around(site, site.OwnerPath);
    }

    private static long? OfOutput(Site site)
    {
        var module = site.Host.Module;
        if (HostSizes.OfEmbedding(module) is { } vectors)
            return vectors;
        if (HostSizes.OfLinear(module, site.Path) is var (_, outputs))
            return outputs;
        if (module is LayerNorm)
            return HostSizes.OfNorm(module);
        // A layer that has no size of its own, such as dropout, passes on what stands beside it.
        var path = ReferenceEquals(module, site.Owner) || module.named_children().Any() ? site.Path : site.OwnerPath;
        return OfNormsIn(site, path) ?? OfEmbeddingsIn(site, path) ?? OfNormsBelow(site, path) ?? OfLayers(site, path) ?? Around(site, path);
    }

    /// <summary>What the norms that a module holds itself agree upon.</summary>
    private static long? OfNormsIn(Site site, string path) => Only(site.ModulesBelow(path).Where(m => ModelShape.ParentOf(m.path) == path && site.IsOf("norms", m.path)).Select(m => HostSizes.OfNorm(m.module)));

    private static long? OfEmbeddingsIn(Site site, string path) => Only(site.ModulesBelow(path).Where(m => ModelShape.ParentOf(m.path) == path).Select(m => HostSizes.OfEmbedding(m.module)));

    /// <summary>The first norm below that is not an attention's own, which may act on single heads.</summary>
    private static long? OfNormsBelow(Site site, string path) => site.ModulesBelow(path).Where(m => site.IsOf("norms", m.path) && !site.IsInAttention(m.path)).Select(m => HostSizes.OfNorm(m.module)).FirstOrDefault(width => width is not null);

    /// <summary>What linear layers take and return: the last of a sub-layer where its name tells, else a size that is among those of their inputs and of their outputs.</summary>
    private static long? OfLayers(Site site, string path)
    {
        var layers = site.ModulesBelow(path).Select(m => (m.path, sizes: HostSizes.OfLinear(m.module, m.path))).Where(m => m.sizes is not null).Select(m => (m.path, m.sizes!.Value.inputs, m.sizes.Value.outputs)).ToList();
        if (layers.Where(l => site.IsOf("ffn_out", l.path) || site.IsOf("o", l.path)).Select(l => (long?)l.outputs).FirstOrDefault() is { } named)
            return named;
        if (layers is [var only])
            return only.outputs;
        var both = layers.Select(l => l.inputs).Where(width => layers.Any(l => l.outputs == width)).Distinct().ToList();
        var known = site.ModulesBelow("").Select(m => site.IsOf("norms", m.path) ? HostSizes.OfNorm(m.module) : HostSizes.OfEmbedding(m.module)).ToHashSet();
        return both.Where(width => known.Contains(width)).Concat(both).Select(width => (long?)width).FirstOrDefault();
    }

    /// <summary>What the modules around a path show, from the inside outwards: their norms, and at last the model's embedding.</summary>
    private static long? Around(Site site, string path)
    {
        for (var outer = path; outer.Length > 0;)
        {
            outer = ModelShape.ParentOf(outer);
            if (OfNormsIn(site, outer) is { } width)
                return width;
        }

        return OfNormsBelow(site, path) ?? Only(site.ModulesBelow(path).Select(m => HostSizes.OfEmbedding(m.module))) ?? Only(site.ModulesBelow("").Where(m => site.IsOf("embed", m.path)).Select(m => HostSizes.OfEmbedding(m.module)));
    }

    private static long? Only(IEnumerable<long?> widths) => widths.Where(width => width is not null).Distinct().ToList() is [var only] ? only : null;
}
