using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>Recorded values of gates, under the keys of the recorded cases.</summary>
internal static class Gates
{
    public static void Compare(IReadOnlyDictionary<string, Tensor> records, string adapter, ExpectedTensors expected, double tolerance)
    {
        // A record's name is the slot's path, a colon, and the kind of site; layers are counted by the first number in the path, a decoder's on from its encoder's.
        var encoder = records.Keys.Select(name => Regex.Match(name, @"^encoder\.\w+\.(\d+)")).Where(m => m.Success).Select(m => int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) + 1).DefaultIfEmpty(0).Max();
        var byKey = records.Select(r => (r.Value, path: r.Key[..r.Key.LastIndexOf(':')], site: r.Key[(r.Key.LastIndexOf(':') + 1)..]))
            .GroupBy(r => $"gate.{adapter}.{int.Parse(Regex.Match(r.path, @"\d+").Value, System.Globalization.CultureInfo.InvariantCulture) + (r.path.StartsWith("decoder.", StringComparison.Ordinal) ? encoder : 0)}.{r.site}");
        foreach (var group in byKey)
            if (expected.Has(group.Key))
                expected.Compare(group.Key, group.Count() == 1 ? group.First().Value : stack(group.Select(g => g.Value).ToArray(), 1), tolerance);
            else if (expected.Keys("gate.").Count > 0)
                throw new ParityException($"{group.Key}: a gate that the reference has not");
    }
}
