namespace PeftGen.Checkpoints;

/// <summary>
/// How much an adapter that is made for a file can be in want of: about what the file holds. A configuration that asks for more does not fit the file, and is refused before there is memory for it.
/// </summary>
internal sealed class FileRoom
{
    // What a method makes besides: networks that files leave out, and draws.
    private const long Spare = 1 << 18;

    // So that thousands of tiny tensors count, too.
    private const long Least = 64;

    private readonly long _held;
    private long _left;

    private FileRoom(long held) => (_held, _left) = (held, (2 * held) + Spare);

    /// <summary>The room that files give.</summary>
    public static FileRoom For(IEnumerable<SafetensorsFile> files) => new(files.Sum(file => file.Numbers + (Least * file.Names.Count)));

    /// <summary>Takes the room of a tensor.</summary>
    /// <param name="path">Whose it is.</param>
    /// <param name="shape">Its sizes.</param>
    /// <exception cref="AdapterException">There is less room.</exception>
    public void Take(string path, ReadOnlySpan<long> shape)
    {
        var numbers = (UInt128)1;
        foreach (var length in shape)
            numbers = length < 0 || numbers > (UInt128)_left ? UInt128.MaxValue : numbers * (UInt128)length;
        if (numbers > (UInt128)_left)
            throw new AdapterException(
                $"{path}: the configuration asks for a tensor [{string.Join(", ", shape.ToArray())}], which does not fit the weights beside it: they hold about {_held} numbers in all. One of the two files is damaged or another adapter's.");
        _left -= Math.Max((long)numbers, Least);
    }
}
