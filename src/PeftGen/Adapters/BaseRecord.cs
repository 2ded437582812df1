using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// What a root remembers of its adapters: which parameters were frozen and what is merged.
/// Generated roots hold one in a plain private field, so the model's state_dict stays as it was.
/// </summary>
public sealed class BaseRecord
{
    private readonly Lock _gate = new();
    private readonly RunningCalls _calls = new();
    private List<(Parameter parameter, bool requiresGrad)>? _flags;
    private AdapterNode? _merged;
    private List<(Tensor weight, Tensor before)>? _before;

    /// <summary>Makes an adapter and freezes the base.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">An empty tree of the group's type.</param>
    /// <param name="values">The methods with their values, in the order of the group.</param>
    /// <param name="generator">For random starts and dropout; null: seeded from torch's own generator.</param>
    /// <exception cref="AdapterException">The values do not fit the model.</exception>
    public T Create<T>(nn.Module host, T adapter, IReadOnlyList<AdaptAttribute> values, Generator? generator) where T : AdapterNode
    {
        try
        {
            RefuseIfMerged("create an adapter");
            new AdapterCreation(host, values, generator).Fill(adapter, host);
        }
        catch
        {
            adapter.Dispose();
            throw;
        }

        Freeze(host);
        return adapter;
    }

    /// <summary>Loads an adapter, in evaluation mode, and freezes the base. If anything does not fit, an exception says what, and nothing has changed.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">An empty tree of the group's type.</param>
    /// <param name="declared">The methods of the group, in its order. The file brings the values and decides which of them act.</param>
    /// <param name="directory">A folder that <c>Save</c>, HF PEFT or AdapterHub wrote.</param>
    /// <param name="generator">For dropout; null: seeded from torch's own generator.</param>
    /// <exception cref="AdapterException">The file's methods, values or tensors do not fit what the model declares.</exception>
    /// <exception cref="CheckpointException">A file is missing or damaged.</exception>
    public T Load<T>(nn.Module host, T adapter, IReadOnlyList<AdaptAttribute> declared, string directory, Generator? generator = null) where T : AdapterNode
    {
        try
        {
            AdapterRoot.RequireFolder(directory);
            RefuseIfMerged("load an adapter");
            AdapterFolder.Load(host, adapter, declared, directory, generator);
            adapter.eval();
        }
        catch
        {
            adapter.Dispose();
            throw;
        }

        Freeze(host);
        return adapter;
    }

    /// <summary>Switches <c>requires_grad</c> off on the base's parameters, and remembers what it was.</summary>
    /// <param name="host">The model.</param>
    public void Freeze(nn.Module host)
    {
        lock (_gate)
        {
            var current = host.parameters().ToList();
            _flags ??= current.Select(p => (p, p.requires_grad)).ToList();
            foreach (var parameter in current.Where(p => p.requires_grad))
                parameter.requires_grad = false;
        }
    }

    /// <summary>Restores the <c>requires_grad</c> flags that the base had before its first adapter.</summary>
    /// <param name="host">The model.</param>
    public void Unfreeze(nn.Module host)
    {
        lock (_gate)
        {
            // Parameters are replaced by .to(), so flags go by order, which is the order of registration.
            foreach (var (parameter, flag) in host.parameters().Zip(_flags ?? []).Select(pair => (pair.First, pair.Second.requiresGrad)))
                parameter.requires_grad = flag;
            _flags = null;
        }
    }

    /// <summary>An adapter as the root's own class knows it.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">What the caller gave.</param>
    /// <exception cref="AdapterException">There is none, it belongs to another class, or the model's class is not compiled.</exception>
    public T Own<T>(nn.Module host, AdapterNode? adapter) where T : AdapterNode
    {
        UncompiledOverrides.Refuse(host, "");
        return adapter?.As<T>() ?? throw new AdapterException(
            "the adapter is null, so there is nothing to run the model through. Give what CreateAdapter or LoadAdapter returned, or call the method without an adapter.");
    }

    /// <summary>Opens the context of a call of the root. Until it is disposed, nothing is merged into the model.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">The adapter.</param>
    /// <param name="options">What the caller said; null: nothing.</param>
    /// <param name="isSuspendable">Whether the call can be left before it has ended: it is a task, or gives items one by one.</param>
    /// <exception cref="AdapterException">The adapter is disposed or another model's, or another one is merged.</exception>
    public ForwardContext Open(nn.Module host, AdapterNode adapter, ForwardOptions? options, bool isSuspendable = false)
    {
        AdapterFit.Require(adapter, "run the model", host);
        var call = _calls.Begin(isSuspendable);
        try
        {
            return new ForwardContext(options, host, call) { RunsBase = RunsBase(adapter) };
        }
        catch
        {
            call.Dispose();
            throw;
        }
    }

    /// <summary>An adapter that can run over a model.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">The adapter.</param>
    /// <exception cref="AdapterException">There is no adapter, or it is disposed or another model's.</exception>
    public T Checked<T>(nn.Module host, T? adapter) where T : AdapterNode
    {
        AdapterFit.Require(adapter, "put the adapter into a module", host);
        return adapter!;
    }

    /// <summary>Whether the base already is what <paramref name="adapter"/> makes of it.</summary>
    /// <exception cref="AdapterException">Another adapter is merged.</exception>
    public bool RunsBase(AdapterNode adapter)
    {
        if (_merged is null)
            return false;
        if (ReferenceEquals(_merged, adapter))
            return true;
        throw new AdapterException("another adapter is merged into this model, so this one would act on top of it. Call UnmergeFrom on the merged adapter first, or merge Stack.Of(a, b).");
    }

    /// <summary>Adds what an adapter does to the base's weights. Waits for calls that run through an adapter.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">An adapter of its group.</param>
    /// <param name="keepBase">Whether to keep a copy of the weights that it changes, for <see cref="Unmerge"/>, and to give them back should anything fail.</param>
    /// <exception cref="AdapterException">An adapter is merged already, a slot cannot merge, a weight is shared by several modules, or a call cannot be waited for.</exception>
    public void Merge(nn.Module host, AdapterNode adapter, bool keepBase) => _calls.Change("merge", () => MergeNow(host, adapter, keepBase));

    private void MergeNow(nn.Module host, AdapterNode adapter, bool keepBase)
    {
        lock (_gate)
        {
            AdapterFit.Require(adapter, "merge", host);
            RefuseIfMerged("merge");
            // A module that stands at two paths has one slot, which is merged once.
            var pairs = adapter.Pairs(host).DistinctBy(pair => pair.slot).ToList();
            foreach (var (slot, _) in pairs.Where(pair => !pair.slot.CanMerge))
                throw new AdapterException($"{slot.Path}: {slot.GetType().Name} cannot be merged with its present values. Run the model with its adapter instead.");
            var targets = pairs.SelectMany(pair => pair.slot.MergeTargets(pair.part).Select(parameter => (pair.slot, parameter))).ToList();
            TiedParameters.Refuse(host, targets);
            using var quiet = no_grad();
            var written = targets.Select(t => (Tensor)t.parameter).Concat(pairs.SelectMany(pair => pair.slot.MergedBuffers(pair.part)));
            var copies = !keepBase ? null : written.DistinctBy(t => t.Handle).Select(t => (t, CopyOf(t))).ToList();
            try
            {
                foreach (var (slot, part) in pairs)
                    slot.MergeInto(part);
            }
            catch when (copies is not null)
            {
                Restore(copies);
                throw;
            }

            _before = copies;
            _merged = adapter;
        }
    }

    /// <summary>Gives the base back the bits that it had before <see cref="Merge"/>. Waits for calls that run through an adapter.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">The merged adapter.</param>
    /// <exception cref="AdapterException">The adapter is not merged, the model was moved since, or a call cannot be waited for.</exception>
    public void Unmerge(nn.Module host, AdapterNode adapter) => _calls.Change("unmerge", () => UnmergeNow(host, adapter));

    private void UnmergeNow(nn.Module host, AdapterNode adapter)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(_merged, adapter))
                throw new AdapterException(_merged is null ? "nothing is merged into this model, so there is nothing to unmerge." : "another adapter is merged into this model; unmerge that one.");
            if (_before is null)
                throw new AdapterException("the adapter was merged with keepBase: false, so there is no copy of the weights that it changed. Load the base again.");
            var present = host.parameters().Concat(host.buffers()).Select(t => t.Handle).ToHashSet();
            if (_before.Any(copy => copy.weight.IsInvalid || !present.Contains(copy.weight.Handle)))
                throw new AdapterException("the model was moved or converted with .to() after merging, so its weights are no longer those that were merged into. Load the base again.");
            using var quiet = no_grad();
            Restore(_before);
            _before = null;
            _merged = null;
        }
    }

    private static Tensor CopyOf(Tensor weight)
    {
        using var detached = weight.detach();
        return detached.clone().DetachFromDisposeScope();
    }

    private static void Restore(List<(Tensor weight, Tensor before)> copies)
    {
        foreach (var (weight, before) in copies)
        {
            weight.copy_(before);
            before.Dispose();
        }
    }

    private void RefuseIfMerged(string what)
    {
        if (_merged is not null)
            throw new AdapterException($"cannot {what}: an adapter is already merged into this model. Call its UnmergeFrom first.");
    }
}

/// <summary>Weights that several modules share cannot take what an adapter means for one of them.</summary>
internal static class TiedParameters
{
    public static void Refuse(nn.Module host, IReadOnlyList<(Slot slot, Parameter parameter)> targets)
    {
        var owners = new Dictionary<TensorIdentity, List<string>>();
        foreach (var (path, module) in host.named_modules().DistinctBy(m => m.module))
            foreach (var (name, parameter) in module.named_parameters(recurse: false))
            {
                if (!owners.TryGetValue(TensorIdentity.Of(parameter), out var list))
                    owners[TensorIdentity.Of(parameter)] = list = [];
                list.Add(path.Length == 0 ? name : $"{path}.{name}");
            }

        var written = targets.Where(t => t.slot.MergesForAll).Select(t => $"{t.slot.Path}.weight").ToHashSet();
        foreach (var (slot, parameter) in targets)
            if (owners.GetValueOrDefault(TensorIdentity.Of(parameter)) is { Count: > 1 } shared && !shared.All(written.Contains))
                throw new AdapterException(
                    $"{slot.Path}: the weight is shared by {string.Join(" and ", shared)}, so merging would change all of them. Run the model with the adapter instead, or untie the weights.");
    }
}
