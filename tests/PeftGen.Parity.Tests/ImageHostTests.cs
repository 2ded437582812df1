using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
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

    [Theory]
    [InlineData("prefix")]
    [InlineData("prefix_after_bos")]
    public void AdapterHubsPromptStandsBesideThePatches(string combine)
    {
        var (host, inputs) = Compile(ViT, "[EmbeddedPrompt(5)]");
        using var recorded = new GoldenCase(Goldens.Root, ViT).ReadExpected();
        var (pixels, prompt) = (recorded.Take("input.pixel_values"), randn(3, 32));
        var adapter = LoadFromAdapterHub(
            host, new JsonObject { ["architecture"] = "prompt_tuning", ["combine"] = combine, ["prompt_init"] = "random_uniform", ["prompt_length"] = 3 },
            ("vit.prompt_tuning.prompt_tunings.a.prompt_embedding.weight", prompt));
        Assert.Equal("vit.prompt_tuning.prompt_tunings.{name}.prompt_embedding.weight", Assert.Single(adapter.Slots().SelectMany(s => s.Stored(FileFormat.AdapterHub))).Key);
        var x = Part("vit.embeddings").forward(pixels);
        var (at, rows) = (combine == "prefix" ? 0 : 1, prompt.expand(x.shape[0], -1, -1));
        x = cat([x.narrow(1, 0, at), rows, x.narrow(1, at, x.shape[1] - at)], 1);
        foreach (var layer in host.Model.named_modules().Where(m => m.name.StartsWith("vit.layers.", StringComparison.Ordinal) && m.name.Count(c => c == '.') == 2))
            x = ((nn.Module<Tensor, Tensor>)layer.module).forward(x);
        // The classifier reads what stands first: the class token, or the first vector.
        var expected = Part("classifier").forward(Part("vit.layernorm").forward(x).select(1, 0));
        RequireClose(expected.detach(), host.Run(adapter, inputs).detach());
        RequireEachToCount(host, adapter, inputs);

        nn.Module<Tensor, Tensor> Part(string name) => (nn.Module<Tensor, Tensor>)host.Model.named_modules().Single(m => m.name == name).module;
    }

    private static AdapterNode LoadFromAdapterHub(CompiledHost host, JsonObject config, params (string, Tensor)[] tensors)
    {
        var folder = Directory.CreateTempSubdirectory("peftgen-hub-").FullName;
        try
        {
            SafetensorsWriter.Write(Path.Combine(folder, "adapter.safetensors"), tensors);
            File.WriteAllText(Path.Combine(folder, "adapter_config.json"), new JsonObject { ["config"] = config, ["name"] = "a" }.ToJsonString());
            return host.Load(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
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
