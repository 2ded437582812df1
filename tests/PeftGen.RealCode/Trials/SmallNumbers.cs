namespace PeftGen.RealCode.Trials;

/// <summary>The numbers of a tiny model, chosen by what code calls them: two layers of two heads, 8 wide, over 32 tokens.</summary>
internal static class SmallNumbers
{
    /// <summary>The width of the model.</summary>
    public const int Width = 8;

    // The first entry whose word the name contains decides, so narrower words stand before wider ones.
    private static readonly (string word, int value)[] _byWord =
    [
        ("vocab", 32), ("tokens", 32), ("kvhead", 2), ("keyvalueheads", 2), ("headdim", Width / 2), ("headsize", Width / 2), ("dhead", Width / 2), ("dk", Width / 2),
        ("head", 2), ("layer", 2), ("depth", 2), ("numblock", 2), ("nblock", 2), ("blocksize", 16), ("patch", 4), ("image", 8), ("imgsize", 8), ("resolution", 8),
        ("position", 16), ("maxlen", 16), ("maxseq", 16), ("seqlen", 16), ("context", 16), ("length", 16), ("intermediate", 2 * Width), ("ffn", 2 * Width), ("dff", 2 * Width),
        ("ff", 2 * Width), ("inner", 2 * Width), ("mlp", 2 * Width), ("expert", 2), ("topk", 1), ("class", 3), ("label", 3), ("padding", 0), ("kernel", 1), ("stride", 1),
        ("theta", 10000), ("type", 2), ("ratio", 2), ("expansion", 2), ("group", 2), ("inchannel", 3), ("numchannel", 3), ("id", 1), ("index", 0), ("seed", 1),
    ];

    /// <summary>A whole number for a name.</summary>
    public static int Of(string name)
    {
        var plain = new string([.. name.Where(char.IsLetter).Select(char.ToLowerInvariant)]);
        return _byWord.FirstOrDefault(entry => plain.Contains(entry.word, StringComparison.Ordinal)) is { word: not null } found ? found.value : Width;
    }

    /// <summary>A fraction for a name: nothing is dropped, and what is divided by is not zero.</summary>
    public static double Fraction(string name)
    {
        var plain = name.ToUpperInvariant();
        return plain.Contains("DROP", StringComparison.Ordinal) || plain.Contains("PROB", StringComparison.Ordinal) ? 0
            : plain.Contains("EPS", StringComparison.Ordinal) ? 1e-5
            : plain.Contains("THETA", StringComparison.Ordinal) || plain.Contains("BASE", StringComparison.Ordinal) ? 10000
            : plain.Contains("RATIO", StringComparison.Ordinal) || plain.Contains("EXPANSION", StringComparison.Ordinal) ? 2
            : 1;
    }
}
