using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Parity.Tests;

/// <summary>A copy of a recorded case in which one number at a time is changed.</summary>
public sealed class ChangedCase : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("peftgen-changed-");
    private readonly string _name;

    public ChangedCase(string name)
    {
        _name = name;
        Copy(Path.Combine(Goldens.Root, "cases", name), Golden.Folder);
        Copy(new GoldenCase(Goldens.Root, name).HostFolder, Golden.HostFolder);
    }

    /// <summary>The folder with the one case and its host.</summary>
    public string Root => _root.FullName;

    /// <summary>The case, as its files are now.</summary>
    public GoldenCase Golden => new(_root.FullName, _name);

    /// <summary>Changes, one after the other, one number of each tensor of a file; the file is as it was when the next is changed.</summary>
    /// <param name="file">The file, below the case's folder.</param>
    /// <returns>What was changed.</returns>
    public IEnumerable<string> ChangeTensors(string file)
    {
        var path = Path.Combine(Golden.Folder, file);
        var original = File.ReadAllBytes(path);
        var start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(original);
        foreach (var (key, tensor) in JsonNode.Parse(original.AsSpan(8, start - 8))!.AsObject().Where(t => t.Key != "__metadata__"))
        {
            var changed = original.ToArray();
            var range = tensor!["data_offsets"]!.AsArray().Select(o => o!.GetValue<int>() + start).ToArray();
            var what = ChangeOne(key, tensor["dtype"]!.GetValue<string>(), changed.AsSpan(range[0]..range[1]));
            File.WriteAllBytes(path, changed);
            yield return $"{file}, {key}: {what}";
        }

        File.WriteAllBytes(path, original);
    }

    /// <summary>Changes, one after the other, each number of a JSON file: whole ones by one, others sixteenfold.</summary>
    /// <param name="file">The file, below the case's folder.</param>
    /// <param name="except">Fields that are left alone, with all that is in them.</param>
    /// <returns>What was changed.</returns>
    public IEnumerable<string> ChangeNumbers(string file, params string[] except)
    {
        var path = Path.Combine(Golden.Folder, file);
        var original = File.ReadAllText(path);
        foreach (var place in Numbers(JsonNode.Parse(original)!, except).Select(n => n.GetPath()).ToList())
        {
            var json = JsonNode.Parse(original)!;
            var number = Numbers(json, except).Single(n => n.GetPath() == place);
            var changed = Changed(number.ToJsonString());
            var what = $"{file}, {place}: {number.ToJsonString()} → {changed}";
            number.ReplaceWith(JsonNode.Parse(changed));
            File.WriteAllText(path, json.ToJsonString());
            yield return what;
        }

        File.WriteAllText(path, original);
    }

    /// <summary>Adds a tensor of one zero to a file.</summary>
    /// <param name="file">The file, below the case's folder.</param>
    /// <param name="key">The tensor's key.</param>
    public void AddTensor(string file, string key)
    {
        var path = Path.Combine(Golden.Folder, file);
        var original = File.ReadAllBytes(path);
        var start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(original);
        var header = JsonNode.Parse(original.AsSpan(8, start - 8))!.AsObject();
        var end = original.Length - start;
        header[key] = new JsonObject { ["dtype"] = "F32", ["shape"] = new JsonArray(1), ["data_offsets"] = new JsonArray(end, end + sizeof(float)) };
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. original[start..], .. BitConverter.GetBytes(0f)]);
    }

    /// <summary>Gives a field of case.json another number.</summary>
    /// <param name="field">The field.</param>
    /// <param name="value">The number.</param>
    public void SetNumber(string field, double value) => Set(field, value);

    /// <summary>Sets a field of case.json.</summary>
    /// <param name="field">The field.</param>
    /// <param name="value">The value.</param>
    public void Set(string field, JsonNode value)
    {
        var path = Path.Combine(Golden.Folder, "case.json");
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        json[field] = value;
        File.WriteAllText(path, json.ToJsonString());
    }

    public void Dispose() => _root.Delete(recursive: true);

    /// <summary>Whole numbers go up by one, others by a hundredth of the tensor's largest.</summary>
    private static string ChangeOne(string key, string type, Span<byte> data)
    {
        if (type == "I64")
        {
            var numbers = MemoryMarshal.Cast<byte, long>(data);
            numbers[Place(key, numbers.Length)]++;
            return $"number {Place(key, numbers.Length)} + 1";
        }

        Assert.Equal("F32", type);
        var values = MemoryMarshal.Cast<byte, float>(data);
        var largest = 0f;
        foreach (var value in values)
            largest = Math.Max(largest, Math.Abs(value));
        var step = largest > 0 ? largest / 100 : 0.01f;
        values[Place(key, values.Length)] += step;
        return string.Create(CultureInfo.InvariantCulture, $"number {Place(key, values.Length)} + {step:G3}");
    }

    /// <summary>Another place in each tensor, and the same in each run.</summary>
    private static int Place(string key, int count) => key.Aggregate(7, (sum, letter) => (sum * 31 + letter) & 0xffffff) % count;

    private static string Changed(string number) =>
        long.TryParse(number, CultureInfo.InvariantCulture, out var whole) ? (whole + 1).ToString(CultureInfo.InvariantCulture)
        : double.Parse(number, CultureInfo.InvariantCulture) is var value && value == 0 ? "0.5"
        : (value * 16).ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<JsonNode> Numbers(JsonNode? node, string[] except) => node switch
    {
        JsonObject fields => fields.Where(f => !except.Contains(f.Key)).SelectMany(f => Numbers(f.Value, except)),
        JsonArray items => items.SelectMany(item => Numbers(item, except)),
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => [value],
        _ => [],
    };

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
