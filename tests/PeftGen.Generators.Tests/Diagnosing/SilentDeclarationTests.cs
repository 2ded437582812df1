using System.Reflection;

namespace PeftGen.Generators.Tests;

/// <summary>Declarations of which nothing could come: each says what is wrong.</summary>
public class SilentDeclarationTests
{
    private const string Linear = "private readonly Linear q_proj = Linear(4, 4);";

    [Theory]
    [InlineData("public record Model;")]
    [InlineData("public record class Model(int Size);")]
    [InlineData("public sealed partial record Model;")]
    [InlineData("public static class Model { }")]
    [InlineData("public partial class Model { }")]
    [InlineData("public class Model : System.Attribute { }")]
    public void OnWhatIsNoModule(string declaration) => Marked.Reports(
        "PG005", "[LoRA] stands on Model, which is no torch.nn.Module; put it on the model's class", $"[[|LoRA(targets: \"q\")|]]\n{declaration}", program: false);

    [Theory]
    [InlineData("LoRA(targets: [|null!|])", "targets of LoRA is null, expected names separated by commas, for example 'q_proj,v_proj', or 'all-linear'")]
    [InlineData("BitFit([|null!|])", "targets of BitFit is null, expected names separated by commas, for example 'q_proj,v_proj', or 'all-linear'")]
    [InlineData("LoRA(targets: \"[|\"|])", "a target is empty; write names separated by commas, for example 'q_proj,v_proj'")]
    [InlineData("LoRA(targets: \"[| |] \")", "a target is empty; write names separated by commas, for example 'q_proj,v_proj'")]
    [InlineData("LoRA(targets: \"q_proj,[|\"|])", "a target is empty; write names separated by commas, for example 'q_proj,v_proj'")]
    [InlineData("LoRA(targets: \"q_proj\", ModulesToSave = \"[|\"|])", "a target is empty; write names separated by commas, for example 'q_proj,v_proj'")]
    [InlineData("LoRA(targets: \"q_proj\", Exclude = \"[|\"|])", "a target is empty; write names separated by commas, for example 'q_proj,v_proj'")]
    [InlineData("LoRA(targets: \"q_proj\", Exclude = \"[|q;k|]\")", "'q;k' contains ';'; write names, dots, * and **, a name with other characters in single quotes, or begin with 'regex:'")]
    public void NoTargets(string attribute, string message) => Marked.Reports("PG007", message, Model(attribute), program: false);

    [Theory]
    [InlineData("Bias = [|(LoRABias)7|]", "Bias is 7, which is no member of LoRABias; write one of LoRABias.None, LoRABias.All, LoRABias.LoraOnly")]
    [InlineData("Bias = [|(LoRABias)(-1)|]", "Bias is -1, which is no member of LoRABias; write one of LoRABias.None, LoRABias.All, LoRABias.LoraOnly")]
    public void UndefinedValues(string value, string message) => Marked.Reports("PG060", message, Model($"LoRA(targets: \"q_proj\", {value})"), program: false);

    [Theory]
    [InlineData("LoRA(alpha: [|double.NaN|], targets: \"q_proj\")", "alpha is NaN; LoRA takes alpha from 0 to 1000000000")]
    [InlineData("LoRA(alpha: [|double.PositiveInfinity|], targets: \"q_proj\")", "alpha is Infinity; LoRA takes alpha from 0 to 1000000000")]
    [InlineData("LoRA(rank: [|-4|], targets: \"q_proj\")", "rank is -4; LoRA takes rank from 1 to 65536")]
    [InlineData("LoRA(targets: \"q_proj\", Dropout = [|double.NaN|])", "Dropout is NaN; LoRA takes Dropout from 0 to 0.999999")]
    public void NumbersOutOfRange(string attribute, string message) => Marked.Reports("PG006", message, Model(attribute), program: false);

    /// <summary>Each number that a declaration takes has a range, which neither NaN nor an infinity is in.</summary>
    [Fact]
    public void EveryNumberHasARange()
    {
        var methods = typeof(AdaptAttribute).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(AdaptAttribute)) && !t.IsAbstract).ToList();
        Assert.True(methods.Count > 10);
        var without = methods.SelectMany(method => method.GetProperties().Where(p => p.PropertyType == typeof(double) || p.PropertyType == typeof(int))
            .Where(p => p.GetCustomAttribute<InRangeAttribute>() is null
                && !method.GetConstructors().SelectMany(c => c.GetParameters()).Any(a => string.Equals(a.Name, p.Name, StringComparison.OrdinalIgnoreCase) && a.GetCustomAttribute<InRangeAttribute>() is not null)
                && p.CanWrite | method.GetConstructors().SelectMany(c => c.GetParameters()).Any(a => string.Equals(a.Name, p.Name, StringComparison.OrdinalIgnoreCase)))
            .Select(p => $"{method.Name}.{p.Name}")).ToList();
        Assert.Empty(without);
    }

    [Fact]
    public void NoBiases() => Marked.Reports(
        "PG061", "'bias' finds nothing to train below Model, so the adapter would be empty: Model.q_proj is made without bias; choose other targets or another method",
        """
        [[|BitFit|]]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4, hasBias: false);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => q_proj.forward(x);
        }
        """);

    [Fact]
    public void NoNorms()
    {
        var reported = Assert.Single(Generated.From(Model("LNTuning")).Reported);
        Assert.Equal("PG001", reported.Id);
    }

    [Fact]
    public void NoTokens() => Assert.Equal("PG044", Assert.Single(Generated.From("""
        [TrainableTokens(new int[0])]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding embed_tokens = Embedding(4, 4);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => embed_tokens.forward(x);
        }
        """).Reported, d => d.Id != "PG011").Id);

    [Fact]
    public void WithoutAForward() => Marked.Reports(
        "PG062", "[BitFit] stands on Model, no public method of which runs a target, so no adapter could be run; write a forward, or put the attribute on the class that runs it",
        """
        [[|BitFit|]]
        public partial class Model : Module
        {
            public readonly Linear q_proj = Linear(4, 4);
            public Model() : base("model") => RegisterComponents();
        }
        """, program: false);

    /// <summary>How many blocks there are shows in the code that makes them.</summary>
    [Theory]
    [InlineData("ModuleList(new Block(), new Block(), new Block())")]
    [InlineData("ModuleList(Enumerable.Range(0, 3).Select(_ => new Block()).ToArray())")]
    public void BlocksThatThereAreNot(string blocks) => Marked.Reports("PG049", "Layers names block 7, and Model has 3, counted from 0 to 2; correct it, or leave it away", $$"""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4);
            public Block() : base("block") => RegisterComponents();
            public override Tensor forward(Tensor x) => q_proj.forward(x);
        }

        [LoRA(rank: 2, targets: "q_proj", Layers = [|new[] { 7 }|])]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> layers = {{blocks}};
            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var layer in layers)
                    x = layer.forward(x);
                return x;
            }
        }
        """);

    private static string Model(string attribute) => $$"""
        [{{attribute}}]
        public partial class Model : Module<Tensor, Tensor>
        {
            {{Linear}}
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => q_proj.forward(x);
        }
        """;
}
