namespace PeftGen.QuickStart.Words;

/// <summary>
/// Random words of 3 to 8 letters. Each word belongs, by itself, to those that training may see or to those kept for examination,
/// so that the two never meet whatever the seed.
/// </summary>
internal sealed class WordSource(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>A word that training may see.</summary>
    public string ForTraining() => Next(kept: false);

    /// <summary>A word that no training sees.</summary>
    public string ForExamination() => Next(kept: true);

    /// <summary>One of some tasks.</summary>
    public WordTask AnyOf(IReadOnlyList<WordTask> tasks) => tasks[_random.Next(tasks.Count)];

    /// <summary>Whether a word is kept for examination: one in eight is.</summary>
    public static bool IsKept(string word)
    {
        // FNV-1a: the same on every machine and in every run, unlike string.GetHashCode.
        var hash = 2166136261u;
        foreach (var letter in word) hash = (hash ^ letter) * 16777619u;
        return (hash >> 16) % 8 == 0;
    }

    private string Next(bool kept)
    {
        while (true)
        {
            var word = Draw();
            if (IsKept(word) == kept) return word;
        }
    }

    private string Draw()
    {
        Span<char> letters = stackalloc char[_random.Next(3, 9)];
        foreach (ref var letter in letters) letter = (char)('a' + _random.Next(26));
        return new string(letters);
    }
}
