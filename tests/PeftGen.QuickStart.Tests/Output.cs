using PeftGen.QuickStart.Display;

namespace PeftGen.QuickStart.Tests;

/// <summary>A folder for a run's files, and what the run showed.</summary>
internal sealed class Output : IDisposable
{
    private readonly StringWriter _shown = new();
    private readonly StringWriter _errors = new();

    public Output() => Screen = Screen.Plain(_shown);

    public Screen Screen { get; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("quickstart-").FullName;

    public string Shown => _shown.ToString();

    public string Errors => _errors.ToString();

    /// <summary>Runs the program as its command line does.</summary>
    public Task<int> Run(params string[] args) => CommandLine.RunAsync([.. args, "--out", Path.Combine(Folder, "out")], Screen, _errors);

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
}
