using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Layers that are several in one: PG039 for parts that a target cannot mean, PG040 for what <c>[Fused]</c> says wrongly.</summary>
public class FusedDiagnosticTests
{
    [Theory]
    [InlineData("IA3(\"both[k],out_proj\", \"[|both|],out_proj\")", "'both' means Model.both, of which targets has parts, but feedforward of IA3 needs whole layers; name all of it in targets, or take it out here")]
    [InlineData("IA3(\"k,out_proj\", \"out_proj,[|k|]\")", "'k' means Model.both, of which targets has parts, but feedforward of IA3 needs whole layers; name all of it in targets, or take it out here")]
    [InlineData("LoRA(2, targets: \"[|both[v]|]\")", "'both[v]' means parts of Model.both, but its parts are q, k")]
    public void PartsThatCannotBeMeant(string attribute, string message) => Reports("PG039", message, attribute, "[Fused(\"q\", \"k\")]");

    [Theory]
    [InlineData("[[|Fused(\"q\", \"k\", \"v\")|]]", "has 3 parts, and its 16 outputs are not as many of each; name the parts that it has, which are of equal size")]
    [InlineData("[[|Fused(\"q\")|]]", "has fewer than two parts; name all of them, in the order of the layer's outputs")]
    [InlineData("[[|Fused(\"q\", \"q\")|]]", "has two parts of one name; give each its own")]
    [InlineData("[[|Fused(\"q\", \"a part\")|]]", "has a part 'a part', which is no name; use letters, digits and _")]
    public void PartsThatAreNone(string fused, string fault) => Reports("PG040", $"[Fused] on Model.both: it {fault}", "LoRA(2, targets: \"out_proj\")", fused);

    [Theory]
    [InlineData("IA3(\"both[k],out_proj\", \"out_proj\")", "Linear(8, 16)")]
    [InlineData("IA3(\"both,both[k],out_proj\", \"both\")", "Linear(8, 16)")]
    [InlineData("LoRA(2, targets: \"both[q]\")", "Linear(8, Outputs)")]
    [InlineData("LoRA(2, targets: \"both[q]\")", "new FastLinear(8, 16)")]
    public void PartsThatFit(string attribute, string made)
    {
        var reported = Generated.From(Model(attribute, "[Fused(\"q\", \"k\")]", made)).Reported;
        Assert.DoesNotContain(reported, d => d.Severity == DiagnosticSeverity.Error);
    }

    private static void Reports(string id, string message, string attribute, string fused)
    {
        var marked = Model(attribute, fused, "Linear(8, 16)");
        var (open, close) = (marked.IndexOf("[|", StringComparison.Ordinal), marked.IndexOf("|]", StringComparison.Ordinal));
        var text = marked[(open + 2)..close];
        var generated = Generated.From(marked[..open] + text + marked[(close + 2)..]);
        Assert.Equal([$"{id} '{text}': {message}"],
            generated.Reported.Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => $"{d.Id} '{d.Location.SourceTree!.GetText().ToString(d.Location.SourceSpan)}': {d.GetMessage()}"));
    }

    private static string Model(string attribute, string fused, string made) => $$"""
        [{{attribute}}]
        public partial class Model : Module<Tensor, Tensor>
        {
            public static readonly long Outputs = 15;
            {{fused}}
            private readonly {{(made.StartsWith("new", StringComparison.Ordinal) ? "FastLinear" : "Linear")}} both = {{made}};
            private readonly Linear out_proj = Linear(16, 8);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => out_proj.forward(both.forward(x));
        }
        """;
}
