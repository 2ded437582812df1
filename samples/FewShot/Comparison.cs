using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using PeftGen.Checkpoints;
using PeftGen.FewShot.Data;
using PeftGen.FewShot.Display;
using PeftGen.FewShot.Experiments;
using PeftGen.Models;
using PeftGen.QuickStart.Display;
using PeftGen.Training;

namespace PeftGen.FewShot;

/// <summary>Runs every method with every number of sentences and every seed, as far as that is not done yet, and shows what all came to.</summary>
/// <param name="options">What is compared.</param>
/// <param name="screen">Where it is shown.</param>
internal sealed class Comparison(CompareOptions options, Screen screen)
{
    private const int LongestSentence = 128;

    /// <summary>Runs it.</summary>
    /// <param name="cancellation">Stops it; what is done stays in the results' file.</param>
    /// <exception cref="FewShotException">Something given cannot be used.</exception>
    public void Run(CancellationToken cancellation)
    {
        var config = BertConfig.FromJson(HuggingFaceFolder.ReadConfig(options.Model));
        var tokens = WordPieces.Open(options.Model);
        if (tokens.Size > config.VocabSize)
            throw new FewShotException($"{options.Model}: the tokenizer has {tokens.Size} tokens, the model has {config.VocabSize}. The files belong to different models: copy them again from one.");
        var split = Split(text => tokens.Encode(text, (int)Math.Min(LongestSentence, config.MaxPositionEmbeddings)));
        var setup = Setup();
        Directory.CreateDirectory(options.OutputFolder);
        var file = new ResultsFile(options.File("results.jsonl"), setup);
        var done = file.Read().Select(result => result.Key()).ToHashSet();
        var left = (from method in options.Methods from k in options.Sizes from seed in options.Seeds where !done.Contains(new RunKey(method.Name, k, seed)) select (method, k, seed)).ToList();

        screen.Heading("Few sentences, many methods");
        screen.Fact("base", options.Model);
        screen.Fact("sentences", string.Create(CultureInfo.InvariantCulture, $"{split.PoolSize:N0} to draw from, {split.Test.Count:N0} others to test on, of which the larger class has {split.Majority:0.0 %}"));
        screen.Fact("runs", $"{left.Count} to do, {done.Count} in {file.Path} already");
        FreedMemory.Keep();
        var run = new FewShotRun(options.Model, config, split, tokens.Padding, setup);
        foreach (var (method, k, seed) in left)
        {
            // Another process may have come here first.
            if (file.Read().Any(result => result.Key() == new RunKey(method.Name, k, seed))) continue;
            var clock = Stopwatch.StartNew();
            var result = run.Run(method, k, seed, cancellation);
            file.Add(result);
            screen.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"{method.Title,-24} K = {k,-5} seed {seed,-3} {100 * result.Accuracy,5:0.0} %   loss {result.Loss:0.000}   {result.Steps} steps of {result.SecondsPerStep:0.000} s, {clock.Elapsed.TotalSeconds:0} s in all"));
        }
        Show(new Summary(file.Read()));
    }

    private SentenceSplit Split(Func<string, long[]> encode)
    {
        var sentences = RatedSentence.Read(options.Data);
        return options.TestData is { } test ? SentenceSplit.Of(sentences, RatedSentence.Read(test), encode) : SentenceSplit.Of(sentences, options.TestSentences, encode);
    }

    private void Show(Summary summary)
    {
        screen.Heading("Accuracy in %, mean ± standard deviation over seeds");
        ResultsTable.Show(screen, summary);
        ResultsTable.Save(summary, options.File("table.md"));
        ResultsPlot.Save(summary, options.File("accuracy.png"));
        screen.Fact("table", options.File("table.md"));
        screen.Fact("picture", options.File("accuracy.png"));
    }

    /// <summary>Names the model, the data and the test by their content.</summary>
    private string Setup()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in (string?[])[options.Data, options.TestData, .. Directory.EnumerateFiles(options.Model, "*.safetensors").Order(StringComparer.Ordinal), Path.Combine(options.Model, "vocab.txt")])
            if (path is not null) hash.AppendData(File.ReadAllBytes(path));
        return $"{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 6))}-{(options.TestData is null ? options.TestSentences.ToString(CultureInfo.InvariantCulture) : "own")}";
    }
}
