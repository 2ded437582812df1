namespace PeftGen.Generators.Tests;

/// <summary>Sites that are no layers, several methods on one model, and entries besides forward.</summary>
public class SiteTests
{
    [Fact]
    public void Parameters() => RunningModel.Check("""
        public partial class Norm : Module<Tensor, Tensor>
        {
            private readonly Parameter weight = Parameter(rand(4));
            private Parameter? bias = Parameter(rand(4));

            public Norm() : base("norm") => RegisterComponents();

            public override Tensor forward(Tensor x) => bias is null ? weight * x : x * this.weight + bias;
        }

        [Touch(Parameters = "norm,head")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Norm norm = new();
            private readonly Parameter head = Parameter(rand(4, 4));
            public Parameter Other { get; } = Parameter(rand(4));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var named = nameof(head).Length;
                return functional.linear(norm.forward(x), head) * named + Other;
            }
        }
        """, "norm.weight", "norm.bias", "head");

    [Fact]
    public void ResidualsAndAttention() => RunningModel.Check("""
        public partial class SelfOutput : Module<Tensor, Tensor, Tensor>
        {
            private readonly Linear dense = Linear(4, 4);
            private readonly LayerNorm LayerNorm = LayerNorm(4);

            public SelfOutput() : base("output") => RegisterComponents();

            public override Tensor forward(Tensor hidden, Tensor input) => Residual.Add(LayerNorm.forward(dense.forward(hidden) + input), input);
        }

        public partial class Attend : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4), k = Linear(4, 4), v = Linear(4, 4);

            public Attend() : base("attend") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var (kk, vv, mask) = PeftGen.Attention.Attach(x, q.forward(x), k.forward(x), v.forward(x), null);
                return functional.scaled_dot_product_attention(q.forward(x), kk, vv, mask);
            }
        }

        [Touch(Residuals = "output", Attentions = "self")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Attend self = new();
            private readonly SelfOutput output = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => output.forward(self.forward(x), x);
        }
        """, "self", "output", "output");

    [Fact]
    public void GroupsStandSideBySide()
    {
        var running = RunningModel.Check("""
            [Scale(targets: "a")]
            [Scale(1, "b", Group = "second")]
            [Touch(Parameters = "p", Group = "second")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear a = Linear(4, 4), b = Linear(4, 4);
                private readonly Parameter p = Parameter(rand(4));

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => b.forward(a.forward(x)) * p;
            }
            """, "a");
        var second = (AdapterNode)running.Model.CreateSecondAdapter();
        Assert.Equal(["b", "p"], second.Slots().Select(s => s.Path));
        Assert.Null(second.GetType().GetMethod("MergeInto"));
        Assert.Equal("SecondAdapter", second.GetType().Name);
    }

    [Fact]
    public void EmptySlotsOfEveryKindAreTheBase() => RunningModel.Check("""
        public partial class Attend : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4), v = Linear(4, 4);
            private readonly LayerNorm norm = LayerNorm(4);
            private readonly Parameter p = Parameter(rand(4));

            public Attend() : base("attend") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var (kk, vv, mask) = PeftGen.Attention.Attach(x, q.forward(x), q.forward(x), x * p, null);
                return Residual.Add(norm.forward(functional.scaled_dot_product_attention(x, kk, vv, mask) + x), v.forward(x));
            }
        }

        [Scale]
        [Touch(Residuals = "self", Attentions = "self", Parameters = "p,norm", Group = "other")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Attend self = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => self.forward(x);
        }
        """, "self.q", "self.v");

    [Fact]
    public async Task EntriesKeepTheirContextUntilTheyEnd()
    {
        var running = RunningModel.Check("""
            [Scale(targets: "q")]
            [Touch(Parameters = "p")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear q = Linear(4, 4);
                private readonly Parameter p = Parameter(rand(4));

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => q.forward(x) * p;

                public IEnumerable<Tensor> Steps(Tensor x, int count = 2)
                {
                    var read = p;
                    for (var i = 0; i < count; i++)
                        yield return x = q.forward(x) * read;
                }

                public async Task<Tensor> Later(Tensor x)
                {
                    var read = p;
                    await Task.Yield();
                    return q.forward(x) * read;
                }

                public async IAsyncEnumerable<Tensor> Stream(Tensor x)
                {
                    var read = p;
                    await Task.Yield();
                    yield return q.forward(x) * read;
                }

                public void Fill(Tensor x, out Tensor y) => y = forward(x);
            }
            """, "q", "p");
        var (model, adapter, x) = (running.Model, running.Adapter, running.Input);
        var expected = (TorchSharp.torch.Tensor)model.forward(adapter, x);
        Assert.Equal(2, Enumerable.Count((IEnumerable<TorchSharp.torch.Tensor>)model.Steps(adapter, x)));
        Assert.True(expected.Equals((TorchSharp.torch.Tensor)await model.Later(adapter, x)));
        await foreach (var item in (IAsyncEnumerable<TorchSharp.torch.Tensor>)model.Stream(adapter, x))
            Assert.True(expected.Equals(item));
        TorchSharp.torch.Tensor filled;
        model.Fill(adapter, x, out filled);
        Assert.True(expected.Equals(filled));
    }

    [Fact]
    public void AMethodDeclaredBesideTheModelIsAsGood() => RunningModel.Check("""
        namespace Mine;

        public sealed class DoubledAttribute(string targets) : AdaptAttribute
        {
            [Adapts(SiteKind.Layer)] public string Targets { get; } = targets;
            public override IReadOnlyList<Claim> Claims => [new(SiteKind.Layer, TargetList.Parse(Targets))];
            public override Slot CreateSlot(Site site) => new ScaleSlot(site.Path, 1);
            public override string PeftType => "DOUBLED";
            public override void WriteConfig(System.Text.Json.Nodes.JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) { }
            public override AdaptAttribute ReadConfig(System.Text.Json.Nodes.JsonObject config) => this;
            public override string ToString() => "[Doubled]";
        }

        [Doubled("q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x);
        }
        """, "q");
}
