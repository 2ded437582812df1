using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>What the proofs do to models and adapters.</summary>
public static class Proof
{
    /// <summary>Tokens, [2, 5].</summary>
    public static Tensor Tokens() => arange(10, dtype: ScalarType.Int64).mul_(7).remainder_(ProofModel.Vocabulary).view(2, 5);

    public static Generator Seed(ulong seed) => new(seed);

    /// <summary>Gives every parameter another value.</summary>
    public static void Randomize(nn.Module adapter, ulong seed = 5)
    {
        using var generator = new Generator(seed);
        using var quiet = no_grad();
        foreach (var parameter in adapter.parameters())
        {
            using var scope = NewDisposeScope();
            parameter.add_(empty(parameter.shape).normal_(0, 0.3, generator).to(parameter.dtype).to(parameter.device));
        }
    }

    /// <summary>A loss that every logit takes part in.</summary>
    public static Tensor Loss(Tensor logits, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return nn.functional.cross_entropy(logits.to(ScalarType.Float32).view(-1, ProofModel.Vocabulary), tokens.view(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>Trains and returns the losses. It disposes what it makes itself, and opens no scope around the model's call.</summary>
    public static List<float> Train(ProofModel model, ProofModel.Adapter adapter, Tensor tokens, int steps, Action<int>? afterStep = null)
    {
        using var optimizer = optim.AdamW(adapter.parameters(), lr: 0.01);
        var losses = new List<float>();
        for (var step = 1; step <= steps; step++)
        {
            // TorchSharp 0.107's zero_grad leaves one handle for each gradient to the finalizer.
            using (NewDisposeScope())
                optimizer.zero_grad();
            using var logits = model.forward(adapter, tokens);
            using var loss = Loss(logits, tokens);
            loss.backward();
            optimizer.step();
            losses.Add(loss.item<float>());
            afterStep?.Invoke(step);
        }

        return losses;
    }
}
