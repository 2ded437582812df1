using PeftGen.Checkpoints;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// All that an adapter needs for its training to go on bit for bit: also what its file leaves out, and where its dropout stands.
/// The optimizer has a state of its own: <c>optimizer.save_state_dict</c>.
/// </summary>
public static class AdapterTrainingState
{
    private const string SeedKey = "dropout.seed";
    private const string StateKey = "dropout.state.";

    /// <summary>Copies the state.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <returns>Every parameter and buffer by its path in the adapter's tree, and <c>dropout.*</c>. The tensors belong to the caller.</returns>
    /// <exception cref="AdapterException">The adapter is composed of others.</exception>
    public static Dictionary<string, Tensor> TrainingState(this AdapterNode adapter)
    {
        var dropout = DropoutOf(adapter);
        using var quiet = no_grad();
        var state = adapter.state_dict().ToDictionary(entry => entry.Key, entry => entry.Value.clone().DetachFromDisposeScope());
        state[SeedKey] = tensor(dropout.Seed).DetachFromDisposeScope();
        foreach (var (device, generator) in dropout.States())
            state[StateKey + device] = generator;
        return state;
    }

    /// <summary>Goes back to a state. The adapter has to be one of the same methods and values on the same model.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="state">What <see cref="TrainingState"/> gave; it stays the caller's.</param>
    /// <exception cref="AdapterException">The state is another adapter's; nothing has changed.</exception>
    public static void LoadTrainingState(this AdapterNode adapter, IReadOnlyDictionary<string, Tensor> state)
    {
        var dropout = DropoutOf(adapter);
        var targets = adapter.state_dict();
        var values = state.Where(entry => !IsDropout(entry.Key)).ToDictionary(entry => entry.Key, entry => entry.Value.shape);
        TensorFit.Check("the training state", "Load it into an adapter that was created with the same values.", targets, values);
        if (!state.TryGetValue(SeedKey, out var seed))
            throw new AdapterException($"the training state has no '{SeedKey}'. Pass on all that TrainingState() gave.");
        using var quiet = no_grad();
        foreach (var (key, target) in targets)
            target.copy_(state[key]);
        dropout.Restore(seed.item<long>(), state.Where(entry => entry.Key.StartsWith(StateKey, StringComparison.Ordinal)).Select(entry => (entry.Key[StateKey.Length..], entry.Value)));
    }

    /// <summary>Writes the state to a safetensors file, beside its place and then renamed.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="file">The file; one that is there is replaced.</param>
    public static void SaveTrainingState(this AdapterNode adapter, string file)
    {
        var state = adapter.TrainingState();
        try
        {
            SafetensorsWriter.Write(file, state.Select(entry => (entry.Key, entry.Value)));
        }
        finally
        {
            foreach (var value in state.Values)
                value.Dispose();
        }
    }

    /// <summary>Goes back to the state in a file.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="file">What <see cref="SaveTrainingState"/> wrote.</param>
    /// <exception cref="AdapterException">The state is another adapter's; nothing has changed.</exception>
    /// <exception cref="CheckpointException">The file is missing or damaged.</exception>
    public static void LoadTrainingState(this AdapterNode adapter, string file)
    {
        using var opened = SafetensorsFile.Open(file);
        var state = opened.Names.ToDictionary(name => name, opened.Read);
        try
        {
            adapter.LoadTrainingState(state);
        }
        finally
        {
            foreach (var value in state.Values)
                value.Dispose();
        }
    }

    private static bool IsDropout(string key) => key == SeedKey || key.StartsWith(StateKey, StringComparison.Ordinal);

    private static DropoutSource DropoutOf(AdapterNode adapter) => adapter.Root switch
    {
        { Dropout: { } dropout } => dropout,
        { Composition: { } composition } => throw new AdapterException($"an adapter made by {composition}.Of has no training state of its own. Take those of its parts."),
        _ => throw new AdapterException("the training state is that of a whole adapter. Take it of what CreateAdapter or LoadAdapter returned."),
    };
}
