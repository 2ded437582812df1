using System.CommandLine;
using PeftGen.Parity;

var folder = new Argument<DirectoryInfo>("FOLDER") { Description = "A folder with hosts/ and cases/." };
var filters = new Option<string[]>("--filter") { Description = "Only cases whose family/name matches; * stands for any characters. May be repeated." };
var list = new Option<bool>("--list") { Description = "Only list the cases." };
var emit = new Option<DirectoryInfo?>("--emit") { Description = "Keep the compiled sources of each case in this folder." };
var command = new RootCommand("Compares what PeftGen computes with numbers that the reference libraries recorded.") { folder, filters, list, emit };
command.SetAction(result =>
{
    var root = result.GetRequiredValue(folder);
    if (!Directory.Exists(Path.Combine(root.FullName, "cases")) || !Directory.Exists(Path.Combine(root.FullName, "hosts")))
    {
        Console.Error.WriteLine($"{root}: found no cases/ and hosts/ in it. Give the folder that holds both.");
        return 2;
    }

    var cases = GoldenCase.Find(root.FullName, result.GetValue(filters) ?? []).ToList();
    if (cases.Count == 0)
    {
        Console.Error.WriteLine($"{root}: no case matches. --list without --filter shows all.");
        return 2;
    }

    if (result.GetValue(list))
    {
        cases.ForEach(c => Console.WriteLine(c.Name));
        return 0;
    }

    var outcomes = new ParityRun(result.GetValue(emit)?.FullName).Run(cases, outcome => Console.WriteLine(outcome));
    Console.WriteLine(outcomes.Summary);
    return outcomes.Failed == 0 ? 0 : 1;
});
return command.Parse(args).Invoke();
