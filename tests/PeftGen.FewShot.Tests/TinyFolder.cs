using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Models;
using PeftGen.QuickStart.Display;
using static TorchSharp.torch;

namespace PeftGen.FewShot.Tests;

/// <summary>A folder with a random BERT of two layers, its words, sentences about them, and what a run put out.</summary>
internal sealed class TinyFolder : IDisposable
{
    public const int Hidden = 16, Layers = 2, Inner = 24;

    private static readonly string[] Words =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "play", "song", "book", "scene", "end", "a", "the", "this", "is", "was", "and", "very", "so"];

    private readonly StringWriter _shown = new();
    private readonly StringWriter _errors = new();

    public TinyFolder()
    {
        manual_seed(7);
        using var model = new BertModel(BertConfig.FromJson(Config()));
        MakeItTellWordsApart(model);
        HuggingFaceFolder.Save(Model, model, Config());
        Write("model/vocab.txt", Words);
        Data = Write("data.tsv", [.. Sentences()]);
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("few-shot-").FullName;

    public string Model => Path.Combine(Folder, "model");

    public string Data { get; }

    public string Shown => _shown.ToString();

    public string Errors => _errors.ToString();

    public string Out(string name, string folder = "out") => Path.Combine(Folder, folder, name);

    public Task<int> Run(params string[] args) => RunInto("out", args);

    public Task<int> RunInto(string folder, params string[] args) =>
        CommandLine.RunAsync(["--model", Model, "--data", Data, "--out", Path.Combine(Folder, folder), .. args], Screen.Plain(_shown), _errors);

    /// <summary>Writes a file into the folder and returns its path.</summary>
    public string Write(string name, params string[] lines)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllLines(path, lines);
        return path;
    }

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        _shown.Dispose();
        _errors.Dispose();
    }

    /// <summary>As a base that was trained would: its first token sees the others, and good stands against bad. At random it would do so too little to be learned in few steps.</summary>
    private static void MakeItTellWordsApart(BertModel model)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var parameters = model.named_parameters().ToDictionary(pair => pair.name, pair => pair.parameter);
        foreach (var (name, parameter) in parameters)
            if (name.EndsWith("output.dense.weight", StringComparison.Ordinal) || name.EndsWith("value.weight", StringComparison.Ordinal)) parameter.mul_(4);
        var words = parameters["embeddings.word_embeddings.weight"];
        words[Array.IndexOf(Words, "good")].mul_(4);
        words[Array.IndexOf(Words, "bad")].copy_(-words[Array.IndexOf(Words, "good")]);
    }

    /// <summary>288 sentences that are good or bad by one word.</summary>
    private static IEnumerable<string> Sentences() =>
        from word in (string[])["good", "bad"]
        from article in (string[])["a", "the", "this"]
        from thing in (string[])["film", "play", "song", "book", "scene", "end"]
        from verb in (string[])["is", "was"]
        from how in (string[])["", "very ", "so ", "and so "]
        select $"{(word == "good" ? "2.1" : "-1.7")}\t{article} {thing} {verb} {how}{word}";

    private static JsonObject Config() => JsonNode.Parse($$"""
        {
            "model_type": "bert", "vocab_size": {{Words.Length}}, "hidden_size": {{Hidden}}, "intermediate_size": {{Inner}},
            "num_hidden_layers": {{Layers}}, "num_attention_heads": 2, "max_position_embeddings": 32
        }
        """)!.AsObject();
}
