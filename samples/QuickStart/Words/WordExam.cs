using PeftGen.Generation;
using PeftGen.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Words;

/// <summary>One examined word.</summary>
/// <param name="Question">What was asked.</param>
/// <param name="Expected">The right answer.</param>
/// <param name="Given">The model's answer, without its end.</param>
internal sealed record WordAnswer(string Question, string Expected, string Given)
{
    /// <summary>Whether every letter is right.</summary>
    public bool IsRight => Given == Expected;
}

/// <summary>Words that no training sees, to be answered by greedy decoding.</summary>
internal sealed class WordExam
{
    private const int BatchSize = 128;
    private readonly List<(WordTask Task, string Word)> _items;

    /// <param name="tasks">What is asked, in turn.</param>
    /// <param name="size">How many different words.</param>
    /// <param name="seed">Which words.</param>
    public WordExam(IReadOnlyList<WordTask> tasks, int size, int seed = 0)
    {
        var source = new WordSource(seed);
        var words = new HashSet<string>();
        while (words.Count < size) words.Add(source.ForExamination());
        _items = words.Select((word, index) => (tasks[index % tasks.Count], word)).ToList();
    }

    /// <summary>Lets a model answer.</summary>
    /// <param name="forward">The model, with or without an adapter.</param>
    public IReadOnlyList<WordAnswer> Ask(Func<Tensor, Tensor?, KeyValueCache, Tensor> forward) => _items.Chunk(BatchSize).SelectMany(items => Ask(forward, items)).ToList();

    /// <summary>The part of right answers, from 0 to 1.</summary>
    public static double Score(IReadOnlyList<WordAnswer> answers) => (double)answers.Count(answer => answer.IsRight) / answers.Count;

    private static IEnumerable<WordAnswer> Ask(Func<Tensor, Tensor?, KeyValueCache, Tensor> forward, (WordTask Task, string Word)[] items)
    {
        using var scope = NewDisposeScope();
        var questions = items.Select(item => item.Task.Question(item.Word)).ToArray();
        var batch = WordBatch.Of(questions);
        var longest = items.Max(item => item.Word.Length) + 2;
        using var cache = new KeyValueCache();
        var answers = TextGeneration.Generate(
            (ids, mask) => forward(ids, mask, cache), batch.Ids, batch.Mask, new() { MaxNewTokens = longest, EndTokens = [WordVocabulary.Id(WordVocabulary.End)] });
        return items.Select((item, row) => new WordAnswer(questions[row], item.Task.Solve(item.Word), WordVocabulary.Text(answers[row]).TrimEnd(WordVocabulary.End))).ToList();
    }
}
