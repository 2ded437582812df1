using PeftGen.Checkpoints;

namespace PeftGen.Methods;

/// <summary>What AdapterHub's configurations have no words for.</summary>
internal static class HubForm
{
    /// <summary>Refuses values that would be lost.</summary>
    /// <param name="method">The method.</param>
    /// <param name="options">Whether an option is used, and how it is called.</param>
    /// <exception cref="AdapterException">One of them is used.</exception>
    public static void Refuse(AdaptAttribute method, params IReadOnlyList<(bool isUsed, string option)> options)
    {
        if (options.Where(option => option.isUsed).Select(option => option.option).ToList() is { Count: > 0 } used)
            throw new AdapterException($"{method}: AdapterHub's files have no form for {string.Join(", ", used)}. {HubFiles.Otherwise}");
    }

    /// <summary>Gates there take their mean over all positions.</summary>
    public static (bool isUsed, string option) OtherPooling(bool gated, GatePooling pooling) => (gated && pooling != GatePooling.All, $"Pooling = GatePooling.{pooling} (AdapterHub's gates count padding, too)");
}
