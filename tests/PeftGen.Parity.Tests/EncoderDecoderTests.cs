using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity.Tests;

/// <summary>T5, whose decoder's blocks have two attentions, with methods that the recorded cases do not have on it.</summary>
public sealed class EncoderDecoderTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("SelfAttention", "decoder.block.0.layer.1.EncDecAttention.k: the block has another layer of this kind, decoder.block.0.layer.0.SelfAttention.k")]
    [InlineData("SelfAttention,EncDecAttention", "decoder.block.0.layer.1.EncDecAttention.k: the block has another layer of this kind")]
    [InlineData("EncDecAttention", "decoder.block.0.layer.1.EncDecAttention.k: the block has another layer of this kind")]
    [InlineData("encoder.block.*.layer.0.SelfAttention", "decoder.block.0.layer.1.EncDecAttention.k: the block has another layer of this kind")]
    public void APromptAtAttentionIsRefusedWhereABlockHasTwo(string targets, string message)
    {
        var host = Compile($"[AdaptionPrompt(3, targets: \"{targets}\")]");
        Assert.StartsWith(message, Assert.Throws<AdapterException>(() => host.Create(1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void BesideAnUnmovedPrefixDistancesAreThoseWithoutIt()
    {
        using var expected = new ExpectedTensors(Path.Combine(Goldens.Root, "cases", "lora/t5-q-v-wo", "expected.safetensors"));
        var inputs = new Inputs(expected, new GoldenCase(Goldens.Root, "lora/t5-q-v-wo").HostConfiguration);
        var (shifted, kept, unmoved) = (Run(PrefixPositions.Shifted), Run(PrefixPositions.Kept), Run(PrefixPositions.Unmoved));
        Assert.True(shifted.allclose(unmoved, 0, 0));
        Assert.False(kept.allclose(unmoved, 1e-3, 1e-3));

        Tensor Run(PrefixPositions positions)
        {
            using var quiet = no_grad();
            var host = Compile($"[PrefixTuning(3, positions: PrefixPositions.{positions})]");
            return host.Run(host.Create(1), inputs);
        }
    }

    private static CompiledHost Compile(string attribute)
    {
        var golden = new GoldenCase(Goldens.Root, "lora/t5-q-v-wo");
        return new CompiledHost(new HostCompiler().Compile("T5ForConditionalGeneration", attribute, null), golden.HostFolder);
    }
}
