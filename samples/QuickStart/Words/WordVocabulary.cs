namespace PeftGen.QuickStart.Words;

/// <summary>The tokens of the small base: one for each character.</summary>
internal static class WordVocabulary
{
    /// <summary>Fills rows up on the left.</summary>
    public const char Padding = '_';

    /// <summary>Stands between a word and its answer.</summary>
    public const char Answer = '>';

    /// <summary>Ends an answer.</summary>
    public const char End = '.';

    /// <summary>All tokens, in the order of their ids: the three above, instructions (some not in use), letters.</summary>
    private const string Characters = "_>.=^<+~@#%&abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    /// <summary>How many tokens there are.</summary>
    public static int Size => Characters.Length;

    /// <summary>The id of a character.</summary>
    public static long Id(char character) => Characters.IndexOf(character) is var id and >= 0 ? id
        : throw new ArgumentException($"'{character}' is none of the base's characters: {Characters}", nameof(character));

    /// <summary>The text of some ids.</summary>
    public static string Text(IEnumerable<long> ids) => string.Concat(ids.Select(id => Characters[(int)id]));
}
