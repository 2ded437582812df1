using System.Globalization;
using PeftGen;
using PeftGen.Models;
using TorchSharp;
using static TorchSharp.torch;

// The numbers below have to be the same however the program was published: as it is, trimmed, or as native code.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
manual_seed(1);
set_num_threads(1);
using var model = new LlamaForCausalLM(new LlamaConfig
{
    VocabSize = 32, HiddenSize = 16, IntermediateSize = 32, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 2, HeadDim = 4,
});
Console.WriteLine($"state_dict {model.state_dict().Count} entries");

using var generator = new Generator(2);
using var adapter = model.CreateAdapter(generator: generator);
using var ids = arange(8, ScalarType.Int64).reshape(1, 8);
Console.WriteLine($"base {Norm(model.forward(ids))}");
Console.WriteLine($"trains {adapter.ParameterReport(model).Trained}");

using var optimizer = optim.AdamW(adapter.parameters(), lr: 0.05);
for (var step = 1; step <= 3; step++)
{
    using var scope = NewDisposeScope();
    optimizer.zero_grad();
    var loss = nn.functional.cross_entropy(model.forward(adapter, ids).flatten(0, 1), ids.flatten());
    loss.backward();
    optimizer.step();
    Console.WriteLine($"step {step} loss {loss.item<float>():R}");
}

adapter.eval();
Console.WriteLine($"adapted {Norm(model.forward(adapter, ids))}");
var folder = Directory.CreateTempSubdirectory("peftgen-published-").FullName;
adapter.Save(folder);
using (var loaded = model.LoadAdapter(folder))
{
    Console.WriteLine($"loaded {Norm(model.forward(loaded, ids))}");
}

Directory.Delete(folder, recursive: true);
adapter.MergeInto(model);
Console.WriteLine($"merged {Norm(model.forward(ids))}");
adapter.UnmergeFrom(model);
Console.WriteLine($"unmerged {Norm(model.forward(ids))}");

static string Norm(Tensor logits)
{
    using (logits)
    using (var norm = logits.norm())
    {
        return norm.item<float>().ToString("R");
    }
}
