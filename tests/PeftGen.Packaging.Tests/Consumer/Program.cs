using Consumer;
using PeftGen;
using TorchSharp;

var model = new Model();
using var input = torch.ones(2, 8);
using var output = model.forward(input);
Console.WriteLine($"output {string.Join("x", output.shape)}");
Console.WriteLine($"library {typeof(AdaptAttribute).Assembly.GetName().Version}");

// All of this is compiled by the generator that lies in the package.
using var adapter = model.CreateAdapter();
using (torch.no_grad())
    foreach (var parameter in adapter.parameters())
        parameter.fill_(0.1);
using var adapted = model.forward(adapter, input);
Console.WriteLine($"trains {adapter.ParameterReport(model).Trained} of {adapter.ParameterReport(model).Base}");
Console.WriteLine($"adapted differs {!adapted.allclose(output)}");
adapter.MergeInto(model);
using var merged = model.forward(input);
Console.WriteLine($"merged equals adapted {merged.allclose(adapted, 1e-4, 1e-6)}");
adapter.UnmergeFrom(model);
using var restored = model.forward(input);
Console.WriteLine($"unmerged equals base {restored.equal(output).all().item<bool>()}");
