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
        var tokens = logits.shape[1];
        var predicted = logits.narrow(1, 0, tokens - 1).flatten(0, 1).to(ScalarType.Float32);
        var expected = labels.narrow(1, 1, tokens - 1).flatten();
        return nn.functional.cross_entropy(predicted, expected, ignore_index: Ignored).MoveToOuterDisposeScope();
    }
}
