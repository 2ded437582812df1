using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Training;

/// <summary>The loss of models that predict the next token.</summary>
public static class CausalLoss
{
    /// <summary>The label of a token that the loss leaves out, as Hugging Face has it.</summary>
    public const long Ignored = -100;

    /// <summary>The mean cross entropy between the logits at each token and the label of the next one, in float32.</summary>
    /// <param name="logits"><c>[batch, tokens, vocabulary]</c>.</param>
    /// <param name="labels">The tokens themselves, or <see cref="Ignored"/>: <c>[batch, tokens]</c>. They are shifted here.</param>
    /// <returns>A scalar in nats; not a number where every label is ignored.</returns>
    public static Tensor Of(Tensor logits, Tensor labels)
    {
        using var scope = NewDisposeScope();
        // The labels are shifted, not the logits: a shifted copy of those would be the largest tensor of a step once more.
        var none = full([labels.shape[0], 1], Ignored, labels.dtype, labels.device);
        var expected = cat([labels.narrow(1, 1, labels.shape[1] - 1), none], 1).flatten();
        var predicted = logits.flatten(0, 1).to(ScalarType.Float32);
        return nn.functional.cross_entropy(predicted, expected, ignore_index: Ignored).MoveToOuterDisposeScope();
    }
}
