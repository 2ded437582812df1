namespace PeftGen;

/// <summary>Refuses methods of one group that want the same place, where it is for one. The compiler says so where the declarations show it; values that are given at run time may differ from these.</summary>
internal static class Exclusion
{
    private const string Advice = "Give them different targets, or put one of them into a group of its own.";

    /// <summary>Refuses wishes for one place that are for the same thing, of which a group has one there; see <see cref="Claim.Exclusive"/>.</summary>
    /// <param name="place">The place, for the message.</param>
    /// <param name="wishes">The claims on it.</param>
    public static void Check(string place, IEnumerable<(AdaptAttribute method, Claim claim)> wishes)
    {
        foreach (var same in wishes.Where(w => w.claim.Exclusive is not null).GroupBy(w => w.claim.Exclusive))
            if (same.ToList() is [var first, var second, ..])
                throw new AdapterException($"{place}: {first.method} and {second.method} exclude each other, since a group has one {same.Key} at a place. {Advice}");
    }

    /// <summary>Refuses slots beside one layer of which several hold copies in place of its parameters: only one can run.</summary>
    /// <param name="path">The layer's path.</param>
    /// <param name="slots">The slots, each with the method that made it.</param>
    public static void CheckCopies(string path, IEnumerable<(AdaptAttribute method, Slot slot)> slots)
    {
        if (slots.Where(s => s.slot.ReplacesHost).ToList() is not [var first, var second, ..])
            return;
        var (mine, others) = (Names(first.slot), Names(second.slot));
        throw new AdapterException(
            $"{path}: {first.method} trains a copy of this layer's {mine}, and {second.method} one of its {others}. Only one of the copies can run. {Advice}");
    }

    /// <summary>Refuses several slots where code can pass one.</summary>
    /// <param name="path">The site's path.</param>
    /// <param name="kind">The kind of site.</param>
    /// <param name="methods">The methods that made them.</param>
    public static AdapterException TakenTwice(string path, SiteKind kind, IEnumerable<AdaptAttribute> methods) =>
        new($"{path}: {string.Join(" and ", methods)} want the same {kind.ToString().ToLowerInvariant()} site, which is for one. {Advice}");

    private static string Names(Slot slot) => string.Join(" and ", slot.named_parameters(recurse: false).Select(p => p.name));
}
