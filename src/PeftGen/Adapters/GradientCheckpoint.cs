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
    /// <param name="node">What the adapter puts beside the block.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="block">Runs the block under a context on its inputs, in their order.</param>
    /// <param name="inputs">The block's tensors; null where it was given none.</param>
    /// <returns>What the block returns, with the same gradients; the caller owns it.</returns>
    public static Tensor Run(AdapterNode node, ForwardContext context, Func<ForwardContext, IReadOnlyList<Tensor?>, Tensor> block, params Tensor?[] inputs)
    {
        var learning = node.Learning.ToList();
        if (!is_grad_enabled() || (learning.Count == 0 && !inputs.Any(x => x is { requires_grad: true })))
            return block(context, inputs);
        var call = new RecomputedCall(context, block, inputs, node.Randomness);
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
        ctx.save_for_backward([.. call.Kept(vars.Skip(1).Cast<Tensor?>()).Select(x => x!)]);
        return call.Run(vars.Skip(1).Cast<Tensor?>());
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
internal sealed class RecomputedCall : IDisposable
{
    private readonly ForwardContext _context;
    private readonly Func<ForwardContext, IReadOnlyList<Tensor?>, Tensor> _block;
    private readonly IReadOnlyList<InputRole> _roles;
    private readonly int _inputs;
    private readonly Randomness _randomness;
    private readonly RandomState _before;
    private Tensor? _result;

    public RecomputedCall(ForwardContext context, Func<ForwardContext, IReadOnlyList<Tensor?>, Tensor> block, IReadOnlyList<Tensor?> inputs, Randomness randomness)
    {
        _context = context;
        _block = block;
        _inputs = inputs.Count;
        _roles = [.. context.Inputs.Keys];
        _randomness = randomness;
        _before = randomness.Save();
    }

    /// <summary>What autograd has to keep: the block's inputs, the parameters, and the root's inputs that slots may ask for.</summary>
    public IEnumerable<Tensor?> Kept(IEnumerable<Tensor?> arguments) => arguments.Concat(_roles.Select(role => _context.Inputs[role]));

    /// <summary>The first time, without gradients.</summary>
    public Tensor Run(IEnumerable<Tensor?> arguments)
    {
        // A context of its own: what it shares has no gradients, and slots outside of the block would take it.
        using var context = _context.Copy(_context.Options, _context.Inputs);
        return _result = _block(context, arguments.Take(_inputs).ToList());
    }

    /// <summary>Autograd made a tensor of its own from what the block returned.</summary>
    public void Dispose() => _result?.Dispose();

    /// <summary>The second time, with gradients, from the same random numbers.</summary>
    /// <param name="kept">What <see cref="Kept"/> gave.</param>
    /// <param name="gradient">The gradient of what the block returned.</param>
    /// <returns>The gradients of the block's inputs and of the parameters; null where there is none. The caller owns them.</returns>
    public IReadOnlyList<Tensor?> Gradients(IReadOnlyList<Tensor?> kept, Tensor gradient)
    {
        using var scope = NewDisposeScope();
        using var enabled = enable_grad();
        var arguments = kept.Take(kept.Count - _roles.Count).ToList();
        // Leaves of a graph of its own, in place of what came out of the graph before.
        var leaves = arguments.Select((x, i) => i < _inputs ? x?.detach().requires_grad_(x.requires_grad) : x).ToList();
        using var context = _context.Copy(
            new ForwardOptions(), _roles.Select((role, i) => (role, value: kept[arguments.Count + i]!)).ToDictionary(p => p.role, p => p.value));

        var now = _randomness.Save();
        _randomness.Restore(_before);
        var result = _block(context, leaves.Take(_inputs).ToList());
        _randomness.Restore(now);

        var asked = leaves.Where(x => x is { requires_grad: true }).ToList();
        if (!result.requires_grad)
            return [.. leaves.Select(_ => (Tensor?)null)];
        var found = new Queue<Tensor>(autograd.grad([result], asked!, [gradient], allow_unused: true));
        return [.. leaves.Select(x => x is { requires_grad: true } ? Owned(found.Dequeue()) : null)];
    }

    private static Tensor? Owned(Tensor gradient) => gradient.IsInvalid ? null : gradient.MoveToOuterDisposeScope();
}
