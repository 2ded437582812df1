namespace PeftGen;

/// <summary>Refuses methods of one group that want the same place, where it is for one.</summary>
internal static class Exclusion
{
    private const string Advice = "Give them different targets, or put one of them into a group of its own.";

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

    private static string Names(Slot slot) => string.Join(" and ", slot.named_parameters(recurse: false).Select(p => p.name));
}
