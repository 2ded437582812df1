using PeftGen.QuickStart.Words;

namespace PeftGen.QuickStart.Tests;

public sealed class WordSourceTests
{
    [Fact]
    public void Training_never_sees_a_word_of_an_exam()
    {
        var (training, exam) = (new WordSource(1), new WordSource(2));
        var seen = Enumerable.Range(0, 20_000).Select(_ => training.ForTraining()).ToHashSet();
        var kept = Enumerable.Range(0, 20_000).Select(_ => exam.ForExamination()).ToHashSet();
        Assert.Empty(seen.Intersect(kept));
        Assert.True(seen.Count > 15_000 && kept.Count > 10_000, $"{seen.Count} and {kept.Count} different words");
    }

    [Fact]
    public void About_one_word_in_eight_is_kept()
    {
        var all = from a in Letters() from b in Letters() from c in Letters() select $"{a}{b}{c}";
        Assert.InRange(all.Count(WordSource.IsKept) / Math.Pow(26, 3), 0.11, 0.14);
    }

    [Fact]
    public void Tasks_solve_words()
    {
        var all = WordTask.Known.Append(WordTask.New).Select(task => task.Line("plumz"));
        Assert.Equal(["=plumz>plumz.", "^plumz>PLUMZ.", "<plumz>lmpuz.", "+plumz>qmvna.", "@plumz>lumzp.", "%plumz>lpmuz.", "~plumz>zmulp."], all);
    }

    [Fact]
    public void Every_line_fits_the_vocabulary_of_the_base()
    {
        var words = new WordSource(3);
        Assert.All(WordTask.Known.Append(WordTask.New), task =>
        {
            var line = task.Line(words.ForTraining());
            Assert.Equal(line, WordVocabulary.Text(line.Select(WordVocabulary.Id)));
        });
    }

    private static IEnumerable<char> Letters() => Enumerable.Range('a', 26).Select(c => (char)c);
}
