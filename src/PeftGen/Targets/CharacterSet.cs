using System.Globalization;

namespace PeftGen;

/// <summary>Characters that one place of an expression can be.</summary>
/// <param name="Key">How it was written: equal sets have equal keys.</param>
/// <param name="Contains">Whether a character is one of them.</param>
internal sealed record CharacterSet(string Key, Func<char, bool> Contains)
{
    /// <summary>Every character.</summary>
    public static CharacterSet All { get; } = new("all", _ => true);

    /// <summary>Every character but the end of a line, as <c>.</c> means it.</summary>
    public static CharacterSet Dot { get; } = new(".", c => c != '\n');

    /// <summary>A single character.</summary>
    /// <param name="character">The character.</param>
    /// <param name="ignoresCase">Whether it may be written small or large.</param>
    public static CharacterSet Of(char character, bool ignoresCase) => ignoresCase && char.ToLowerInvariant(character) != char.ToUpperInvariant(character)
        ? new CharacterSet("i" + char.ToLowerInvariant(character), c => char.ToLowerInvariant(c) == char.ToLowerInvariant(character))
        : new CharacterSet("c" + character, c => c == character);

    /// <summary>The set of an escape: <c>\d</c>, <c>\w</c>, <c>\s</c> or the large letter, which means all others; null: it is none.</summary>
    /// <param name="escape">The letter.</param>
    public static CharacterSet? OfEscape(char escape) => escape switch
    {
        'd' => new CharacterSet(@"\d", char.IsDigit),
        'w' => new CharacterSet(@"\w", IsWord),
        's' => new CharacterSet(@"\s", char.IsWhiteSpace),
        'D' or 'W' or 'S' => OfEscape(char.ToLowerInvariant(escape))!.Negated(),
        _ => null,
    };

    /// <summary>All characters between two.</summary>
    public static CharacterSet Between(char first, char last, bool ignoresCase)
    {
        return new CharacterSet($"{first}-{last}{ignoresCase}", c => Is(c) || (ignoresCase && (Is(char.ToLowerInvariant(c)) || Is(char.ToUpperInvariant(c)))));

        bool Is(char c) => c >= first && c <= last;
    }

    /// <summary>The characters of any of several sets.</summary>
    public static CharacterSet Union(IReadOnlyList<CharacterSet> sets) => new($"[{string.Join(" ", sets.Select(s => s.Key))}]", c => sets.Any(s => s.Contains(c)));

    /// <summary>All other characters.</summary>
    public CharacterSet Negated() => new("^" + Key, c => !Contains(c));

    /// <summary>Whether a character is one that words are made of.</summary>
    public static bool IsWord(char c) => char.IsLetterOrDigit(c) || CharUnicodeInfo.GetUnicodeCategory(c)
        is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
}
