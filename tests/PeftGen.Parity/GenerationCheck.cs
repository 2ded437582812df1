using PeftGen.Generation;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The checks of a case of generation: the tokens, and the logits that each was chosen from, with and without padding on the left.</summary>
internal sealed class GenerationCheck(GoldenCase golden, ExpectedTensors expected, HostCompiler compiler, string hostClass, string? emit)
{
    public void Check()
    {
        var declaration = Configurations.Declaration(Configurations.Read(golden.AdapterFolder));
        var host = new CompiledHost(compiler.Compile(hostClass, declaration.ToString(), emit), golden.HostFolder);
        using var scope = NewDisposeScope();
        var (ids, mask) = (expected.Take("input.input_ids"), expected.Take("input.attention_mask"));
        Check(host, null, ids, mask, "base_");
        using var adapter = host.Load(golden.AdapterFolder);
        Check(host, adapter, ids, mask, "");
        if (expected.Has("padded_generated"))
            Check(host, adapter, expected.Take("input.padded_input_ids"), expected.Take("input.padded_attention_mask"), "padded_");
    }

    private void Check(CompiledHost host, AdapterNode? adapter, Tensor ids, Tensor mask, string prefix)
    {
        var scores = new List<Tensor>();
        var model = host.Step(adapter);
        var rows = TextGeneration.Generate(Recorded, ids, mask, new() { MaxNewTokens = (int)golden.Number("new_tokens")! });
        expected.Compare(prefix + "scores", stack(scores), golden.Tolerance);
        expected.Compare(prefix + "generated", tensor(rows[0]), 0);

        Tensor Recorded(Tensor input_ids, Tensor? attention_mask)
        {
            var logits = model(input_ids, attention_mask);
            scores.Add(logits[0, -1].clone().DetachFromDisposeScope());
            return logits;
        }
    }
}
