namespace PeftGen.Checkpoints;

/// <summary>Lists of names in messages: complete enough to act on, short enough to read.</summary>
internal static class NameList
{
    private const int Shown = 10;

    /// <summary>How many there are, and the first of them: <c>12 (a, b, … and 2 more)</c>.</summary>
    public static string Of(IReadOnlyCollection<string> names)
    {
        if (names.Count == 0) return "none";
        var more = names.Count > Shown ? $", … and {names.Count - Shown} more" : "";
        return $"{names.Count} ({string.Join(", ", names.Take(Shown))}{more})";
    }
}
