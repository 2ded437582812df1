using System.Globalization;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace PeftGen.QuickStart.Texts;

/// <summary>
/// Cuts text into the words that GPT-2's byte-level BPE merges within, and around special tokens. The pattern is
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>; it is followed by hand, since .NET's
/// regular expressions see letters beyond U+FFFF as two characters that are no letters.
/// </summary>
/// <param name="specialTokens">Texts that stand for themselves wherever they occur.</param>
/// <param name="singleDigits">Whether every digit is a word of its own.</param>
internal sealed class ByteLevelPreTokenizer(IReadOnlyCollection<string> specialTokens, bool singleDigits) : PreTokenizer
{
    private enum Kind { Letter, Number, Space, Other }

    private static readonly string[] Contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    // Of two that begin alike, the longer one is meant.
    private readonly string[] _special = [.. specialTokens.Where(token => token.Length > 0).OrderByDescending(token => token.Length)];

    public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => Words(text);

    public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) => Words(text);

    private List<(int Offset, int Length)> Words(ReadOnlySpan<char> text)
    {
        var words = new List<(int, int)>();
        var plain = 0;
        for (var at = 0; at < text.Length;)
        {
            var special = SpecialAt(text[at..]);
            if (special == 0)
            {
                at++;
                continue;
            }
            AddWords(words, text[plain..at], plain);
            words.Add((at, special));
            plain = at += special;
        }
        AddWords(words, text[plain..], plain);
        return words;
    }

    private int SpecialAt(ReadOnlySpan<char> text)
    {
        foreach (var token in _special)
            if (text.StartsWith(token, StringComparison.Ordinal)) return token.Length;
        return 0;
    }

    private void AddWords(List<(int, int)> words, ReadOnlySpan<char> text, int offset)
    {
        if (!singleDigits)
        {
            AddPart(words, text, offset);
            return;
        }
        var plain = 0;
        for (var at = 0; at < text.Length;)
        {
            var (kind, length) = KindAt(text, at);
            if (kind == Kind.Number)
            {
                AddPart(words, text[plain..at], offset + plain);
                words.Add((offset + at, length));
                plain = at + length;
            }
            at += length;
        }
        AddPart(words, text[plain..], offset + plain);
    }

    private static void AddPart(List<(int, int)> words, ReadOnlySpan<char> text, int offset)
    {
        for (var at = 0; at < text.Length;)
        {
            var length = WordAt(text, at);
            words.Add((offset + at, length));
            at += length;
        }
    }

    private static int WordAt(ReadOnlySpan<char> text, int start)
    {
        foreach (var contraction in Contractions)
            if (text[start..].StartsWith(contraction, StringComparison.Ordinal)) return contraction.Length;

        // One space belongs to the word that follows it.
        var first = text[start] == ' ' && start + 1 < text.Length ? start + 1 : start;
        var (kind, _) = KindAt(text, first);
        if (kind != Kind.Space) return RunOf(kind, text, first) - start;

        var end = RunOf(Kind.Space, text, start);
        // Of white space before a word, the last character is left to it. White space has no character beyond U+FFFF.
        return end < text.Length && end - start > 1 ? end - start - 1 : end - start;
    }

    private static int RunOf(Kind kind, ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && KindAt(text, at) is var next && next.Kind == kind) at += next.Length;
        return at;
    }

    private static (Kind Kind, int Length) KindAt(ReadOnlySpan<char> text, int at)
    {
        _ = Rune.DecodeFromUtf16(text[at..], out var rune, out var length);
        return (Rune.GetUnicodeCategory(rune) switch
        {
            _ when Rune.IsWhiteSpace(rune) => Kind.Space,
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Other,
        }, length);
    }
}
