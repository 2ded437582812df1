namespace PeftGen.Generators.Tests;

/// <summary>What names and expressions of targets mean, at compile time and in the program.</summary>
public class TargetNameTests
{
    private const string Dictionary = """
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleDict<Linear> langs = ModuleDict<Linear>(("en-de", Linear(4, 4)), ("en de", Linear(4, 4)), ("fr", Linear(4, 4)));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var (_, lang) in langs)
                    x = lang.forward(x);
                return x;
            }
        }
        """;

    [Theory]
    [InlineData("langs.en-de,'en de'", "langs.en-de", "langs.en de")]
    [InlineData("langs.*", "langs.en-de", "langs.en de", "langs.fr")]
    [InlineData("langs.en*", "langs.en-de", "langs.en de")]
    [InlineData("regex:langs\\\\.(fr|it)", "langs.fr")]
    public void ElementsOfDictionariesByName(string targets, params string[] sites) => RunningModel.Check($"[Scale(targets: \"{targets}\")]\n{Dictionary}", sites);

    [Fact]
    public void ExpressionsMeanLayersAndNotWhatLiesInThemOrAboveThem() => RunningModel.Check("""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly LayerNorm fc_norm = LayerNorm(4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => fc.forward(fc_norm.forward(x));
        }

        [Scale(targets: "regex:.*fc.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Block fc_block = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => fc_block.forward(fc.forward(x));
        }
        """, "fc", "fc_block.fc");
}
