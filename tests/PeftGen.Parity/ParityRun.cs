using System.Globalization;
using PeftGen.Checkpoints;

namespace PeftGen.Parity;

/// <summary>How a case ended.</summary>
public sealed record Outcome(string Status, string Case, string Text)
{
    public override string ToString() => $"{Status,-11} {Case,-38} {Text}";
}

/// <summary>How all cases ended.</summary>
public sealed record Outcomes(IReadOnlyList<Outcome> All)
{
    public int Failed => All.Count(o => o.Status == "FAIL");

    public string Summary => $"{All.Count(o => o.Status == "ok")} passed, {Failed} failed, {All.Count(o => o.Status == "unsupported")} skipped";
}

/// <summary>Runs cases and says how each ended.</summary>
/// <param name="emit">A folder to keep compiled sources in; null: none.</param>
public sealed class ParityRun(string? emit = null)
{
    private readonly HostCompiler _compiler = new();
    private readonly RandomStart _starts = new();

    public Outcomes Run(IEnumerable<GoldenCase> cases, Action<Outcome> report)
    {
        var outcomes = new List<Outcome>();
        foreach (var golden in cases)
        {
            var outcome = Run(golden);
            outcomes.Add(outcome);
            report(outcome);
        }

        return new Outcomes(outcomes);
    }

    public Outcome Run(GoldenCase golden)
    {
        try
        {
            using var expected = golden.ReadExpected();
            var host = ClassOf(golden);
            if (golden.Settings["new_tokens"] is not null)
                new GenerationCheck(golden, expected, _compiler, host, EmitFolder(golden)).Check();
            else if (golden.AdapterFolders.Count == 0 || golden.IsJoint)
                new SingleAdapter(golden, expected, _compiler, _starts, host, EmitFolder(golden)).Check();
            else
                new SeveralAdapters(golden, expected, _compiler, host, EmitFolder(golden)).Check();
            if (expected.Open.Count > 0)
                throw new ParityException($"{expected.Open.Order(StringComparer.Ordinal).First()}: no check knows this key ({expected.Open.Count} in all)");
            return new Outcome("ok", golden.Name, string.Create(CultureInfo.InvariantCulture, $"{expected.Compared} tensors, largest error {expected.LargestError:0.0e+00}"));
        }
        catch (UnsupportedException e)
        {
            return new Outcome("unsupported", golden.Name, e.Message);
        }
        catch (Exception e)
        {
            // One broken case must not hide the others; what broke it is its outcome.
            var kind = e is ParityException or AdapterException or CheckpointException ? "" : e.GetType().Name + ": ";
            return new Outcome("FAIL", golden.Name, kind + e.Message.ReplaceLineEndings(" "));
        }
    }

    private string? EmitFolder(GoldenCase golden) => emit is null ? null : Path.Combine(emit, golden.Name.Replace('/', Path.DirectorySeparatorChar));

    private string ClassOf(GoldenCase golden)
    {
        if (!Directory.Exists(golden.HostFolder))
            throw new UnsupportedException($"there is no folder {golden.HostFolder} with the case's host");
        var config = golden.HostConfiguration;
        // What is of no library bears a type alone: conv is ConvModel.
        var name = config["architectures"]?[0]?.GetValue<string>() ?? (config["model_type"]?.GetValue<string>() is [var first, .. var rest] ? $"{char.ToUpperInvariant(first)}{rest}Model" : null);
        return name is not null && _compiler.HasClass(name) ? name : throw new UnsupportedException($"there is no host {name}");
    }
}
