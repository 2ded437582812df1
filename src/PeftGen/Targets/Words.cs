namespace PeftGen;

/// <summary>The words of a name, however it is written: <c>_q_proj</c>, <c>qProj</c> and <c>QProj</c> are all <c>q</c> and <c>proj</c>.</summary>
internal static class Words
{
    private const string Member = "m_";

    /// <summary>The words in lower case, split at underscores, at changes of case and around numbers.</summary>
    /// <param name="name">One segment of a path.</param>
    public static IReadOnlyList<string> Of(string name)
    {
        var from = name.StartsWith(Member, StringComparison.Ordinal) && name.Length > Member.Length ? Member.Length : 0;
        var words = new List<string>();
        var start = from;
        for (var i = from; i <= name.Length; i++)
        {
            if (i < name.Length && char.IsLetterOrDigit(name[i]) && !(i > start && IsBoundary(name, i)))
                continue;
            if (i > start)
                words.Add(name.Substring(start, i - start).ToLowerInvariant());
            start = i < name.Length && char.IsLetterOrDigit(name[i]) ? i : i + 1;
        }

        return words;
    }

    /// <summary>The name in lower case, of letters and digits alone: what is left where it does not matter how words are joined.</summary>
    /// <param name="name">One segment of a path.</param>
    public static string Plain(string name) => string.Concat(Of(name));

    /// <summary>Whether a word begins within a run of letters and digits: <c>q|Proj</c>, <c>LM|Head</c>, <c>norm|1</c>.</summary>
    private static bool IsBoundary(string name, int at)
    {
        var (before, here) = (name[at - 1], name[at]);
        return char.IsDigit(before) != char.IsDigit(here)
            || (char.IsUpper(here) && (char.IsLower(before) || (char.IsUpper(before) && at + 1 < name.Length && char.IsLower(name[at + 1]))));
    }
}
