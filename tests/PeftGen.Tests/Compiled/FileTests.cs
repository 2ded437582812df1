using PeftGen.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

public sealed class FileTests
{
    [Fact]
    public void A_saved_adapter_comes_back_bit_for_bit()
    {
        using var folder = new TempFolder();
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        adapter.eval();
        Proof.Randomize(adapter);
        adapter.Save(folder.Path);

        using var other = new ProofModel();
        using var loaded = other.LoadAdapter(folder.Path);
        loaded.eval();
        Assert.Equal(adapter.named_parameters().Select(p => p.name), loaded.named_parameters().Select(p => p.name));
        Assert.All(loaded.parameters().Zip(adapter.parameters()), p => TensorAssert.Same(p.Second, p.First));
        Assert.All(other.parameters(), p => Assert.False(p.requires_grad));
        using var expected = model.forward(adapter, tokens);
        using var actual = other.forward(loaded, tokens);
        TensorAssert.Same(expected, actual);
    }

    [Fact]
    public void A_file_of_another_method_says_what_to_declare()
    {
        using var folder = new TempFolder();
        using var model = new ProofModel();
        using (var adapter = model.CreateIa3Adapter())
            adapter.Save(folder.Path);

        var message = Assert.Throws<AdapterException>(() => model.LoadAdapter(folder.Path)).Message;
        Assert.Contains("adapter_config.json", message);
        Assert.Contains("""Write this on the model's class: [IA3(targets: "down_proj,k_proj,v_proj", feedforward: "down_proj")]""", message);
    }

    [Fact]
    public void A_file_that_fits_in_part_is_refused_with_what_is_missing_and_surplus()
    {
        using var folder = new TempFolder();
        using var model = new ProofModel();
        using (var adapter = model.CreateAdapter())
            adapter.Save(folder.Path);
        var weights = Path.Combine(folder.Path, "adapter_model.safetensors");
        var bytes = File.ReadAllBytes(weights);
        var name = "layers.1.mlp.up_proj.lora_A"u8;
        "layers.7.mlp.up_proj.lora_A"u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf(name)));
        File.WriteAllBytes(weights, bytes);

        var message = Assert.Throws<AdapterException>(() => model.LoadAdapter(folder.Path)).Message;
        Assert.Contains("Missing: 1 (base_model.model.layers.1.mlp.up_proj.lora_A.weight)", message);
        Assert.Contains("Surplus: 1 (base_model.model.layers.7.mlp.up_proj.lora_A.weight)", message);
    }

    [Fact]
    public void The_report_counts_what_trains_and_what_is_stored()
    {
        using var model = new ProofModel();
        using var adapter = model.CreateAdapter();
        var report = adapter.ParameterReport(model);

        // For each block: q and v are 8 → 8, up is 8 → 12, at rank 4.
        const int trained = 2 * (4 * (8 + 8) + 4 * (8 + 8) + 4 * (8 + 12));
        // For each block: q, k, v with bias, o without, up and down with bias, two norms.
        const int all = 2 * (3 * 72 + 64 + 108 + 104 + 16) + 2 * 17 * 8 + 8;
        Assert.Equal(trained, report.Trained);
        Assert.Equal(trained, report.Stored);
        Assert.Equal(all, report.Base);
        Assert.Equal(100.0 * trained / all, report.Percent, 10);
        Assert.Equal(["LoRA q_proj.lora_A 4,8 2", "LoRA q_proj.lora_B 8,4 2"], report.Rows.Take(2).Select(r => $"{r.Method} {r.Name} {string.Join(",", r.Shape)} {r.Count}"));
    }
}
