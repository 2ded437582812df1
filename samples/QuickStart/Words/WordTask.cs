namespace PeftGen.QuickStart.Words;

/// <summary>Something to do with a word, whose answer code can check.</summary>
/// <param name="Symbol">The character that asks for it.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Solve">The right answer.</param>
internal sealed record WordTask(char Symbol, string Name, Func<string, string> Solve)
{
    /// <summary>What the base is pre-trained on.</summary>
    public static IReadOnlyList<WordTask> Known { get; } =
    [
        new('=', "copy", word => word),
        new('^', "capitals", word => word.ToUpperInvariant()),
        new('<', "sort", word => string.Concat(word.Order())),
        new('+', "next letter", word => string.Concat(word.Select(c => c == 'z' ? 'a' : (char)(c + 1)))),
        new('@', "first letter last", word => word[1..] + word[0]),
        new('%', "swap neighbours", word => string.Concat(word.Chunk(2).SelectMany(pair => pair.Reverse()))),
    ];

    /// <summary>What the base has never seen, nor its symbol.</summary>
    public static WordTask New { get; } = new('~', "reverse", word => string.Concat(word.Reverse()));

    /// <summary>The whole line of an item: instruction, word, answer.</summary>
    public string Line(string word) => $"{Question(word)}{Solve(word)}{WordVocabulary.End}";

    /// <summary>The part of the line that is given.</summary>
    public string Question(string word) => $"{Symbol}{word}{WordVocabulary.Answer}";
}
