using PeftGen.RealCode;

namespace PeftGen.Generators.Tests.Running;

/// <summary>The program that measures how much of a folder's code compiles.</summary>
public sealed class RealCodeTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("realcode");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_samples_compile() => Assert.Equal(0, RealCodeCommand.Run([Path.Combine(Root(), "samples", "Models")]));

    [Fact]
    public void Layers_that_nothing_calls_do_not_stop_the_others()
    {
        var report = Measure("", exitCode: 0);

        Assert.Contains("| All | 1 | 0 | 1 | 0 | 0 | 0 |", report);
    }

    [Fact]
    public void A_class_that_is_refused_is_told()
    {
        var report = Measure("public class Adapter { }", exitCode: 1);

        Assert.Contains("| PG009 | Net.cs:", report);
        Assert.Contains("| All | 1 | 0 | 0 | 1 | 0 | 0 |", report);
    }

    [Fact]
    public void Without_a_module_there_is_nothing_to_measure() => Assert.Equal(2, RealCodeCommand.Run([_folder.FullName]));

    [Fact]
    public void A_folder_of_choice_compiles()
    {
        var folder = Environment.GetEnvironmentVariable("PEFTGEN_REALCODE");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "PEFTGEN_REALCODE names no folder.");
        Assert.Equal(0, RealCodeCommand.Run([folder!]));
    }

    private string Measure(string member, int exitCode)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "Net.cs"), $$"""
            using TorchSharp;
            using TorchSharp.Modules;

            public class Net : torch.nn.Module<torch.Tensor, torch.Tensor>
            {
                private readonly Linear used = torch.nn.Linear(4, 4);
                private readonly Linear spare = torch.nn.Linear(4, 4);

                public Net() : base("net") => RegisterComponents();

                public override torch.Tensor forward(torch.Tensor x) => used.forward(x);
                {{member}}
            }
            """);
        var report = Path.Combine(_folder.FullName, "report.md");
        Assert.Equal(exitCode, RealCodeCommand.Run([_folder.FullName, "--report", report]));
        return File.ReadAllText(report);
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PeftGen.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests lie in no repository.");
        return folder;
    }
}
