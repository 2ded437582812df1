using PeftGen.QuickStart.Words;
using PeftGen.Checkpoints;
using PeftGen.Models;
using TorchSharp;
var seed = 0;
var exam = new WordExam(WordTask.Known, 400);
var model = Pretraining.Run(int.Parse(args[0]), seed, (model, p) =>
{
    if (p.Step % 100 == 0 && p.Step % 500 != 0) Console.WriteLine($"{p.Step} {p.SmoothedLoss:F4} {p.Elapsed.TotalSeconds:F1}s");
    if (p.Step % 500 == 0)
    {
        var answers = exam.Ask(model.forward);
        Console.WriteLine($"{p.Step} {p.SmoothedLoss:F4} {p.Elapsed.TotalSeconds:F1}s " + string.Join("  ", answers.GroupBy(a => a.Question[0]).Select(g => $"{g.Key} {WordExam.Score(g.ToList()):P1}")));
    }
});
HuggingFaceFolder.Save(args[1], model, Pretraining.Config());
