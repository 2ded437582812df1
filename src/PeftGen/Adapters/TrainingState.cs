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

    /// <summary>Goes back to a state, and to training. The adapter has to be one of the same methods and values on the same model. Everything is checked before anything changes.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="state">What <see cref="TrainingState"/> gave; it stays the caller's.</param>
    /// <exception cref="AdapterException">The state is another adapter's, damaged, or of a device that is not here; nothing has changed.</exception>
    public static void LoadTrainingState(this AdapterNode adapter, IReadOnlyDictionary<string, Tensor> state)
    {
        var dropout = DropoutOf(adapter);
        foreach (var (key, value) in state)
            if (value is null || value.IsInvalid)
                throw new AdapterException($"the training state's '{key}' is {(value is null ? "null" : "disposed")}, expected a tensor; nothing was loaded. Pass on all that TrainingState() gave.");
        var targets = adapter.state_dict();
        var values = state.Where(entry => !IsDropout(entry.Key)).ToDictionary(entry => entry.Key, entry => new SafetensorsEntry(entry.Value.dtype, entry.Value.shape));
        TensorFit.Check("the training state", "Load it into an adapter that was created with the same values.", targets, values);
        foreach (var (key, target) in targets)
            if (state[key].dtype != target.dtype)
                throw new AdapterException($"the training state's '{key}' is {state[key].dtype}, expected {target.dtype} as the adapter's; nothing was loaded. Convert the adapter to what it was when the state was taken.");
        if (!state.TryGetValue(SeedKey, out var seed))
            throw new AdapterException($"the training state has no '{SeedKey}'; nothing was loaded. Pass on all that TrainingState() gave.");
        if (seed.dtype != ScalarType.Int64 || seed.numel() != 1)
            throw new AdapterException($"the training state's '{SeedKey}' is {seed.dtype} [{string.Join(", ", seed.shape)}], expected one number of Int64; nothing was loaded. The state is damaged: take an earlier one.");
        var generators = DropoutSource.GeneratorsOf(state.Where(entry => entry.Key.StartsWith(StateKey, StringComparison.Ordinal)).Select(entry => (entry.Key[StateKey.Length..], entry.Value)));
        using var quiet = no_grad();
        foreach (var (key, target) in targets)
            target.copy_(state[key]);
        dropout.Replace(seed.item<long>(), generators);
        // A loaded adapter is in evaluation mode, and a state is loaded for its training to go on.
        adapter.train();
    }

    /// <summary>Writes the state to a safetensors file, beside its place and then renamed.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="file">The file; one that is there is replaced.</param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
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
    /// <exception cref="AdapterException">The state is another adapter's, damaged, or of a device that is not here; nothing has changed.</exception>
    /// <exception cref="CheckpointException">The file is missing or damaged; nothing has changed.</exception>
    public static void LoadTrainingState(this AdapterNode adapter, string file)
    {
        using var opened = SafetensorsFile.Open(file);
        var state = new Dictionary<string, Tensor>();
        try
        {
            foreach (var name in opened.Names)
                state[name] = opened.Read(name);
            adapter.LoadTrainingState(state);
        }
        catch (AdapterException e)
        {
            throw new AdapterException($"{file}: {e.Message}", e);
        }
        finally
        {
            foreach (var value in state.Values)
                value.Dispose();
        }
    }

    private static bool IsDropout(string key) => key == SeedKey || key.StartsWith(StateKey, StringComparison.Ordinal);

    private static DropoutSource DropoutOf(AdapterNode adapter)
    {
        AdapterFit.Require(adapter, "take or load the training state");
        return adapter.Root switch
        {
            { Dropout: { } dropout } => dropout,
            { Composition: { } composition } => throw new AdapterException($"an adapter made by {composition}.Of has no training state of its own. Take those of its parts."),
            _ => throw new AdapterException("the training state is that of a whole adapter. Take it of what CreateAdapter or LoadAdapter returned."),
        };
    }
}
