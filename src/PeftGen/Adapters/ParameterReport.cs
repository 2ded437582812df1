using System.Globalization;
using System.Text;
using PeftGen.Checkpoints;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Parameters of one name and shape, which an adapter has once for each of several layers.</summary>
/// <param name="Method">The method, for example <c>LoRA</c>.</param>
/// <param name="Name">The layer's own name and the parameter's, for example <c>q_proj.lora_A</c>.</param>
/// <param name="Shape">The shape of each.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Trains">Whether they train.</param>
public sealed record ParameterRow(string Method, string Name, IReadOnlyList<long> Shape, int Count, bool Trains)
{
    /// <summary>The numbers in all of them.</summary>
    public long Numbers => Shape.Aggregate((long)Count, (product, size) => product * size);
}

/// <summary>What an adapter trains, what its file holds, and how that compares to the base.</summary>
/// <param name="Model">The class of the model.</param>
/// <param name="Rows">The parameters by method, layer and shape, in the order of the adapter's tree.</param>
/// <param name="Trained">The numbers that train.</param>
/// <param name="Stored">The numbers in the adapter's file.</param>
/// <param name="Base">The numbers in the base's parameters; those that modules share count once.</param>
public sealed record ParameterReport(string Model, IReadOnlyList<ParameterRow> Rows, long Trained, long Stored, long Base)
{
    /// <summary>What trains, in percent of the base.</summary>
    public double Percent => Base == 0 ? 0 : 100.0 * Trained / Base;

    /// <summary>A table for a terminal: one line for each row, then the sums.</summary>
    public override string ToString()
    {
        var table = new TextTable(["method", "parameter", "shape", "count", "numbers"], rightAligned: 2);
        foreach (var row in Rows)
            table.Add(row.Method, row.Trains ? row.Name : $"{row.Name} (frozen)", $"[{string.Join(", ", row.Shape)}]", $"{Number(row.Count)} ×", Number(row.Numbers));
        var text = new StringBuilder();
        text.Append(table);
        text.AppendLine();
        var width = new[] { Trained, Stored, Base }.Max(number => Number(number).Length);
        text.AppendLine(CultureInfo.InvariantCulture, $"trained  {Number(Trained).PadLeft(width)}   {Percent.ToString(Percent is > 0 and < 0.1 ? "0.0000" : "0.00", CultureInfo.InvariantCulture)} % of the base");
        text.AppendLine(CultureInfo.InvariantCulture, $"stored   {Number(Stored).PadLeft(width)}   in the adapter's file");
        text.Append(CultureInfo.InvariantCulture, $"base     {Number(Base).PadLeft(width)}   {Model}");
        return text.ToString();
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>Counts an adapter's parameters.</summary>
public static class ParameterReports
{
    /// <summary>What the adapter trains and stores, beside its base.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="model">The base.</param>
    public static ParameterReport ParameterReport(this AdapterNode adapter, nn.Module model)
    {
        var parameters = adapter.Slots()
            .SelectMany(slot => slot.named_parameters().Select(p => (slot, p.name, p.parameter)))
            .DistinctBy(p => TensorIdentity.Of(p.parameter))
            .ToList();
        var rows = parameters
            .GroupBy(p => (Method: MethodOf(adapter, p.slot), Name: NameOf(p.slot, p.name), Shape: string.Join(",", p.parameter.shape), p.parameter.requires_grad))
            .Select(group => new ParameterRow(group.Key.Method, group.Key.Name, group.First().parameter.shape, group.Count(), group.Key.requires_grad))
            .ToList();
        var stored = adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.HuggingFace)).Select(entry => entry.Value).DistinctBy(TensorIdentity.Of).Sum(value => value.numel());
        return new ParameterReport(
            model.GetType().Name, rows, rows.Where(row => row.Trains).Sum(row => row.Numbers), stored,
            model.parameters().DistinctBy(p => TensorIdentity.Of(p)).Sum(p => p.numel()));
    }

    private static string MethodOf(AdapterNode adapter, Slot slot)
    {
        const string suffix = "Attribute";
        var name = adapter.Root?.MethodOf(slot)?.GetType().Name ?? slot.GetType().Name;
        return name.EndsWith(suffix, StringComparison.Ordinal) && name.Length > suffix.Length ? name[..^suffix.Length] : name;
    }

    /// <summary>The layer's own name: the end of its path, from the last segment on that is no index.</summary>
    private static string NameOf(Slot slot, string parameter)
    {
        var segments = slot.Path.Split('.', StringSplitOptions.RemoveEmptyEntries);
        var named = Array.FindLastIndex(segments, segment => !segment.All(char.IsAsciiDigit));
        return string.Join('.', segments.Skip(Math.Max(named, 0)).Append(parameter));
    }
}
