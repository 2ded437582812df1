using Consumer;
using TorchSharp;

var model = new Model();
using var output = model.forward(torch.ones(2, 8));
Console.WriteLine($"output {string.Join("x", output.shape)}");
Console.WriteLine($"library {typeof(PeftGen.AdaptAttribute).Assembly.GetName().Version}");
