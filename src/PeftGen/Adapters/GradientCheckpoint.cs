using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Compiled;

/// <summary>
/// Runs a block without keeping what its backward pass needs: only the block's inputs stay, and the rest is computed again when a gradient arrives.
/// Chen et al., "Training Deep Nets with Sublinear Memory Cost", https://arxiv.org/abs/1604.06174.
/// </summary>
public static class GradientCheckpoint
{
    /// <summary>Runs a block; compiled code of classes with <see cref="GradientCheckpointingAttribute"/> calls it.</summary>
    /// <param name="host">The block.</param>
    /// <param name="node">What the adapter puts beside the block.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="block">Runs the block under a context on its inputs, in their order.</param>
    /// <param name="inputs">The block's tensors; null where it was given none.</param>
    /// <returns>What the block returns, with the same gradients; the caller owns it.</returns>
    public static Tensor Run(nn.Module host, AdapterNode node, ForwardContext context, Func<ForwardContext, IReadOnlyList<Tensor?>, Tensor> block, params Tensor?[] inputs)
    {
        var learning = node.Learning.ToList();
        var call = new RecomputedCall(context, block, inputs.Length, new BlockState(host, node));
        if (!is_grad_enabled() || !inputs.Concat(learning).Any(x => x is { requires_grad: true }))
            return block(context, inputs);
        using var computed = call;
        return CheckpointFunction.apply([call, .. inputs, .. learning]);
    }
}

/// <summary>A block's call as autograd sees it: a function of the block's inputs and of the parameters that learn in it.</summary>
internal sealed class CheckpointFunction : autograd.SingleTensorFunction<CheckpointFunction>
{
    private const string Call = "call";

    public override string Name => nameof(CheckpointFunction);

    public override Tensor forward(autograd.AutogradContext ctx, params object?[] vars)
    {
        var call = (RecomputedCall)vars[0]!;
        ctx.save_data(Call, call);
        var arguments = vars.Skip(1).Cast<Tensor?>().ToList();
        ctx.save_for_backward([.. arguments.Concat(call.RootInputs).Select(x => x!)]);
        return call.Run(arguments);
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var call = (RecomputedCall)ctx.get_data(Call);
        using var gradient = grad_output;
        var gradients = call.Gradients(ctx.get_saved_variables(), gradient);
        // The first argument is the call itself, which has no gradient.
        return [null!, .. gradients.Select(g => g!)];
    }
}

/// <summary>One call of a block, with all that running it a second time needs beside its tensors, which autograd keeps.</summary>
/// <param name="context">The context of the root's call.</param>
/// <param name="block">Runs the block.</param>
/// <param name="inputs">How many inputs the block has.</param>
/// <param name="state">What a run of the block changes.</param>
internal sealed class RecomputedCall(ForwardContext context, Func<ForwardContext, IReadOnlyList<Tensor?>, Tensor> block, int inputs, BlockState state) : IDisposable
{
    private readonly IReadOnlyList<InputRole> _roles = [.. context.Inputs.Keys];
    private RandomState? _before;
    private Tensor? _result;

    /// <summary>The root's inputs, which slots of the block may ask for.</summary>
    public IEnumerable<Tensor?> RootInputs => _roles.Select(role => context.Inputs[role]);

    /// <summary>The first time, without gradients.</summary>
    /// <param name="arguments">The block's inputs, and the parameters that learn in the block.</param>
    public Tensor Run(IReadOnlyList<Tensor?> arguments)
    {
        _before = state.Randomness.Save();
        // A context of its own: what it shares has no gradients, and slots outside of the block would take it.
        using var own = context.Copy(context.Inputs, records: true);
        return _result = block(own, arguments.Take(inputs).ToList());
    }

    /// <summary>Autograd made a tensor of its own from what the block returned.</summary>
    public void Dispose() => _result?.Dispose();

    /// <summary>The second time, with gradients, from the same random numbers. It leaves behind what the first time did.</summary>
    /// <param name="kept">As for <see cref="Run"/>, and the root's inputs after them.</param>
    /// <param name="gradient">The gradient of what the block returned.</param>
    /// <returns>The gradients of the arguments; null where there is none. The caller owns them.</returns>
    public IReadOnlyList<Tensor?> Gradients(IReadOnlyList<Tensor?> kept, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        using var enabled = enable_grad();
        // Leaves of a graph of its own, in place of what came out of the graph before. The parameters are leaves already.
        var arguments = kept.Take(kept.Count - _roles.Count).ToList();
        var leaves = arguments.Select((x, i) => i < inputs ? x?.detach().requires_grad_(x.requires_grad) : x).ToList();
        using var own = context.Copy(_roles.Index().ToDictionary(role => role.Item, role => kept[arguments.Count + role.Index]!), records: false);

        var (now, buffers) = (state.Randomness.Save(), state.Buffers());
        state.Randomness.Restore(_before!);
        var result = block(own, leaves.Take(inputs).ToList());
        state.Randomness.Restore(now);

        var asked = leaves.Where(x => x is { requires_grad: true }).ToList();
        var found = new Queue<Tensor>(result.requires_grad ? autograd.grad([result], asked!, [gradient], allow_unused: true) : []);
        // Only now: the graph may hold the buffers.
        BlockState.Restore(buffers);
        return [.. leaves.Select(x => x is { requires_grad: true } && found.TryDequeue(out var of) ? Owned(of) : null)];
    }

    private static Tensor? Owned(Tensor gradient) => gradient.IsInvalid ? null : gradient.MoveToOuterDisposeScope();
}

/// <summary>What a run of a block changes beside what it returns: where random numbers stand, and buffers, such as the statistics of a batch norm.</summary>
/// <param name="host">The block.</param>
/// <param name="node">What the adapter puts beside it.</param>
internal sealed class BlockState(nn.Module host, AdapterNode node)
{
    public Randomness Randomness => node.Randomness;

    /// <summary>Copies of the buffers that training may change.</summary>
    public List<(Tensor buffer, Tensor before)> Buffers()
    {
        using var quiet = no_grad();
        return [.. new[] { host, node }.Where(module => module.training).SelectMany(module => module.buffers()).Select(buffer => (buffer, buffer.clone()))];
    }

    /// <summary>Puts back what was changed since; other buffers are not written to, since a graph may hold them.</summary>
    public static void Restore(List<(Tensor buffer, Tensor before)> buffers)
    {
        using var quiet = no_grad();
        foreach (var (buffer, before) in buffers.Where(pair => !pair.buffer.IsInvalid && !pair.buffer.Equals(pair.before)))
            buffer.copy_(before);
    }
}
