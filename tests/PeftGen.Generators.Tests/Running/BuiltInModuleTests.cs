namespace PeftGen.Generators.Tests;

/// <summary>TorchSharp's modules of several inputs or outputs: no slot stands beside them, and what means them says so.</summary>
public class BuiltInModuleTests
{
    private const string Hosts = "a layer of type Linear or LayerNorm or BatchNorm or InstanceNorm or Embedding";

    public static TheoryData<string, string, string> Modules => new()
    {
        { "GRU", "GRU(4, 4)", "m.call(x, null).Item1" },
        { "LSTM", "LSTM(4, 4)", "m.forward(x, null).Item1" },
        { "RNN", "RNN(4, 4)", "m.forward(x, null).Item1" },
        { "GRUCell", "GRUCell(4, 4)", "m.forward(x, x)" },
        { "MultiheadAttention", "MultiheadAttention(4, 2)", "m.forward(x, x, x, null, false, null).Item1" },
        { "TransformerEncoderLayer", "TransformerEncoderLayer(4, 2)", "m.call(x, null!, null!)" },
        { "Bilinear", "Bilinear(4, 4, 4)", "m.forward(x, x)" },
    };

    [Theory]
    [MemberData(nameof(Modules))]
    public void BitFitOverAllSaysWhichItCannotTrain(string type, string made, string call) => Marked.Reports(
        "PG003", $"'bias' is Model.m of type {type}, which cannot carry BitFit; it needs {Hosts}", Model($"[[|BitFit|]]", type, made, call));

    [Theory]
    [MemberData(nameof(Modules))]
    public void NamedByItself(string type, string made, string call) => Marked.Reports(
        "PG003", $"'m' is Model.m of type {type}, which cannot carry LNTuning; it needs {Hosts}", Model("[LNTuning(\"[|m|]\")]", type, made, call));

    [Theory]
    [MemberData(nameof(Modules))]
    public void AmongModulesToSave(string type, string made, string call) => Marked.Reports(
        "PG003", $"'m' is Model.m of type {type}, which cannot carry LoRA; it needs {Hosts}", Model("[LoRA(targets: \"fc\", ModulesToSave = \"[|m|]\")]", type, made, call));

    [Theory]
    [MemberData(nameof(Modules))]
    public void LeftOutOfTheTargets(string type, string made, string call)
    {
        var generated = Generated.From(Model("[BitFit(\"fc.bias\")]", type, made, call)).AssertCompiles();
        Assert.Empty(generated.Reported);
    }

    [Theory]
    [MemberData(nameof(Modules))]
    public void AsATargetOfAnyMethod(string type, string made, string call) => Marked.Reports(
        "PG003", $"'m' is Model.m of type {type}, which cannot carry Scale; it needs a layer of type Linear", Model("[Scale(targets: \"fc,[|m|]\")]", type, made, call));

    /// <summary>What has nothing to learn is none of a method's that trains parameters.</summary>
    [Theory]
    [InlineData("MaxUnpool1d", "MaxUnpool1d(2)", "x")]
    [InlineData("CosineSimilarity", "CosineSimilarity()", "m.forward(x, x)")]
    [InlineData("CrossEntropyLoss", "CrossEntropyLoss()", "m.forward(x, x)")]
    [InlineData("Module<Tensor, Tensor>", "ReLU()", "m.forward(x)")]
    [InlineData("Dropout", "Dropout(0.1)", "m.forward(x)")]
    public void WithoutParameters(string type, string made, string call)
    {
        var generated = Generated.From(Model("[BitFit]", type, made, call)).AssertCompiles();
        Assert.Empty(generated.Reported);
    }

    private static string Model(string attribute, string type, string made, string call) => $$"""
        {{attribute}}
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly {{type}} m = {{made}};
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => fc.forward(x) + {{call}};
        }
        """;
}
