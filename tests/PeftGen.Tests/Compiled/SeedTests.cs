using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

public sealed class SeedTests
{
    [Fact]
    public void A_seed_decides_the_start_and_the_dropout()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var one = Run(model, tokens, 3);
        using var again = Run(model, tokens, 3);
        using var other = Run(model, tokens, 4);

        TensorAssert.Same(one, again);
        Assert.False(one.equal(other).all().item<bool>());
    }

    [Fact]
    public void Dropout_differs_from_call_to_call_and_from_seed_to_seed_over_the_same_values()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var a = model.CreateAdapter(generator: Proof.Seed(1));
        using var b = model.CreateAdapter(generator: Proof.Seed(2));
        Proof.Randomize(a);
        using (no_grad())
            foreach (var (from, to) in a.parameters().Zip(b.parameters()))
                to.copy_(from);

        using var first = model.forward(a, tokens);
        using var second = model.forward(a, tokens);
        using var others = model.forward(b, tokens);
        Assert.False(first.allclose(second));
        Assert.False(first.allclose(others));

        a.eval();
        b.eval();
        using var withoutA = model.forward(a, tokens);
        using var withoutB = model.forward(b, tokens);
        TensorAssert.Same(withoutA, withoutB, "without dropout");
    }

    /// <summary>Starts and two masked calls, so that both the values and the masks are in what is compared.</summary>
    private static Tensor Run(ProofModel model, Tensor tokens, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var generator = Proof.Seed(seed);
        using var adapter = model.CreateAdapter(generator: generator);
        var start = adapter.parameters().Select(p => p.detach().flatten()).ToList();
        var values = cat(start).clone();
        Proof.Randomize(adapter);
        return cat([values, model.forward(adapter, tokens).flatten(), model.forward(adapter, tokens).flatten()]).MoveToOuterDisposeScope();
    }
}
