using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The sizes of an attention's keys.</summary>
internal static class KeySizes
{
    /// <summary>How wide the keys of an attention are, all heads together, and what they are made of.</summary>
    /// <param name="site">The attention.</param>
    /// <param name="given">What the method's values say of the keys; 0: nothing.</param>
    /// <param name="method">The method, for the message.</param>
    /// <exception cref="AdapterException">It is not to be seen.</exception>
    public static (long inputs, long outputs) Of(Site site, int given, AdaptAttribute method)
    {
        var found = site.FindLinear("k") ?? Named(site) ?? Around(site);
        if (given > 0)
            return (found?.inputs ?? given, given);
        return found ?? throw new AdapterException(
            $"{site.Path}: the size of the keys is not to be seen: no linear layer at or around this module has a name or a place that tells that it makes them. " +
            $"Say it: [{method.GetType().Name}(KeyWidth = 768)], with the number of heads of keys times the size of a head.");
    }

    /// <summary>A name that elsewhere could mean something else.</summary>
    private static (long inputs, long outputs)? Named(Site site) => site.ModulesBelow(site.Path)
        .Where(m => AttentionNames.PartOf(ModelShape.NameOf(m.path)) == "k").Select(m => HostSizes.OfLinear(m.module, m.path)).FirstOrDefault(sizes => sizes is not null);

    /// <summary>Where no name tells, what the linear layers there have in common: first those of the attention, then those beside it.</summary>
    private static (long inputs, long outputs)? Around(Site site)
    {
        var path = site.Path;
        for (var levels = 0; levels < 3; levels++)
        {
            var below = site.ModulesBelow(path).Where(m => levels == 0 || ModelShape.ParentOf(m.path) == path);
            var layers = below.Where(m => !site.IsOf("o", m.path)).Select(m => HostSizes.OfLinear(m.module, m.path)).OfType<(long inputs, long outputs)>().ToList();
            if (layers.Count > 0)
                return Keys(layers);
            if (path.Length == 0)
                return null;
            path = ModelShape.ParentOf(path);
        }

        return null;
    }

    private static (long inputs, long outputs)? Keys(List<(long inputs, long outputs)> layers)
    {
        // Queries, keys and values in one.
        if (layers is [var (width, all), ..] && all == 3 * width && layers.Skip(1).All(l => l == (width, width)))
            return (width, width);
        if (layers.All(l => l == (layers[0].inputs, layers[0].inputs)))
            return layers[0];
        // Keys and values are as wide as one another, and no wider than queries.
        var narrow = layers.GroupBy(l => l.outputs).Where(g => g.Count() > 1).OrderBy(g => g.Key).FirstOrDefault();
        return narrow is null ? null : narrow.First();
    }
}
