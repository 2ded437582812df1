using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;
using PeftGen.Checkpoints;

namespace PeftGen.FewShot.Data;

/// <summary>The WordPiece tokenizer of a BERT's folder: <c>vocab.txt</c>, and <c>tokenizer_config.json</c> where there is one.</summary>
internal sealed partial class WordPieces
{
    private readonly BertTokenizer _tokenizer;

    private WordPieces(BertTokenizer tokenizer, int size) => (_tokenizer, Size) = (tokenizer, size);

    /// <summary>How many tokens there are.</summary>
    public int Size { get; }

    /// <summary>The token that fills rows up.</summary>
    public long Padding => _tokenizer.PaddingTokenId;

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="folder">A model's folder.</param>
    /// <exception cref="FewShotException">There is none, or it lacks a special token.</exception>
    /// <exception cref="CheckpointException">Its configuration is damaged.</exception>
    public static WordPieces Open(string folder)
    {
        var path = Path.Combine(folder, "vocab.txt");
        if (!File.Exists(path)) throw new FewShotException($"{path}: there is no such file. Give a folder with a BERT and its tokenizer, as Hugging Face has them.");
        var lowers = LowersCase(Path.Combine(folder, "tokenizer_config.json"));
        try
        {
            // BERT takes accents off where it lowers the case.
            var tokenizer = BertTokenizer.Create(path, new BertOptions
            {
                LowerCaseBeforeTokenization = lowers, RemoveNonSpacingMarks = lowers, PreTokenizer = new RegexPreTokenizer(Word(), specialTokens: null),
            });
            return new WordPieces(tokenizer, File.ReadLines(path).Count());
        }
        // What the tokenizer throws for a vocabulary without [UNK], [CLS], [SEP], [PAD] or [MASK].
        catch (ArgumentException error)
        {
            throw new FewShotException($"{path}: this is no vocabulary of a BERT: {error.Message} Copy the file again.", error);
        }
    }

    /// <summary>The tokens of a sentence between <c>[CLS]</c> and <c>[SEP]</c>.</summary>
    /// <param name="text">The sentence.</param>
    /// <param name="atMost">How many tokens there may be in all; what is more is cut off before <c>[SEP]</c>.</param>
    public long[] Encode(string text, int atMost) =>
        [_tokenizer.ClassificationTokenId, .. _tokenizer.EncodeToIds(text, addSpecialTokens: false).Take(atMost - 2).Select(id => (long)id), _tokenizer.SeparatorTokenId];

    /// <summary>A punctuation mark, or what stands between marks and blanks. Of ASCII, BERT takes symbols for marks, too; the tokenizer by itself would leave them out.</summary>
    [GeneratedRegex(@"[\p{P}$+<=>^`|~]|[^\s\p{P}$+<=>^`|~]+")]
    private static partial Regex Word();

    private static bool LowersCase(string path)
    {
        if (!File.Exists(path)) return true;
        try
        {
            return JsonNode.Parse(File.ReadAllText(path))?["do_lower_case"]?.GetValue<bool>() ?? true;
        }
        catch (Exception error) when (error is System.Text.Json.JsonException or InvalidOperationException or FormatException)
        {
            throw new FewShotException($"{path}: this is no tokenizer's configuration: {error.Message} Copy the file again.", error);
        }
    }
}
