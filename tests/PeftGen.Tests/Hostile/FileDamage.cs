using System.Buffers.Binary;
using System.Text.Json.Nodes;

namespace PeftGen.Tests.Hostile;

/// <summary>Changes one file of a folder as accidents and people do.</summary>
internal static class FileDamage
{
    /// <summary>Changes a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="random">Decides how.</param>
    /// <returns>What was done, for messages.</returns>
    public static string Apply(string path, Random random)
    {
        var bytes = File.ReadAllBytes(path);
        var how = random.Next(20);
        switch (how)
        {
            case 0:
                File.Delete(path);
                if (random.Next(2) == 0)
                    Directory.CreateDirectory(path);
                return "gone, or a folder";
            case 1:
                File.WriteAllBytes(path, bytes[..random.Next(bytes.Length)]);
                return "cut off";
            case 2:
                File.WriteAllBytes(path, [.. bytes, .. new byte[random.Next(1, 9)]]);
                return "longer";
            case 3:
                random.NextBytes(bytes);
                File.WriteAllBytes(path, bytes);
                return "noise";
            case 4 or 5 or 6:
                // Where a file says what it holds, more often than in what it holds.
                for (var flips = random.Next(1, 4); flips > 0; flips--)
                    bytes[random.Next(random.Next(2) == 0 ? Math.Min(bytes.Length, 600) : bytes.Length)] ^= (byte)(1 << random.Next(8));
                File.WriteAllBytes(path, bytes);
                return "bits flipped";
            case 7 when path.EndsWith(".safetensors", StringComparison.Ordinal):
                var length = BinaryPrimitives.ReadInt64LittleEndian(bytes);
                BinaryPrimitives.WriteInt64LittleEndian(bytes, random.Next(6) switch { 0 => 0, 1 => -1, 2 => long.MaxValue, 3 => length + random.Next(-9, 9), 4 => 100_000_000, _ => bytes.Length });
                File.WriteAllBytes(path, bytes);
                return "another length of the header";
            default:
                File.WriteAllBytes(path, path.EndsWith(".safetensors", StringComparison.Ordinal) ? WithHeader(bytes, random) : JsonDamage.Apply(JsonNode.Parse(bytes)!, random));
                return "another value in JSON";
        }
    }

    private static byte[] WithHeader(byte[] bytes, Random random)
    {
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var header = JsonDamage.Apply(JsonNode.Parse(bytes.AsSpan(8, length))!, random);
        var prefix = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
        return [.. prefix, .. header, .. bytes[(8 + length)..]];
    }
}
