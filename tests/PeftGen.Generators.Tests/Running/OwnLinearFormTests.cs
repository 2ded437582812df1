namespace PeftGen.Generators.Tests;

/// <summary>Linear layers that users write themselves.</summary>
public class OwnLinearFormTests
{
    [Fact]
    public void OfEitherOrientation() => RunningModel.Check("""
        public partial class Conv1D : Module<Tensor, Tensor>
        {
            private readonly Parameter weight = new(randn(4, 4) * 0.5), bias = new(randn(4));

            public Conv1D() : base("conv1d") => RegisterComponents();

            public override Tensor forward(Tensor x) => x.matmul(weight) + bias;
        }

        public partial class Dense<T> : Module<Tensor, Tensor>
        {
            private readonly Parameter kernel = new(randn(4, 4) * 0.5);
            private readonly Parameter? bias = null;

            public Dense() : base("dense") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                using var y = functional.linear(x, kernel);
                return bias is null ? y.alias() : y + bias;
            }
        }

        public partial class Block : Module<Tensor, Tensor>
        {
            public readonly Conv1D inner = new();

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => inner.forward(x);
        }

        [Scale(targets: "c_attn,dense,steps.*,inner,maybe")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Conv1D c_attn = new();
            private readonly Dense<int> dense = new();
            private readonly ModuleList<Conv1D> steps = ModuleList(new Conv1D(), new Conv1D());
            private readonly Block block = new();
            private readonly Conv1D? maybe = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var y = dense.call(c_attn.forward(x));
                foreach (var step in steps)
                    y = step.forward(y);
                Func<Tensor, Tensor> run = maybe!.forward;
                y = run(block.inner.forward(block.forward(y)));
                return maybe?.forward(y) ?? y;
            }
        }
        """, "c_attn", "dense", "steps.0", "steps.1", "block.inner", "maybe");

    [Fact]
    public void OfTheLibrary() => RunningModel.Check("""
        [Scale(targets: "all-linear")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly FastLinear fast = new(4, 4);
            private readonly ModuleList<FastLinear> steps = ModuleList(new FastLinear(4, 4), new FastLinear(4, 4, hasBias: false));
            private readonly FastLinear? maybe = new(4, 4);
            private readonly Sequential both = Sequential(("first", new FastLinear(4, 4)), ("second", ReLU()));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var y = fast.call(x);
                foreach (var step in steps)
                    y = step.forward(y);
                return both.forward(maybe?.forward(y) ?? y);
            }
        }
        """, "fast", "steps.0", "steps.1", "maybe", "both.first");

    [Theory]
    [InlineData("weight * x")]
    [InlineData("functional.linear(x, weight) * bias")]
    [InlineData("functional.linear(x, weight) + x.matmul(weight)")]
    [InlineData("functional.linear(x, weight * 2, bias)")]
    [InlineData("functional.linear(x, weight, bias) * extra")]
    public void WhatIsNoLinearLayer(string forward) => Marked.Reports("PG003", "'own' is Model.own of type Own, which cannot carry Scale; it needs a layer of type Linear", $$"""
        public partial class Own : Module<Tensor, Tensor>
        {
            private readonly Parameter weight = new(randn(4, 4)), bias = new(randn(4));
            {{(forward.Contains("extra", StringComparison.Ordinal) ? "private readonly Parameter extra = new(ones(4));" : "")}}

            public Own() : base("own") => RegisterComponents();

            public override Tensor forward(Tensor x) => {{forward}};
        }

        [Scale(targets: "[|own|]")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Own own = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => own.forward(x);
        }
        """);

    [Fact]
    public void HasToBePartial() => Marked.Reports("PG004", "Own lies on the way to a target, so code is generated into it; declare it 'partial'", """
        public class [|Own|] : Module<Tensor, Tensor>
        {
            private readonly Parameter weight = new(randn(4, 4));

            public Own() : base("own") => RegisterComponents();

            public override Tensor forward(Tensor x) => functional.linear(x, weight);
        }

        [Scale(targets: "own")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Own own = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => own.forward(x);
        }
        """);
}
