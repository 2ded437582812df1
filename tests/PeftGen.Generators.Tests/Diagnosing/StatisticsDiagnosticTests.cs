using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>PG075: norms whose running statistics move in the base while an adapter trains.</summary>
public class StatisticsDiagnosticTests
{
    [Theory]
    [InlineData("LoRA(2, targets: \"fc\")", "Module<Tensor, Tensor> norm = [|BatchNorm1d(4)|]", "BatchNorm1d")]
    [InlineData("LoRA(2, targets: \"fc\")", "Sequential norm = Sequential(ReLU(), [|BatchNorm2d(4, affine: false)|])", "BatchNorm2d")]
    [InlineData("LoRA(2, targets: \"fc\")", "Sequential norm = nn.Sequential((\"a\", nn.ReLU()), (\"b\", [|nn.BatchNorm3d(4)|]))", "BatchNorm3d")]
    [InlineData("LoRA(2, targets: \"fc\")", "ModuleList<InstanceNorm1d> norms = ModuleList([|InstanceNorm1d(4, track_running_stats: true)|]); private readonly ReLU norm = ReLU()", "InstanceNorm1d")]
    [InlineData("LoRA(2, targets: \"fc\", ModulesToSave = \"norm\"), LoRA(2, targets: \"fc\", Group = \"B\")", "BatchNorm1d norm = [|BatchNorm1d(4)|]", "BatchNorm1d")]
    public void Moves(string attributes, string marked, string type)
    {
        var (open, close) = (marked.IndexOf("[|", StringComparison.Ordinal), marked.IndexOf("|]", StringComparison.Ordinal));
        var text = marked[(open + 2)..close];
        var reported = Generated.From(Model(attributes, marked.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal))).Reported.Where(d => d.Id == "PG075").ToList();
        var diagnostic = Assert.Single(reported);
        Assert.Equal(DiagnosticSeverity.Warning, diagnostic.Severity);
        Assert.Equal(text, diagnostic.Location.SourceTree!.GetText().ToString(diagnostic.Location.SourceSpan));
        Assert.StartsWith($"this {type} keeps running statistics, which move in the base while an adapter of Model trains", diagnostic.GetMessage(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LoRA(2, targets: \"fc\", ModulesToSave = \"norm\")", "BatchNorm1d norm = BatchNorm1d(4)")]
    [InlineData("LNTuning(\"norm\")", "BatchNorm1d norm = BatchNorm1d(4)")]
    [InlineData("LoRA(2, targets: \"fc\")", "BatchNorm1d norm = BatchNorm1d(4, track_running_stats: false)")]
    [InlineData("LoRA(2, targets: \"fc\")", "InstanceNorm1d norm = InstanceNorm1d(4)")]
    [InlineData("LoRA(2, targets: \"fc\")", "LayerNorm norm = LayerNorm(4)")]
    public void StandsStill(string attributes, string norm)
    {
        var generated = Generated.From(Model(attributes, norm));
        Assert.DoesNotContain(generated.Reported, d => d.Id == "PG075");
        generated.AssertCompiles();
    }

    private static string Model(string attributes, string norm) => $$"""
        [{{attributes}}]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly {{norm}};

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => norm.forward(fc.forward(x));
        }
        """;
}
