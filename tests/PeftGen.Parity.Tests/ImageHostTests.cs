using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity.Tests;

/// <summary>The hosts that see images, adapted at more sites than the recorded cases have.</summary>
public sealed class ImageHostTests : IDisposable
{
    private const string ViT = "lora/vit-query-value";
    private const string CLIP = "lora/clip-both-towers";

    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(ViT, "q,v", 4)]
    [InlineData(ViT, "all-linear", 12)]
    [InlineData(ViT, "projection,classifier", 2)]
    [InlineData(CLIP, "q,v", 8)]
    [InlineData(CLIP, "all-linear", 26)]
    [InlineData(CLIP, "text_model.**.v_proj", 2)]
    [InlineData(CLIP, "vision_model.**.v_proj,patch_embedding", 3)]
    [InlineData(CLIP, "token_embedding,position_embedding", 3)]
    public void EachSiteOfLoRAChangesTheLogitsAndMerges(string name, string targets, int sites) =>
        EachSiteCounts(name, $"[LoRA(rank: 2, alpha: 4, targets: \"{targets}\")]", sites);

    [Theory]
    [InlineData(ViT, "k,v,ffn_out", 6)]
    [InlineData(CLIP, "k,v,ffn_out", 12)]
    public void EachSiteOfIA3ChangesTheLogitsAndMerges(string name, string targets, int sites) => EachSiteCounts(name, $"[IA3(targets: \"{targets}\")]", sites);

    private static void EachSiteCounts(string name, string declaration, int sites)
    {
        var (host, inputs) = Compile(name, declaration);
        var adapter = host.Create(1);
        Assert.Equal(sites, adapter.Slots().Count());
        RequireIdentity(host, adapter, inputs);
        RequireEachToCount(host, adapter, inputs);

        using var quiet = no_grad();
        var adapted = host.Run(adapter, inputs);
        host.Merge(adapter);
        RequireClose(adapted, host.Run(inputs));
    }

    [Theory]
    [InlineData(ViT, "norms")]
    [InlineData(CLIP, "layer_norm1,layer_norm2,pre_layrnorm,post_layernorm,final_layer_norm")]
    public void EachNormThatTrainsChangesTheLogits(string name, string targets)
    {
        var (host, inputs) = Compile(name, $"[LNTuning(targets: \"{targets}\")]");
        var adapter = host.Create(1);
        var norms = host.Model.named_modules().Where(m => m.module is TorchSharp.Modules.LayerNorm).Select(m => m.name);
        Assert.Equal(norms.Order(StringComparer.Ordinal), adapter.Slots().Select(s => s.Path).Order(StringComparer.Ordinal));
        RequireIdentity(host, adapter, inputs);
        RequireEachToCount(host, adapter, inputs);
    }

    private static (CompiledHost host, Inputs inputs) Compile(string name, string attribute)
    {
        var golden = new GoldenCase(Goldens.Root, name);
        using var expected = golden.ReadExpected();
        var hostClass = golden.HostConfiguration["architectures"]![0]!.GetValue<string>();
        return (new CompiledHost(new HostCompiler().Compile(hostClass, attribute, null), golden.HostFolder), new Inputs(expected, golden.HostConfiguration));
    }

    private static void RequireIdentity(CompiledHost host, AdapterNode adapter, Inputs inputs)
    {
        using var quiet = no_grad();
        Assert.True(host.Run(inputs).bytes.SequenceEqual(host.Run(adapter, inputs).bytes), "a new adapter changes the logits");
    }

    /// <summary>Moves each parameter, and asks of each move that the logits change; then of each parameter that it has a gradient.</summary>
    private static void RequireEachToCount(CompiledHost host, AdapterNode adapter, Inputs inputs)
    {
        using var generator = new Generator(2);
        using (no_grad())
        {
            // First all of them: beside a factor of zeros the other one does nothing.
            foreach (var parameter in adapter.parameters())
                parameter.add_(randn(parameter.shape, generator: generator) * 0.1);
            foreach (var (name, parameter) in adapter.named_parameters())
            {
                var before = host.Run(adapter, inputs);
                parameter.add_(randn(parameter.shape, generator: generator) * 0.1);
                Assert.False(before.bytes.SequenceEqual(host.Run(adapter, inputs).bytes), name);
            }
        }

        CompiledHost.Loss(host.Run(adapter, inputs), inputs).backward();
        Assert.All(adapter.named_parameters(), p => Assert.True(p.parameter.grad is { } grad && grad.abs().max().item<float>() > 0, p.name));
    }

    private static void RequireClose(Tensor expected, Tensor actual) =>
        Assert.True((expected - actual).abs().max().item<float>() <= 1e-5 * expected.abs().max().item<float>(), $"adapted {expected.str()}, merged {actual.str()}");
}
