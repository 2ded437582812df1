using System.Buffers.Binary;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Makes generators from states that come from files. Torch ends the process where it does not like a state, so everything that it asks, and all that it would read by, is checked before.</summary>
internal static class GeneratorState
{
    // Torch's own layout (CPUGeneratorImpl.cpp): the seed, two counters, the next word, 624 words of 64 bits, and what is left of normal draws.
    private const int Words = 624, LeftAt = 8, SeededAt = 12, NextAt = 16, WordsAt = 24, NormalAt = WordsAt + (8 * Words), IsNormalAt = NormalAt + 24, IsFloatAt = IsNormalAt + 12;

    /// <summary>A generator in a state.</summary>
    /// <param name="device">The device's name, for example <c>cuda:0</c>.</param>
    /// <param name="state">What <c>get_state</c> gave.</param>
    /// <returns>A generator that the caller owns.</returns>
    /// <exception cref="AdapterException">There is no such device, or torch would not take the state.</exception>
    public static Generator Restore(string device, Tensor state)
    {
        var place = DeviceOf(device);
        var generator = new Generator(0, place);
        try
        {
            Check(device, place, generator, state);
            generator.set_state(state);
            return generator;
        }
        catch
        {
            generator.Dispose();
            throw;
        }
    }

    private static void Check(string device, Device place, Generator generator, Tensor state)
    {
        if (state.dtype != ScalarType.Byte || state.dim() != 1 || state.device_type != DeviceType.CPU || !state.is_contiguous())
            throw Wrong(device, $"is {state.dtype} [{string.Join(", ", state.shape)}]", "bytes in one dimension on the CPU");
        using var scope = NewDisposeScope();
        var own = generator.get_state().numel();
        if (state.numel() != own)
            throw Wrong(device, $"has {state.numel()} bytes", $"{own} as torch's generator here has");
        var bytes = state.data<byte>().ToArray();
        if (place.type == DeviceType.CPU)
            CheckWords(device, bytes);
        // A seed and an offset, of which a step draws four numbers.
        else if (place.type == DeviceType.CUDA && BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)) is var offset && (offset < 0 || offset % 4 != 0))
            throw Wrong(device, $"has the offset {offset}", "a multiple of 4");
    }

    private static void CheckWords(string device, ReadOnlySpan<byte> bytes)
    {
        var left = BinaryPrimitives.ReadInt32LittleEndian(bytes[LeftAt..]);
        var seeded = BinaryPrimitives.ReadInt32LittleEndian(bytes[SeededAt..]);
        var next = BinaryPrimitives.ReadUInt64LittleEndian(bytes[NextAt..]);
        if (seeded != 1)
            throw Wrong(device, $"says {seeded} for whether it was seeded", "1");
        // The words up to the next drawing of all of them are read without another look.
        if (left is < 1 or > Words || next > Words || left + (int)next > Words + 1)
            throw Wrong(device, $"is at word {next} with {left} left", $"no more than {Words} in all");
        for (var word = 0; word < Words; word++)
            if (BinaryPrimitives.ReadUInt64LittleEndian(bytes[(WordsAt + (8 * word))..]) is var value and > uint.MaxValue)
                throw Wrong(device, $"has {value} as word {word}", "32 bits");
        var (isNormal, isFloat) = (BinaryPrimitives.ReadInt32LittleEndian(bytes[IsNormalAt..]), bytes[IsFloatAt]);
        if (isNormal is < 0 or > 1 || isFloat > 1)
            throw Wrong(device, $"says {isNormal} and {isFloat} for whether normal draws are left", "0 or 1");
    }

    private static Device DeviceOf(string name)
    {
        var parts = name.Split(':');
        var index = 0;
        if (parts.Length > 2 || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index)))
            throw Missing(name);
        return parts[0] switch
        {
            "cpu" when parts.Length == 1 => CPU,
            "cuda" when cuda.is_available() && index < cuda.device_count() => new Device(DeviceType.CUDA, index),
            "mps" when mps_is_available() && index == 0 => new Device(DeviceType.MPS),
            _ => throw Missing(name),
        };
    }

    private static AdapterException Missing(string device) => new(
        $"the training state has dropout on '{device}', which this machine does not have; nothing was loaded. Go on where training began, for masks are drawn on the device.");

    private static AdapterException Wrong(string device, string found, string expected) => new(
        $"the training state's dropout on '{device}' {found}, expected {expected}; nothing was loaded. The state is damaged: take an earlier one.");
}
