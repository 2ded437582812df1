using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Declarations that the model they stand on cannot carry: PG003 for values and parameters, PG007 and PG048 for patterns, PG042, PG046, PG047, PG049.</summary>
public class FitDiagnosticTests
{
    [Theory]
    [InlineData("[|BitFit|]", "'bias' is Model.conv of type Conv2d, which cannot carry BitFit; it needs a layer of type Linear or LayerNorm or BatchNorm or InstanceNorm or Embedding")]
    [InlineData("BitFit(\"[|conv.bias|]\")", "'conv.bias' is Model.conv of type Conv2d, which cannot carry BitFit; it needs a layer of type Linear or LayerNorm or BatchNorm or InstanceNorm or Embedding")]
    [InlineData("LoRA(2, targets: \"plain\", ModulesToSave = \"[|conv|],fc\")", "'conv' is Model.conv of type Conv2d, which cannot carry LoRA; it needs a layer of type Linear or LayerNorm or BatchNorm or InstanceNorm or Embedding")]
    [InlineData("LNTuning(\"[|groups|],norm\")", "'groups' is Model.groups of type GroupNorm, which cannot carry LNTuning; it needs a layer of type Linear or LayerNorm or BatchNorm or InstanceNorm or Embedding")]
    [InlineData("LoRA(2, targets: \"fc,[|conv|]\", Gated = true)", "'conv' is Model.conv of type Conv2d, which cannot carry LoRA with Gated; it needs a layer of type Linear")]
    [InlineData("LoRA(2, targets: \"[|words|]\", BiasInB = true)", "'words' is Model.words of type Embedding, which cannot carry LoRA with BiasInB; it needs a layer of type Linear or Conv1d or Conv2d or Conv3d")]
    [InlineData("IA3(\"fc,[|norm|]\", \"\", Gated = true)", "'norm' is Model.norm of type LayerNorm, which cannot carry IA3 with Gated; it needs a layer of type Linear")]
    [InlineData("IA3(\"fc,[|norm|]\", \"norm\")", "'norm' is Model.norm of type LayerNorm, which cannot carry IA3 with feedforward; it needs a layer of type Linear or Conv1d or Conv2d or Conv3d")]
    public void CannotCarry(string attribute, string message) => Reports("PG003", message, attribute, Layers);

    [Theory]
    [InlineData("BitFit(\"fc.bias,plain.bias\")")]
    [InlineData("LNTuning(\"norm,fast\")")]
    [InlineData("LoRA(2, targets: \"fc\", Gated = true, ModulesToSave = \"fast\")")]
    [InlineData("LoRA(2, targets: \"fc,conv,words\")")]
    [InlineData("LoRA(2, targets: \"fc,conv\", BiasInB = true)")]
    [InlineData("IA3(\"fc,norm\", \"fc\", Gated = false)")]
    [InlineData("IA3(\"fc,norm\", \"fc\")")]
    public void CanCarry(string attribute) => IsSilent(attribute, Layers);

    [Theory]
    [InlineData("Conv2d(3, 8, 3, bias: false)")]
    [InlineData("Made()")]
    public void ABiasThatMayBeMissing(string made) => IsSilent("BitFit", Layers.Replace("Conv2d(3, 8, 3)", made, StringComparison.Ordinal).Replace("GroupNorm(2, 8)", "GroupNorm(2, 8, affine: false)", StringComparison.Ordinal));

    [Theory]
    [InlineData("LoRA([|3|], targets: \"grouped\")", "rank of LoRA is 3, which is no multiple of 2, the groups of Model.grouped; choose another")]
    [InlineData("TrainableTokens([|[1, 9, 12]|], \"words\")", "tokens of TrainableTokens is 9, which is none of the 9 that Model.words has (num_embeddings), counted from 0; choose another")]
    public void DoesNotFitTheLayer(string attribute, string message) => Reports("PG046", message, attribute, Layers);

    [Theory]
    [InlineData("PromptTuning(4, \"embed_tokens\", Start = PromptStart.Tokens, StartTokens = [|[1, 9]|])", "StartTokens of PromptTuning is 9, which is none of the 9 that Model.embed_tokens has (num_embeddings), counted from 0; choose another")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", Start = TaskPromptStart.Tokens, StartTokens = [|[1, 9]|])", "StartTokens of MultitaskPromptTuning is 9, which is none of the 9 that Model.embed_tokens has (num_embeddings), counted from 0; choose another")]
    public void DoesNotFitTheVocabulary(string attribute, string message) => Reports("PG046", message, attribute, Reading("Tensor input_ids"));

    [Theory]
    [InlineData("LoRA(4, targets: \"grouped,conv\")")]
    [InlineData("LoRA(3, targets: \"grouped\", RankPattern = \"grouped=2\")")]
    [InlineData("TrainableTokens([1, 8], \"words\")")]
    public void FitsTheLayer(string attribute) => IsSilent(attribute, Layers);

    [Theory]
    [InlineData("Compacter([|2|], \"mlp\", PhmDim = [|8|])", "PhmDim of Compacter is 8, which is no divisor of 4, the width of the states divided by reduction (8 / 2); choose another")]
    [InlineData("Compacter(2, \"mlp\", PhmDim = [|3|])", "PhmDim of Compacter is 3, which is no divisor of 8, the width of the states there; choose another")]
    [InlineData("[|CompacterPlusPlus|](targets: \"mlp\")", "PhmDim of CompacterPlusPlus is 4, which is no divisor of 1, the width of the states divided by reduction (8 / 32); choose another")]
    public void DoesNotDivideTheWidth(string attribute, string message)
    {
        attribute = attribute.Replace("[|2|]", "2", StringComparison.Ordinal);
        Reports("PG046", message, attribute, PostNorm);
        Reports("PG046", message, attribute, PreNorm);
    }

    [Theory]
    [InlineData("Compacter(2, \"mlp\")")]
    [InlineData("Compacter(1, \"mlp\", PhmDim = 8)")]
    [InlineData("Compacter(32, \"mlp\", ReductionPattern = \"0=2\")")]
    public void DividesTheWidth(string attribute)
    {
        IsSilent(attribute, PostNorm);
        IsSilent(attribute, PreNorm);
    }

    /// <summary>Of widths that the code does not show nothing is said.</summary>
    [Theory]
    [InlineData("LayerNorm(Size)")]
    [InlineData("Made(8)")]
    public void AWidthThatDoesNotShow(string norm) => IsSilent("Compacter(targets: \"mlp\")", PostNorm.Replace("LayerNorm(8)", norm, StringComparison.Ordinal));

    [Theory]
    [InlineData("[|PromptTuning|](4, \"embed_tokens\")", "Tensor words", "PromptTuning changes the model's input_ids, and no method of Model takes them; call its parameter words so, or write [Input(InputRole.InputIds)] on it")]
    [InlineData("[|MultitaskPromptTuning|](4, 2, targets: \"embed_tokens\")", "Tensor words, Tensor segments", "MultitaskPromptTuning changes the model's input_ids, and no method of Model takes them; call the parameter that bears them so, or write [Input(InputRole.InputIds)] on it")]
    [InlineData("[|PTuning|](4, \"embed_tokens\")", "Tensor words, Tensor attention_mask", "PTuning changes the model's input_ids, and no method of Model takes them; call its parameter words so, or write [Input(InputRole.InputIds)] on it")]
    public void NoTokens(string attribute, string parameters, string message) => Reports("PG042", message, attribute, Reading(parameters));

    [Theory]
    [InlineData("PromptTuning(4, \"embed_tokens\")", "Tensor input_ids")]
    [InlineData("PromptTuning(4, \"embed_tokens\")", "Tensor ids, Tensor words")]
    [InlineData("PromptTuning(4, \"embed_tokens\")", "[Input(InputRole.InputIds)] Tensor words")]
    [InlineData("EmbeddedPrompt(4, \"embed_tokens\")", "Tensor words")]
    [InlineData("LoRA(2, targets: \"embed_tokens\")", "Tensor words")]
    public void Tokens(string attribute, string parameters) => IsSilent(attribute, Reading(parameters));

    /// <summary>What a class that derives from it takes is not known to an abstract one.</summary>
    [Fact]
    public void AnAbstractModelMayGetThem() => IsSilent("PromptTuning(4, \"embed_tokens\")", """
        public abstract partial class Model : Module<Tensor, Tensor>
        {
            protected readonly Embedding embed_tokens = Embedding(9, 4);
            protected Model() : base("model") => RegisterComponents();
        }

        public partial class Concrete : Model
        {
            public override Tensor forward(Tensor input_ids) => embed_tokens.forward(input_ids);
        }
        """);

    /// <summary>A method of another name may take them.</summary>
    [Fact]
    public void AnotherMethodMayTakeThem() => IsSilent("PromptTuning(4, \"embed_tokens\")", Reading("Tensor words").Replace("public Model()", "public Tensor Next(Tensor input_ids) => forward(input_ids);\n\n    public Model()", StringComparison.Ordinal));

    [Theory]
    [InlineData("[|PrefixTuning|]", "PrefixTuning")]
    [InlineData("PrefixTuning(4, \"[|attn|]\")", "PrefixTuning")]
    [InlineData("MAM(prefixTargets: \"[|attn|]\", adapterTargets: \"attn\")", "MAM")]
    public void NoKeys(string attribute, string method) => Reports(
        "PG047", $"{method} reads the size of a layer with the role 'k' at or around Attend, and no layer there could be it; say it: KeyWidth = 768", attribute, Attending("LayerNorm b = LayerNorm(8)").Replace("Linear a = Linear(8, 8)", "LayerNorm a = LayerNorm(8)", StringComparison.Ordinal));

    [Theory]
    [InlineData("Linear k_lin = Linear(8, 8)")]
    [InlineData("Linear b = Linear(8, 8)")]
    [InlineData("Linear b = Linear(8, 8), qkv = Linear(8, 24)")]
    [InlineData("Linear b = Linear(8, 8); [Name(\"key\")] private readonly Linear other = Linear(8, 8)")]
    [InlineData("Linear b = Linear(8, 8); [Fused(\"q\", \"k\")] private readonly Linear both = Linear(8, 16)")]
    [InlineData("Module<Tensor, Tensor> b = Linear(8, 8)")]
    [InlineData("Sequential b = Sequential((\"k\", Linear(8, 8)))")]
    [InlineData("Keys b = new()")]
    public void Keys(string layers) => IsSilent("PrefixTuning(4, \"attn\")", Attending(layers));

    [Theory]
    [InlineData("RankPattern = \"b_proj=2, [|k_prj|]=3\"", "'k_prj' of RankPattern is the end of no path among the sites of targets, so it has no effect; did you mean 'k_proj'?")]
    [InlineData("AlphaPattern = \"[|elsewhere|]=3\"", "'elsewhere' of AlphaPattern is the end of no path among the sites of targets, so it has no effect; correct it, or leave it away")]
    [InlineData("RankPattern = [|@\"layers\\.\\d+\\.other=3\"|]", "'layers\\.\\d+\\.other' of RankPattern is the end of no path among the sites of targets, so it has no effect; correct it, or leave it away")]
    public void APatternMeetsNothing(string pattern, string message) => Reports("PG048", message, $"LoRA(2, targets: \"b_proj,k_proj\", {pattern})", Stacked);

    [Theory]
    [InlineData("LoRA(2, targets: \"b_proj\", RankPattern = \"[|b_proj: 2|]\")", "the pattern 'b_proj: 2' is none, expected a name, '=' and a number: 'down_proj=6'")]
    [InlineData("LoRA(2, targets: \"b_proj\", AlphaPattern = \"b_proj=2, [|(b|]=3\")", "the pattern '(b' is no regular expression that PeftGen can match: a '(' has no ')'")]
    public void AMalformedPattern(string attribute, string message) => Reports("PG007", message, attribute, Stacked);

    [Theory]
    [InlineData("LoRA(2, targets: \"b_proj,k_proj\", RankPattern = \"b_proj=1, layers.11.k_proj = 2\")")]
    [InlineData("LoRA(2, targets: \"b_proj,k_proj\", AlphaPattern = @\"layers\\.\\d\\..*=3, k.*=4\")")]
    [InlineData("LoRA(2, targets: \"b_proj\", Layers = [1], LeaveOut = [0])")]
    public void PatternsAndBlocks(string attribute) => IsSilent(attribute, Stacked);

    [Theory]
    [InlineData("LoRA(2, targets: \"b_proj\", Layers = [|[0, 2]|])", "Layers names block 2, and Model has 2, counted from 0 to 1; correct it, or leave it away")]
    [InlineData("IA3(\"b_proj\", \"\", LeaveOut = [|[5]|])", "LeaveOut names block 5, and Model has 2, counted from 0 to 1; correct it, or leave it away")]
    [InlineData("Bottleneck(2, \"layers.*\", ReductionPattern = [|\"0=2, 3=8\"|])", "ReductionPattern names block 3, and Model has 2, counted from 0 to 1; correct it, or leave it away")]
    public void NoSuchBlock(string attribute, string message) => Reports("PG049", message, attribute, Stacked);

    /// <summary>Blocks are counted by the first number of a path: what lists they hold does not matter, and each stack begins at 0.</summary>
    [Theory]
    [InlineData("private readonly Linear b_proj", "private readonly ModuleList<Linear> experts = ModuleList(Linear(8, 8)); private readonly Linear b_proj")]
    [InlineData("public Model() : base", "private readonly ModuleList<Linear> others = ModuleList(Linear(8, 8), Linear(8, 8)); public Model() : base")]
    public void NoSuchIndex(string code, string other) => Reports(
        "PG049", "Layers names block 2, and Model has 2, counted from 0 to 1; correct it, or leave it away", "LoRA(2, targets: \"b_proj\", Layers = [|[2]|])", Stacked.Replace(code, other, StringComparison.Ordinal));

    /// <summary>How many there are may not show.</summary>
    [Theory]
    [InlineData("ModuleList(new Block(), new Block())", "ModuleList(Enumerable.Range(0, 4).Select(_ => new Block()).ToArray())")]
    [InlineData("public Model() : base(\"model\") => RegisterComponents();", "public Model() : base(\"model\") { layers.append(new Block()); RegisterComponents(); }")]
    [InlineData("ModuleList(new Block(), new Block());", "ModuleList(new Block(), new Block()); private readonly Sequential more = Sequential((\"a\", new Block()));")]
    public void TheNumberOfBlocksDoesNotShow(string code, string other) => IsSilent("LoRA(2, targets: \"b_proj\", Layers = [2])", Stacked.Replace(code, other, StringComparison.Ordinal));

    private static void IsSilent(string attribute, string model)
    {
        var generated = Generated.From($"[{attribute}]\n{model}");
        Assert.DoesNotContain(generated.Reported, d => d.Severity >= DiagnosticSeverity.Warning);
        generated.AssertCompiles();
    }

    private static void Reports(string id, string message, string marked, string model)
    {
        var (open, close) = (marked.IndexOf("[|", StringComparison.Ordinal), marked.IndexOf("|]", StringComparison.Ordinal));
        var text = marked[(open + 2)..close];
        var generated = Generated.From($"[{marked[..open]}{text}{marked[(close + 2)..]}]\n{model}");
        Assert.Equal([$"{id} '{text}': {message}"],
            generated.Reported.Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => $"{d.Id} '{d.Location.SourceTree!.GetText().ToString(d.Location.SourceSpan)}': {d.GetMessage()}"));
        Assert.Empty(generated.CompilerDiagnostics());
    }

    private const string Layers = """
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding words = Embedding(9, 8);
            private readonly Conv2d conv = Conv2d(3, 8, 3), grouped = Conv2d(4, 8, 3, groups: 2, bias: false);
            private readonly GroupNorm groups = GroupNorm(2, 8);
            private readonly Linear fc = Linear(8, 8), plain = Linear(8, 8, hasBias: false);
            private readonly FastLinear fast = new(8, 8);
            private readonly LayerNorm norm = LayerNorm(8);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => words.forward(x) + norm.forward(plain.forward(fc.forward(groups.forward(fast.forward(grouped.forward(conv.forward(x)))))));

            private static Conv2d Made() => Conv2d(3, 8, 3, bias: false);
        }
        """;

    private const string PostNorm = """
        public partial class Model : Module<Tensor, Tensor>
        {
            private const long Four = 4;
            public static readonly long Size = 8;
            private readonly Mlp mlp = new();
            private readonly LayerNorm norm = LayerNorm(8), other = LayerNorm(Four);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => other.forward(norm.forward(mlp.forward(x) + x));

            private static LayerNorm Made(long size) => LayerNorm(size);
        }

        public partial class Mlp : Module<Tensor, Tensor>
        {
            private readonly Linear up = Linear(8, 8);

            public Mlp() : base("mlp") => RegisterComponents();

            public override Tensor forward(Tensor x) => up.forward(x);
        }
        """;

    private static string PreNorm { get; } = PostNorm.Replace("other.forward(norm.forward(mlp.forward(x) + x))", "x + mlp.forward(norm.forward(other.forward(x)))", StringComparison.Ordinal).Replace("LayerNorm(Four)", "LayerNorm(Size)", StringComparison.Ordinal).Replace("static readonly long Size", "const long Size", StringComparison.Ordinal);

    private static string Reading(string parameters) => $$"""
        public partial class Model : Module<{{string.Concat(parameters.Split(',').Select(_ => "Tensor, "))}}Tensor>
        {
            private readonly Embedding embed_tokens = Embedding(9, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward({{parameters}}) => embed_tokens.forward({{parameters.Split(',')[0].Split(' ')[^1]}});
        }
        """;

    private const string Stacked = """
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> layers = ModuleList(new Block(), new Block());

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var layer in layers)
                    x = layer.forward(x);
                return x;
            }
        }

        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear b_proj = Linear(8, 8), k_proj = Linear(8, 8);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + k_proj.forward(b_proj.forward(x));
        }
        """;

    private static string Attending(string layers) => $$"""
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Attend attn = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + attn.forward(x);
        }

        public partial class Attend : Module<Tensor, Tensor>
        {
            private readonly Linear a = Linear(8, 8);
            private readonly {{layers}};

            public Attend() : base("attn") => RegisterComponents();

            public override Tensor forward(Tensor x) => functional.scaled_dot_product_attention(a.forward(x).unsqueeze(1), x.unsqueeze(1), x.unsqueeze(1)).squeeze(1);
        }

        public partial class Keys : Module<Tensor, Tensor>
        {
            private readonly Linear k_proj = Linear(8, 8);

            public Keys() : base("keys") => RegisterComponents();

            public override Tensor forward(Tensor x) => k_proj.forward(x);
        }
        """;
}
