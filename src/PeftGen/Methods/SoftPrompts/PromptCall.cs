using PeftGen.Checkpoints;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>What the slots of a prompt tell each other about one call.</summary>
internal sealed class PromptCall
{
    private readonly List<(TensorIdentity tensor, PromptSpace space)> _widened = [];
    private readonly List<object> _waiting = [];

    /// <summary>How many virtual positions the root's output has; 0: none.</summary>
    public int InOutput { get; set; }

    /// <summary>How many positions it has in all.</summary>
    public long Positions { get; set; }

    /// <summary>Whether some vectors have room and were not put there yet.</summary>
    public bool Waits => _waiting.Count > 0;

    /// <summary>Says that ids were widened for some of the vectors.</summary>
    /// <param name="ids">The widened ids.</param>
    /// <param name="space">The room in them.</param>
    public void Expect(Tensor ids, PromptSpace space)
    {
        var identity = TensorIdentity.Of(ids);
        _widened.Add((identity, space));
        _waiting.Add(identity);
    }

    /// <summary>Says that the vectors will be put into what a module returns.</summary>
    /// <param name="place">Stands for it.</param>
    public void Expect(object place) => _waiting.Add(place);

    /// <summary>The room in ids: in those that were widened here, and in no others, for an embedding may have several callers.</summary>
    public PromptSpace? RoomIn(Tensor ids)
    {
        if (_widened.Count == 0)
            return null;
        var identity = TensorIdentity.Of(ids);
        var space = _widened.FirstOrDefault(w => w.tensor == identity).space;
        if (space is not null)
            _waiting.Remove(identity);
        return space;
    }

    /// <summary>Whether vectors are to be put into what a module returned, which is done once.</summary>
    public bool Place(object place) => _waiting.Remove(place);
}

/// <summary>The room that widened ids have.</summary>
/// <param name="Own">The ids without it.</param>
/// <param name="First">The first of the vectors that it is for.</param>
/// <param name="Count">How many.</param>
internal sealed record PromptSpace(Tensor Own, int First, int Count);
