using System.Globalization;
using System.Text.RegularExpressions;

namespace PeftGen.Checkpoints;

/// <summary>What the lists of names in HF PEFT's configurations mean.</summary>
internal static class HuggingFaceNames
{
    // The first index that stands behind two names: one behind the root's own list is none there.
    private static readonly Regex AnyBlock = new(@"\A.*?\.[^.]*\.(?<index>[0-9]+)\.", RegexOptions.CultureInvariant);

    /// <summary>Whether one of the names is a module's path or its end from a dot on, as in <c>target_modules</c> and <c>exclude_modules</c>.</summary>
    public static bool Match(IEnumerable<string> names, string path) => names.Any(name => path == name || EndsWithSegments(path, name));

    /// <summary>Whether a module's path ends with one of the names, from any character on, as in <c>modules_to_save</c>.</summary>
    public static bool MatchEnd(IEnumerable<string> names, string path) => names.Any(name => path.EndsWith(name, StringComparison.Ordinal));

    /// <summary>Whether a path ends with a name or dotted suffix, and is not that alone.</summary>
    public static bool EndsWithSegments(string path, string name) =>
        path.Length > name.Length && path[^(name.Length + 1)] == '.' && path.EndsWith(name, StringComparison.Ordinal);

    /// <summary>The index of the block that a path lies in, as <c>layers_to_transform</c> counts it.</summary>
    /// <param name="path">The path of a module.</param>
    /// <param name="lists">What lists of blocks are called, as regular expressions (<c>layers_pattern</c>): the first counts that is in the path. Empty: any.</param>
    /// <returns>Null: it lies in none.</returns>
    public static int? BlockOf(string path, IReadOnlyList<string> lists)
    {
        var match = lists.Count == 0 ? AnyBlock.Match(path)
            : lists.Select(list => Regex.Match(path, $@"\A(?:|.*?\.)(?:{list})\.(?<index>[0-9]+)\.", RegexOptions.CultureInvariant)).FirstOrDefault(m => m.Success);
        return match?.Success == true && int.TryParse(match.Groups["index"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;
    }

    /// <summary>An expression that just this path matches, in the words that Python's and .NET's expressions have in common.</summary>
    public static string Exactly(string path) => string.Concat(path.Select(c => c < 128 && !char.IsLetterOrDigit(c) && c != '_' ? $"\\{c}" : c.ToString()));
}
