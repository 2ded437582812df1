using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Training;

/// <summary>The loss of models that predict the next token.</summary>
public static class CausalLoss
{
    /// <summary>The label of a token that the loss leaves out, as Hugging Face has it.</summary>
    public const long Ignored = -100;

    /// <summary>The mean cross entropy between the logits at each token and the label of the next one, in float32.</summary>
    /// <param name="logits"><c>[batch, tokens, vocabulary]</c>. Positions more than there are labels are those of a prompt in front, which get the label <see cref="Ignored"/>.</param>
    /// <param name="labels">The tokens themselves, or <see cref="Ignored"/>: <c>[batch, tokens]</c>. They are shifted here.</param>
    /// <returns>A scalar in nats; not a number where every label is ignored.</returns>
    /// <exception cref="ArgumentException">There are more labels than logits.</exception>
    public static Tensor Of(Tensor logits, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var virtuals = logits.shape[1] - labels.shape[1];
        if (virtuals < 0)
            throw new ArgumentException($"labels is [{string.Join(", ", labels.shape)}], expected at most {logits.shape[1]} tokens, as the logits have.", nameof(labels));
        // The labels are shifted, not the logits: a shifted copy of those would be the largest tensor of a step once more.
        // The last virtual position predicts the first token, as HF PEFT has it.
        var front = full([labels.shape[0], Math.Max(virtuals - 1, 0)], Ignored, labels.dtype, labels.device);
        var none = full([labels.shape[0], 1], Ignored, labels.dtype, labels.device);
        var own = virtuals == 0 ? labels.narrow(1, 1, labels.shape[1] - 1) : labels;
        var expected = cat([front, own, none], 1).flatten();
        var predicted = logits.flatten(0, 1).to(ScalarType.Float32);
        return nn.functional.cross_entropy(predicted, expected, ignore_index: Ignored).MoveToOuterDisposeScope();
    }
}
