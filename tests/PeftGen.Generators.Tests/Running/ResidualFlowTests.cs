using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>Which sums are residuals, and of which sub-layer, where bodies branch, loop and reuse their variables.</summary>
public class ResidualFlowTests
{
    private const string Parts = """
        public partial class Mlp : Module<Tensor, Tensor>
        {
            private readonly Linear up = Linear(4, 8), down = Linear(8, 4);
            public Mlp() : base("mlp") => RegisterComponents();
            public override Tensor forward(Tensor x) => down.forward(up.forward(x).relu());
        }

        public partial class Pair : Module<Tensor, Tensor?, (Tensor, Tensor?)>
        {
            private readonly Linear fc = Linear(4, 4);
            public Pair() : base("pair") => RegisterComponents();
            public override (Tensor, Tensor?) forward(Tensor x, Tensor? mask) => (fc.forward(x) + 1, mask);
        }

        public record Result(Tensor Hidden, Tensor? Cache);

        public partial class Recorded : Module<Tensor, Result>
        {
            private readonly Linear fc = Linear(4, 4);
            public Recorded() : base("recorded") => RegisterComponents();
            public override Result forward(Tensor x) => new(fc.forward(x) + 1, null);
        }

        public class Scaled : Module<Tensor, Tensor>
        {
            private readonly Parameter gamma = Parameter(rand(4));
            public Scaled() : base("scaled") => RegisterComponents();
            public override Tensor forward(Tensor x) => x * gamma;
        }

        public class RootMeanSquare : Module<Tensor, Tensor>
        {
            private readonly Parameter weight = Parameter(rand(4));
            public RootMeanSquare() : base("norm") => RegisterComponents();
            public override Tensor forward(Tensor x) => weight * (x * rsqrt(x.pow(2).mean([-1], true) + 1e-5));
        }

        public class Skipping : Module<Tensor, Tensor>
        {
            private readonly double p = 0;
            public Skipping() : base("skipping") { }
            public override Tensor forward(Tensor x)
            {
                if (p == 0)
                    return x;
                var kept = rand([x.shape[0], 1, 1]).add_(0.5).floor_();
                return x / 0.5 * kept;
            }
        }

        """;

    private static RunningModel Check(string members, string body, params string[] sites) => RunningModel.Check(Source(members, body, sites), sites);

    private static string Source(string members, string body, params string[] sites) => Parts + $$"""
        [Touch(Residuals = "{{string.Join(",", sites.Distinct())}}")]
        public partial class Model : Module<Tensor, Tensor>
        {
            public readonly Mlp attn = new(), mlp = new();
            public readonly LayerNorm norm1 = LayerNorm(4), norm2 = LayerNorm(4);
            public bool First;
            {{members}}
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                {{body}}
            }
        }
        """;

    /// <summary>Whether the site of attn's residual has a norm.</summary>
    private static bool HasNorm(string body) =>
        Generated.From(Source("", body, "attn")).Files.Values.Any(text => text.Contains("Residual(\"attn_residual\", self.norm1", StringComparison.Ordinal));

    /// <summary>The touched residual multiplies the output alone; times 0, what is left is what it was added to.</summary>
    private static void Leaves(RunningModel running, Func<dynamic, Tensor, Tensor> expected)
    {
        using (no_grad())
            foreach (var parameter in ((nn.Module)running.Adapter).parameters())
                parameter.zero_();
        Assert.True(((Tensor)expected(running.Model, running.Input)).allclose(running.Adapted()));
    }

    [Fact]
    public void TheWayThatRunsTellsWhichModuleItIs()
    {
        var running = Check("private readonly Parameter pos = Parameter(rand(4));", """
            if (First)
            {
                x = attn.forward(x);
            }
            else
            {
                var q = x + pos;
                x = x + attn.forward(q);
            }

            return x;
            """, "attn");
        Leaves(running, (_, x) => x);
    }

    [Theory]
    [InlineData("var h = First ? attn.forward(x) : attn.forward(norm1.forward(x)); return x + h;")]
    [InlineData("Tensor h; if (First) h = attn.forward(x); else h = attn.forward(norm1.forward(x)); return h + x;")]
    [InlineData("Tensor h; switch (x.dim()) { case 2: h = attn.forward(x); break; default: h = attn.forward(norm1.forward(x)); break; } return h + x;")]
    [InlineData("var h = x.dim() switch { 2 => attn.forward(x), _ => attn.forward(x.alias()) }; return x.add(h);")]
    [InlineData("Tensor h; try { h = attn.forward(x); } finally { First = false; } x += h; return x;")]
    [InlineData("Tensor r, h; if (First) { r = x * 2; h = attn.forward(r); } else { r = x * 3; h = attn.forward(r); } return r + h;")]
    [InlineData("var (r, h) = (x, attn.forward(norm1.forward(x))); return r + h;")]
    [InlineData("var r = x; x = norm1.forward(x); x = attn.forward(x); x *= 0.5; x = r + x; return x;")]
    [InlineData("Tensor? t = null; t ??= attn.forward(x); return x + attn.forward(norm1.forward(x)) * 1;")]
    [InlineData("for (var i = 0; i < 1; i++) { var h = attn.forward(norm1.forward(x)); x = x + h; } return x;")]
    [InlineData("using var scope = NewDisposeScope(); using var h = attn.forward(x); return torch.add(x, h).MoveToOuterDisposeScope();")]
    [InlineData("using (var h = attn.forward(x.to(ScalarType.Float32))) return (x + h.to(x.dtype)).alias();")]
    [InlineData("var shifted = norm1.forward(x) * (1 + x.mean()) + 0.1; return x + x.mean() * attn.forward(shifted);")]
    [InlineData("Tensor Sub(Tensor y) { return y + attn.forward(y); } return Sub(x);")]
    [InlineData("Func<Tensor, Tensor> sub = y => attn.forward(norm1.forward(y)) + y; return sub(x);")]
    [InlineData("var h = x is { } given ? attn.forward(given) : throw new Exception(); return x + h;")]
    [InlineData("x = mlp.forward(x); x = x + attn.forward(x); return x;")]
    public void EveryWayToTheSumIsLookedAt(string body) => Check("", body, "attn");

    [Theory]
    [InlineData("var h = First ? attn.forward(x) : mlp.forward(x); return x + h;", "the output of attn on one way and of mlp on another")]
    [InlineData("var h = x * 2; if (First) h = attn.forward(x); return x + h;", "the output of attn on some of the ways that lead here, and not on all")]
    [InlineData("var y = mlp.forward(x); return y + attn.forward(x);", "both sides are outputs, of mlp and attn, and neither module was given the other side")]
    [InlineData("return x * 2 + attn.forward(x);", "attn was not given what its output is added to")]
    [InlineData("return x + norm1.forward(attn.forward(x));", "the norm norm1 stands between the sub-layer and the sum")]
    [InlineData("var h = mlp.forward(x); for (var i = 0; i < 2; i++) { x = x + h; h = attn.forward(x); } return x;", "what is added may be from the loop's turn before")]
    [InlineData("return x + attn.forward(mlp.forward(x));", "attn was not given what its output is added to")]
    [InlineData("var h = attn.forward(x); x = x * 2; return x + h;", "attn was not given what its output is added to")]
    [InlineData("var h = attn.forward(x); x = mlp.forward(x); return x + h;", "both sides are outputs")]
    [InlineData("var h = attn.forward(x); Twice(ref h); return x + h;", "neither side is the output of a module")]
    [InlineData("var h = attn.forward(x); Action change = () => h = x; change(); return x + h;", "neither side is the output of a module")]
    public void WhatIsNoResidualSaysWhy(string body, string why)
    {
        var reported = Generated.From(Project.Of(Parts + $$"""
            [Touch(Residuals = "**")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Mlp attn = new(), mlp = new();
                private readonly LayerNorm norm1 = LayerNorm(4);
                private bool First;
                public Model() : base("model") => RegisterComponents();
                private static void Twice(ref Tensor x) => x = x * 2;
                public override Tensor forward(Tensor x) { {{body}} }
            }
            """)).Reported;
        var message = Assert.Single(reported, d => d.Id == "PG001").GetMessage(System.Globalization.CultureInfo.InvariantCulture);
        Assert.Contains(why, message, StringComparison.Ordinal);
        Assert.Contains("Sums that are no residuals: Model.cs line ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void OutputsInTuplesAndRecords() => Check("private readonly Pair pair = new(); private readonly Recorded recorded = new();", """
        var (h, cache) = pair.forward(norm1.forward(x), null);
        x = x + h;
        var result = recorded.forward(norm2.forward(x));
        x = x + result.Hidden;
        return x + pair.forward(x, null).Item1;
        """, "pair", "recorded", "pair");

    [Fact]
    public void ModulesThatHandOnAreNoSubLayers() => Check("""
        private readonly Module<Tensor, Tensor> drop = 0.0 > 1 ? Identity() : Dropout(0);
        private readonly Module<Tensor, Tensor> act = GELU();
        private readonly Scaled scaled = new();
        private readonly Skipping skipping = new();
        private readonly RootMeanSquare rms = new();
        """, """
        x = x + drop.forward(attn.forward(rms.forward(x)));
        x = x + skipping.forward(scaled.forward(act.forward(mlp.forward(rms.forward(x)))));
        return x;
        """, "attn", "mlp");

    [Theory]
    [InlineData("x = x + attn.forward(x); x = norm1.forward(x); return x;")]
    [InlineData("x = norm2.forward(x); x += attn.forward(x); return norm1.forward(x);")]
    [InlineData("var sum = attn.forward(x) + x; var y = norm1.forward(sum); sum.Dispose(); return y;")]
    [InlineData("using var sum = x.add(attn.forward(x)); return norm1.call(sum);")]
    [InlineData("using var scope = NewDisposeScope(); var sum = Residual.Add(attn.forward(x), x); return norm1.forward(sum).MoveToOuterDisposeScope();")]
    [InlineData("return norm1.forward(Residual.Add(attn.forward(x), x));")]
    [InlineData("return norm1.call((x + attn.forward(x)));")]
    [InlineData("return norm1.forward(x.add(attn.forward(x)));")]
    public void TheNormAfterASumBelongsToIt(string body)
    {
        var running = Check("", body, "attn");
        Assert.True(HasNorm(body));
        Leaves(running, (model, x) => model.norm1.forward(body.Contains("norm2", StringComparison.Ordinal) ? model.norm2.forward(x) : x));
    }

    [Theory]
    [InlineData("var y = x + attn.forward(x); x = norm1.forward(y); return x + y;")]
    [InlineData("x = x + attn.forward(x); if (!First) x = norm1.forward(x); return x;")]
    [InlineData("x = x + attn.forward(x); var shape = x.shape; return norm1.forward(x).view(shape);")]
    [InlineData("x = x + attn.forward(x); x = norm1.forward(norm2.forward(x)) + x.mean(); return x;")]
    [InlineData("x.add_(attn.forward(x)); return norm1.forward(x);")]
    public void ASumThatIsUsedOtherwiseIsNotNormed(string body)
    {
        // In place, the model would change what it is given.
        Check("", $"x = x * 1; {body}", "attn");
        Assert.False(HasNorm(body));
    }

    /// <summary>The order of the operands decides how a sum lies in memory, and with it the last bits of what is computed next.</summary>
    [Theory]
    [InlineData("x + attn.forward(x)")]
    [InlineData("attn.forward(x) + x")]
    [InlineData("x.add(attn.forward(x))")]
    [InlineData("torch.add(attn.forward(x), x)")]
    [InlineData("attn.forward(x).to(ScalarType.Float64) + x")]
    public void SumsKeepTheirLayout(string sum)
    {
        var running = Check("public long[] Strides = [];", $"x = x.transpose(0, 2).contiguous().transpose(0, 2); var y = {sum}; Strides = y.stride(); return y.to(ScalarType.Float32);",
            "attn");
        var adapted = (long[])running.Model.Strides;
        running.Model.forward(running.Input);
        Assert.Equal((long[])running.Model.Strides, adapted);
    }

    [Fact]
    public void SumsInPlaceStayInPlace()
    {
        var running = Check("public bool Same;", "var start = x.clone(); var y = start.alias(); start.add_(mlp.forward(start)); Same = y.Equals(start); return start;", "mlp");
        _ = running.Adapted();
        Assert.True(running.Model.Same);
        Leaves(running, (_, x) => x);
    }

    /// <summary>BERT's way: the class is handed the residual beside what is to be added.</summary>
    [Fact]
    public void AClassThatEndsInOneLayerIsTheSubLayer() => RunningModel.Check(Parts + """
        public partial class Output : Module<Tensor, Tensor, Tensor>
        {
            private readonly Linear dense = Linear(4, 4);
            private readonly LayerNorm norm = LayerNorm(4);
            private readonly Module<Tensor, Tensor> dropout;
            public Output() : base("output") { dropout = Dropout(0); RegisterComponents(); }
            public override Tensor forward(Tensor hidden, Tensor input)
            {
                hidden = dense.forward(hidden);
                hidden = dropout.forward(hidden);
                hidden = norm.forward(hidden + input);
                return hidden;
            }
        }

        public partial class Positionwise : Module<Tensor, Tensor>
        {
            private readonly Linear w_1 = Linear(4, 8), w_2 = Linear(8, 4);
            private readonly LayerNorm norm = LayerNorm(4);
            public Positionwise() : base("positionwise") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                var residual = x;
                x = w_2.forward(w_1.forward(x).relu());
                x += residual;
                x = norm.forward(x);
                return x;
            }
        }

        [Touch(Residuals = "output,ffn")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Mlp attn = new();
            private readonly Output output = new();
            private readonly Positionwise ffn = new();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => ffn.forward(output.forward(attn.forward(x), x));
        }
        """, "output", "ffn");

    /// <summary>Other targets at run time than those that are declared: the message says which sums there are.</summary>
    [Fact]
    public void ATargetThatIsNotFoundAtRunTimeSaysWhichSumsThereAre()
    {
        var running = Check("", "x = x + attn.forward(x); return x + norm1.forward(mlp.forward(x));", "attn");
        var touch = (AdaptAttribute)Activator.CreateInstance(running.Assembly.GetType("Methods.Touch")!)!;
        ((dynamic)touch).Residuals = "mlp";
        var error = Assert.Throws<AdapterException>(() => running.Model.CreateAdapter((dynamic)touch));
        Assert.Contains("Sums that are no residuals: Model.cs line", error.Message, StringComparison.Ordinal);
        Assert.Contains("'x + norm1.forward(mlp.forward(x))': the norm norm1 stands between the sub-layer and the sum", error.Message, StringComparison.Ordinal);
    }
}
