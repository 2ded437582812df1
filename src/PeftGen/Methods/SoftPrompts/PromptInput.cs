using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Where a prompt is put.</summary>
internal enum PromptRoom
{
    /// <summary>Before the tokens that the model reads.</summary>
    Tokens,

    /// <summary>Before these, and as many vectors more before the tokens that a decoder is fed.</summary>
    TokensAndDecoder,

    /// <summary>Into what the embeddings return.</summary>
    Embeddings,
}

/// <summary>
/// The slot at the root's door. It makes room for the prompt: ids in front that stand for its vectors, ones before the mask, zeros before the segments, −100 before
/// the labels. Positions and masks are then the model's own doing. With a cache this is done in the first call; later ones have their mask widened.
/// </summary>
internal sealed class PromptInput : InputSlot
{
    private const long Ignored = -100;
    private readonly Prompt _prompt;
    private readonly int _length;
    private readonly PromptRoom _room;
    private readonly int? _cutAt;

    /// <param name="site">The root.</param>
    /// <param name="prompt">The prompt, which it shares.</param>
    /// <param name="length">How many virtual positions there are.</param>
    /// <param name="room">Where they are.</param>
    /// <param name="cutAt">How many of the model's own positions come before them, where they are cut from the root's output; null: they stay there.</param>
    public PromptInput(Site site, Prompt prompt, int length, PromptRoom room, int? cutAt) : base(site.Path) =>
        (_prompt, _length, _room, _cutAt) = (prompt, length, room, cutAt);

    public override void enter(ForwardContext context)
    {
        var call = context.State<PromptCall>(_prompt);
        var decoder = context[InputRole.DecoderInputIds];
        var isNew = decoder is null ? context.PastTokens == 0 : context[InputRole.EncoderOutputs] is null;
        Widen(context, InputRole.AttentionMask, 1);
        if (_room == PromptRoom.Embeddings)
        {
            if (isNew)
                call.Expect(_prompt);
        }
        else if (isNew)
        {
            WidenTokens(context, call, InputRole.InputIds, 0);
            Widen(context, InputRole.TokenTypeIds, 0);
        }

        WidenPositions(context, isNew);
        if (decoder is not null)
        {
            if (_room != PromptRoom.TokensAndDecoder || context.PastTokens > 0)
                return;
            WidenTokens(context, call, InputRole.DecoderInputIds, _length);
            (call.InOutput, call.Positions) = (_length, context[InputRole.DecoderInputIds]!.shape[1]);
            Widen(context, InputRole.Labels, Ignored);
        }
        else if (isNew)
        {
            var own = context[InputRole.InputIds]?.shape[1] ?? 0;
            (call.InOutput, call.Positions) = (_length, own + (_room == PromptRoom.Embeddings ? _length : 0));
            if (context[InputRole.Labels] is { } labels && labels.dim() == 2 && labels.shape[1] + _length == call.Positions)
                Widen(context, InputRole.Labels, Ignored);
        }
    }

    public override Tensor leave(ForwardContext context, Tensor output)
    {
        var call = context.State<PromptCall>(_prompt);
        if (call.Waits)
            throw new AdapterException(
                "the prompt was not put anywhere: no embedding that it is declared for was called with the model's own input ids. " +
                "Hand the parameter that bears the ids to the embedding as it is, or let the prompt's targets name the embedding that is called with it.");
        if (_cutAt is not { } at || call.InOutput == 0 || output.dim() < 3 || (call.Positions > _length && output.shape[1] != call.Positions))
            return output;
        using var after = output.narrow(1, at + _length, output.shape[1] - at - _length);
        if (at == 0)
            return after.alias();
        using var before = output.narrow(1, 0, at);
        return cat([before, after], 1);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

    private void WidenTokens(ForwardContext context, PromptCall call, InputRole role, int first)
    {
        var own = context[role] ?? throw new AdapterException(
            "a prompt is put before the model's tokens, and this call has no input ids. Give the parameter that bears them a name that tells it, input_ids, or [Input(InputRole.InputIds)].");
        // Ids that every vocabulary has; what is looked up for them is not used.
        Widen(context, role, 0);
        call.Expect(context[role]!, new PromptSpace(own, first, _length));
    }

    /// <summary>The virtual positions come first, and the given ones are counted from there.</summary>
    private void WidenPositions(ForwardContext context, bool isNew)
    {
        if (_room == PromptRoom.Embeddings || context[InputRole.PositionIds] is not { } given)
            return;
        using var moved = given + _length;
        if (!isNew)
        {
            context[InputRole.PositionIds] = context.Keep(moved.alias());
            return;
        }

        using var counted = arange(_length, given.dtype, given.device);
        using var virtuals = counted.expand([.. given.shape[..^1], _length]);
        context[InputRole.PositionIds] = context.Keep(cat([virtuals, moved], -1));
    }

    private void Widen(ForwardContext context, InputRole role, long value)
    {
        if (context[role] is not { } given)
            return;
        if (given.dim() != 2)
            throw new AdapterException($"the model's {role} is [{string.Join(", ", given.shape)}], expected [batch, tokens]: a prompt of {_length} is put before it.");
        using var front = full([given.shape[0], _length], value, given.dtype, given.device);
        context[role] = context.Keep(cat([front, given], 1));
    }
}
