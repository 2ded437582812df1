namespace PeftGen;

/// <summary>Ends the part of training that needs more parameters than the adapter's result.</summary>
public static class AdapterEjection
{
    /// <summary>
    /// Replaces networks that serve training alone by what they give: the projection of <see cref="PrefixTuning"/> by the prefix itself. Outputs stay the same,
    /// and what was learned besides is lost. An optimizer over the adapter's parameters has to be made anew.
    /// </summary>
    /// <param name="adapter">The adapter.</param>
    /// <returns>The adapter itself.</returns>
    public static T Eject<T>(this T adapter) where T : AdapterNode
    {
        AdapterFit.Require(adapter, "eject");
        foreach (var slot in adapter.Slots().ToList())
            slot.Eject();
        return adapter;
    }
}
