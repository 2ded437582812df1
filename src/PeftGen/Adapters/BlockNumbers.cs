using System.Globalization;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>The numbers of a model's blocks, counted through all its stacks: a decoder goes on where its encoder ends.</summary>
internal sealed class BlockNumbers
{
    private readonly HashSet<string> _sequences = [];
    private readonly Dictionary<string, int> _first = [];

    /// <param name="modules">All modules by path, in the model's order.</param>
    public BlockNumbers(IEnumerable<(string path, nn.Module module)> modules)
    {
        var all = modules.ToList();
        // What is called in turn by itself, such as two layers with an activation between, is no stack of blocks.
        _sequences.UnionWith(all.Where(m => m.module is Sequential).Select(m => m.path));
        foreach (var stack in all.Select(m => BlockOf(m.path)).OfType<(string stack, int index)>().GroupBy(block => block.stack))
        {
            _first[stack.Key] = Count;
            Count += stack.Max(block => block.index) + 1;
        }
    }

    /// <summary>How many blocks there are.</summary>
    public int Count { get; }

    /// <summary>The number of the block that a path lies in; -1: in none.</summary>
    public int NumberOf(string path) => BlockOf(path) is { } block && _first.TryGetValue(block.stack, out var first) ? first + block.index : -1;

    /// <summary>The index of the block that a path lies in, as HF PEFT counts: the path's first number, which begins anew in each stack. −1: it has none.</summary>
    public static int IndexIn(string path) =>
        path.Split('.').Select(segment => int.TryParse(segment, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : -1).FirstOrDefault(index => index >= 0, -1);

    /// <summary>The outermost block of a path.</summary>
    private (string stack, int index)? BlockOf(string path)
    {
        var segments = path.Split('.');
        for (var i = 1; i < segments.Length; i++)
            if (int.TryParse(segments[i], NumberStyles.None, CultureInfo.InvariantCulture, out var index) && string.Join('.', segments[..i]) is var stack && !_sequences.Contains(stack))
                return (stack, index);
        return null;
    }
}
