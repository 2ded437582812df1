using System.Text.Json;

namespace PeftGen.FewShot.Experiments;

/// <summary>The results so far, one JSON object a line: added to after every run, so that a stopped comparison goes on where it was.</summary>
/// <param name="path">The file; it need not exist.</param>
/// <param name="setup">The setup that its results have to be of.</param>
internal sealed class ResultsFile(string path, string setup)
{
    /// <summary>The file.</summary>
    public string Path => path;

    /// <summary>Reads all results; of a run that two processes did, the first.</summary>
    /// <exception cref="FewShotException">A line is no result, or one of another setup.</exception>
    public IReadOnlyList<RunResult> Read() =>
        File.Exists(path) ? [.. File.ReadLines(path).Index().Where(line => line.Item.Length > 0).Select(line => Parse(line.Item, line.Index + 1)).DistinctBy(result => result.Key())] : [];

    /// <summary>Adds a result.</summary>
    public void Add(RunResult result)
    {
        // One write, and shared: several processes may fill one file, each with methods of its own.
        using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        file.Write([.. JsonSerializer.SerializeToUtf8Bytes(result), (byte)'\n']);
    }

    private RunResult Parse(string line, int number)
    {
        RunResult? result;
        try
        {
            result = JsonSerializer.Deserialize<RunResult>(line);
        }
        catch (JsonException error)
        {
            throw new FewShotException($"{path}, line {number}: this is no result of a run: {error.Message} Delete the line, and its run is done again.", error);
        }
        return result?.Setup == setup ? result
            : throw new FewShotException($"{path}, line {number}: this result is of another model, data or test ({result?.Setup}, expected {setup}). Give another folder with --out.");
    }
}
