using System.Globalization;

namespace PeftGen.FewShot.Data;

/// <summary>A sentence and what people thought of it.</summary>
/// <param name="Rating">The mean of their ratings: negative, or positive.</param>
/// <param name="Text">The sentence.</param>
internal sealed record RatedSentence(double Rating, string Text)
{
    /// <summary>Sentences nearer to zero are left out: people did not agree what they are.</summary>
    public const double SmallestRating = 0.5;

    private const string Example = "\"2.267<tab>The Rock is destined to be the 21st Century's new Conan\"";

    /// <summary>Whether the rating is positive.</summary>
    public bool IsPositive => Rating > 0;

    /// <summary>Reads a file with one rating, a tab and one sentence a line. Ambiguous sentences and repeated ones are left out, empty lines are passed over.</summary>
    /// <param name="path">The file, in UTF-8.</param>
    /// <exception cref="FewShotException">There is no such file, or a line is not as expected.</exception>
    public static IReadOnlyList<RatedSentence> Read(string path)
    {
        if (!File.Exists(path)) throw new FewShotException($"{path}: there is no such file, expected lines such as {Example}. Check the path.");
        return File.ReadLines(path).Index().Where(line => !string.IsNullOrWhiteSpace(line.Item))
            .Select(line => Parse(line.Item, $"{path}, line {line.Index + 1}"))
            .Where(sentence => Math.Abs(sentence.Rating) >= SmallestRating)
            // The same sentence must not be trained on and asked for.
            .DistinctBy(sentence => sentence.Text, StringComparer.OrdinalIgnoreCase)
            .ToList();
    }

    private static RatedSentence Parse(string line, string where)
    {
        var tab = line.IndexOf('\t', StringComparison.Ordinal);
        if (tab < 0) throw new FewShotException($"{where}: there is no tab, expected a rating, a tab and a sentence, such as {Example}.");
        if (!double.TryParse(line.AsSpan(0, tab), NumberStyles.Float, CultureInfo.InvariantCulture, out var rating) || !double.IsFinite(rating))
            throw new FewShotException($"{where}: the rating is \"{line[..tab]}\", expected a number, as in {Example}.");
        var text = line[(tab + 1)..].Trim();
        return text.Length > 0 ? new RatedSentence(rating, text) : throw new FewShotException($"{where}: there is no sentence after the rating, expected one, as in {Example}.");
    }
}
