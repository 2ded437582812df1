using PeftGen.Checkpoints;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>What the slots of a prompt tell each other about one call.</summary>
internal sealed class PromptCall
{
    private readonly List<(TensorIdentity tensor, int first, int count)> _widened = [];
    private readonly List<object> _waiting = [];

    /// <summary>How many virtual positions the root's output has; 0: none.</summary>
    public int InOutput { get; set; }

    /// <summary>How many positions it has in all.</summary>
    public long Positions { get; set; }

    /// <summary>Whether some vectors have room and were not put there yet.</summary>
    public bool Waits => _waiting.Count > 0;

    /// <summary>Says that ids were widened for some of the vectors.</summary>
    /// <param name="ids">The widened ids.</param>
    /// <param name="first">The first of the vectors.</param>
    /// <param name="count">How many.</param>
    public void Expect(Tensor ids, int first, int count)
    {
        var identity = TensorIdentity.Of(ids);
        _widened.Add((identity, first, count));
        _waiting.Add(identity);
    }

    /// <summary>Says that the vectors will be put into what a module returns.</summary>
    /// <param name="place">Stands for it.</param>
    public void Expect(object place) => _waiting.Add(place);

    /// <summary>The vectors that ids have room for: those that were widened here, and no others, for an embedding may have several callers.</summary>
    public (int first, int count)? RoomIn(Tensor ids)
    {
        if (_widened.Count == 0)
            return null;
        var identity = TensorIdentity.Of(ids);
        foreach (var (tensor, first, count) in _widened)
            if (tensor == identity)
            {
                _waiting.Remove(identity);
                return (first, count);
            }

        return null;
    }

    /// <summary>Whether vectors are to be put into what a module returned, which is done once.</summary>
    public bool Place(object place) => _waiting.Remove(place);
}
