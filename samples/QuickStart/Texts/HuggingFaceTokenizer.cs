using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.Tokenizers;

namespace PeftGen.QuickStart.Texts;

/// <summary>The byte-level BPE of a Hugging Face folder's <c>tokenizer.json</c>.</summary>
internal sealed class HuggingFaceTokenizer
{
    private readonly BpeTokenizer _bpe;

    private HuggingFaceTokenizer(BpeTokenizer bpe) => _bpe = bpe;

    /// <summary>Reads a tokenizer.</summary>
    /// <param name="folder">A model's folder.</param>
    /// <exception cref="QuickStartException">There is no tokenizer, it is damaged, or it is of a kind that this class does not follow.</exception>
    public static HuggingFaceTokenizer Open(string folder)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(path)) throw new QuickStartException($"{path}: there is no such file. Give a folder with the model and its tokenizer, as Hugging Face has them.");
        try
        {
            using var stream = File.OpenRead(path);
            return Read(path, JsonNode.Parse(stream)?.AsObject() ?? throw new JsonException("it is null"));
        }
        // What System.Text.Json throws for a file that is no JSON, has another shape, or lacks a field.
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new QuickStartException($"{path}: this is no tokenizer of the Hugging Face library: {error.Message} Copy the file again.", error);
        }
    }

    /// <summary>The tokens of a text. Special tokens in it, for example <c>&lt;|im_start|&gt;</c>, are read as such; none is added.</summary>
    public long[] Encode(string text) => [.. _bpe.EncodeToIds(text).Select(id => (long)id)];

    /// <summary>The text of tokens, special ones included.</summary>
    public string Decode(IEnumerable<long> ids) => _bpe.Decode(ids.Select(id => (int)id), considerSpecialTokens: true);

    private static HuggingFaceTokenizer Read(string path, JsonObject json)
    {
        var model = Field(json, "model").AsObject();
        RequireByteLevelBpe(path, json, model);
        var vocabulary = Field(model, "vocab").AsObject().Select(entry => KeyValuePair.Create(entry.Key, entry.Value!.GetValue<int>())).ToList();
        var special = (json["added_tokens"]?.AsArray() ?? []).ToDictionary(token => Text(token!.AsObject(), "content"), token => Field(token!.AsObject(), "id").GetValue<int>());
        return new HuggingFaceTokenizer(BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = Field(model, "merges").AsArray().Select(Merge!),
            SpecialTokens = special,
            PreTokenizer = new ByteLevelPreTokenizer(special.Keys, SplitsDigits(path, Field(json, "pre_tokenizer"))),
            ByteLevel = true,
        }));
    }

    private static void RequireByteLevelBpe(string path, JsonObject json, JsonObject model)
    {
        var found = Text(model, "type") is not "BPE" and var kind ? $"the model is {kind}, expected BPE"
            : json["normalizer"] is { } normalizer ? $"there is a normalizer, {normalizer.ToJsonString()}, expected none"
            : Flag(model, "byte_fallback") ? "byte_fallback is true, expected false"
            : Flag(model, "ignore_merges") ? "ignore_merges is true, expected false"
            : null;
        if (found is not null) throw new QuickStartException($"{path}: {found}. Choose a model with a byte-level BPE, such as SmolLM2.");
    }

    /// <summary>Newer files have pairs, older ones both parts in one text.</summary>
    private static string Merge(JsonNode merge) => merge is JsonArray pair ? $"{pair[0]!.GetValue<string>()} {pair[1]!.GetValue<string>()}" : merge.GetValue<string>();

    private static bool SplitsDigits(string path, JsonNode preTokenizer)
    {
        var steps = Text(preTokenizer.AsObject(), "type") == "Sequence" ? Field(preTokenizer.AsObject(), "pretokenizers").AsArray().Select(step => step!.AsObject()).ToList() : [preTokenizer.AsObject()];
        var supported = steps switch
        {
            [var last] => IsByteLevel(last),
            [var first, var last] => Text(first, "type") == "Digits" && Flag(first, "individual_digits") && IsByteLevel(last),
            _ => false,
        };
        return supported ? steps.Count == 2
            : throw new QuickStartException($"{path}: pre_tokenizer is {preTokenizer.ToJsonString()}, expected ByteLevel with its own pattern, alone or after Digits. Choose a model such as SmolLM2.");
    }

    private static bool IsByteLevel(JsonObject step) => Text(step, "type") == "ByteLevel" && !Flag(step, "add_prefix_space") && (step["use_regex"] is null || Flag(step, "use_regex"));

    private static JsonNode Field(JsonObject json, string name) => json[name] ?? throw new KeyNotFoundException($"the field '{name}' is absent.");

    private static string Text(JsonObject json, string name) => Field(json, name).GetValue<string>();

    private static bool Flag(JsonObject json, string name) => json[name]?.GetValue<bool>() ?? false;
}
