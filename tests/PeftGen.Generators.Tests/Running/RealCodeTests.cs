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
        var report = Measure("private readonly Linear spare = torch.nn.Linear(8, 8);", exitCode: 0);

        Assert.Contains("| All | 1 | 0 | 1 | 0 | 0 | 1 | 0 | 0 |", report);
        Assert.Contains("- Wrong Net: spare.lora_A gets no gradient", report);
    }

    [Fact]
    public void A_class_that_is_refused_is_told()
    {
        var report = Measure("public class Adapted { }", exitCode: 1);

        Assert.Contains("| PG009 | Net.cs:", report);
        Assert.Contains("| All | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0 |", report);
    }

    [Fact]
    public void A_project_file_that_is_no_XML_is_told_and_ends_nothing()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "Net.csproj"), "<Project><PropertyGroup>");
        var report = Measure("", exitCode: 0);

        Assert.Contains("Net.csproj is not read:", report);
        Assert.Contains("| All | 1 | 0 | 1 | 0 | 0 | 1 | 1 | 0 |", report);
    }

    [Fact]
    public void Static_usings_of_a_project_count_in_any_spelling()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "Net.csproj"), """<Project><ItemGroup><Using Include="System.Math" Static="True" /></ItemGroup></Project>""");

        Assert.Contains("| All | 1 | 0 | 1 | 0 | 0 | 1 | 1 | 0 |", Measure("private static double Root => Sqrt(2);", exitCode: 0));
    }

    [Fact]
    public void A_crash_is_a_row()
    {
        var report = Measure("public class Ends : torch.nn.Module<torch.Tensor, torch.Tensor> { private readonly Linear fc = torch.nn.Linear(4, 4); public Ends() : base(\"ends\") => System.Environment.FailFast(\"gone\"); public override torch.Tensor forward(torch.Tensor x) => fc.forward(x); }", exitCode: 1);

        Assert.Contains("| crash | Net.Ends |", report);
        Assert.Contains("| All | 2 | 0 | 1 | 0 | 1 | 1 | 1 | 0 |", report);
    }

    [Fact]
    public void What_runs_wrong_is_told()
    {
        var report = Measure("public class Random : torch.nn.Module<torch.Tensor, torch.Tensor> { private readonly Linear fc = torch.nn.Linear(8, 4); public Random() : base(\"random\") => RegisterComponents(); public override torch.Tensor forward(torch.Tensor x) => fc.forward(x) * torch.rand(1); }", exitCode: 0);

        Assert.Contains("- NotTried Net.Random: the model itself gives another output each time", report);
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
                private readonly Linear used = torch.nn.Linear(8, 8);
            
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
