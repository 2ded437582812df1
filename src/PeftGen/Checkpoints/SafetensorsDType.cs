using TorchSharp;

namespace PeftGen.Checkpoints;

/// <summary>The element types of the safetensors format that TorchSharp has, too.</summary>
internal static class SafetensorsDType
{
    /// <summary>In the order in which the reference implementation lays tensors out: earlier rows first.</summary>
    private static readonly (string Name, torch.ScalarType Type, int Bytes)[] Table =
    [
        ("I64", torch.ScalarType.Int64, 8),
        ("F64", torch.ScalarType.Float64, 8),
        ("F32", torch.ScalarType.Float32, 4),
        ("I32", torch.ScalarType.Int32, 4),
        ("BF16", torch.ScalarType.BFloat16, 2),
        ("F16", torch.ScalarType.Float16, 2),
        ("I16", torch.ScalarType.Int16, 2),
        ("I8", torch.ScalarType.Int8, 1),
        ("U8", torch.ScalarType.Byte, 1),
        ("BOOL", torch.ScalarType.Bool, 1),
    ];

    public static string Known => string.Join(", ", Table.Select(row => row.Name));

    public static bool TryParse(string name, out torch.ScalarType type, out int bytes)
    {
        foreach (var row in Table)
        {
            if (row.Name != name) continue;
            (type, bytes) = (row.Type, row.Bytes);
            return true;
        }
        (type, bytes) = (default, 0);
        return false;
    }

    /// <summary>The place of a type in <see cref="Table"/>, or -1 where the format has no such type.</summary>
    public static int Rank(torch.ScalarType type) => Array.FindIndex(Table, row => row.Type == type);

    public static string Name(torch.ScalarType type) => Table[Rank(type)].Name;
}
