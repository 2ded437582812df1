using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// The tensors that slots take for their own while an adapter is made, so that a creation that fails frees them: a slot whose constructor throws is in nobody's hands.
/// </summary>
internal sealed class LearnedTensors : IDisposable
{
    [ThreadStatic]
    private static LearnedTensors? _current;

    private readonly LearnedTensors? _outer = _current;
    private readonly List<Tensor> _tensors = [];

    private LearnedTensors() { }

    /// <summary>Begins to collect what this thread's slots take, until disposed.</summary>
    public static LearnedTensors Collect() => _current = new LearnedTensors();

    /// <summary>Notes a tensor that a slot has taken.</summary>
    public static void Add(Tensor tensor) => _current?._tensors.Add(tensor);

    /// <summary>Says that the creation went well, and that the slots keep what they have.</summary>
    public void Keep() => _tensors.Clear();

    /// <summary>Ends collecting, and frees what was not kept.</summary>
    public void Dispose()
    {
        _current = _outer;
        foreach (var tensor in _tensors)
            tensor.Dispose();
    }
}
