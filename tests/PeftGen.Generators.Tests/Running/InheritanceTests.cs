namespace PeftGen.Generators.Tests;

/// <summary>Classes that derive from others, and generic and nested ones.</summary>
public class InheritanceTests
{
    [Fact]
    public void DerivedWithoutAForwardOfItsOwn() => RunningModel.Check("""
        public partial class Base : Module<Tensor, Tensor>
        {
            protected readonly Linear q = Linear(4, 4);

            public Base(string name = "base") : base(name) => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x);
        }

        public partial class Derived : Base
        {
            public Derived() : base("derived") { }
        }

        [Scale(targets: "q")]
        public partial class Model : Base
        {
            private readonly Derived derived = new();
            private readonly Base plain = new Derived();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => base.forward(plain.forward(derived.forward(x)));
        }
        """, "q", "derived.q", "plain.q");

    [Fact]
    public void RootWithoutAForwardOfItsOwn() => RunningModel.Check("""
        public abstract partial class Base : Module<Tensor, Tensor>
        {
            protected Linear q = Linear(4, 4);

            protected Base() : base("base") { }

            public override Tensor forward(Tensor x) => Head(q.forward(x));

            protected abstract Tensor Head(Tensor x);
        }

        [Scale]
        public partial class Model : Base
        {
            private readonly Linear v = Linear(4, 4);

            public Model() => RegisterComponents();

            protected override Tensor Head(Tensor x) => v.forward(x);
        }
        """, "q", "v");

    [Fact]
    public void BaseForwardAbstractMethodsAndSealedOverrides() => RunningModel.Check("""
        public abstract partial class Layer : Module<Tensor, Tensor>
        {
            protected readonly Linear inner = Linear(4, 4);

            protected Layer() : base("layer") { }

            public abstract Tensor Mix(Tensor x, double by = 1);

            protected internal virtual Tensor Twist(Tensor x) => x + 1;

            public override Tensor forward(Tensor x) => Mix(Twist(inner.forward(x)));
        }

        public partial class Plain : Layer
        {
            private readonly Linear fc = Linear(4, 4);

            public Plain() => RegisterComponents();

            public override Tensor Mix(Tensor x, double by = 1) => fc.forward(x) * by;
        }

        public partial class Twice : Plain
        {
            private readonly Linear extra = Linear(4, 4);

            public Twice() => RegisterComponents();

            public sealed override Tensor Mix(Tensor x, double by = 2) => base.Mix(base.Mix(x), by);

            protected internal override Tensor Twist(Tensor x) => base.Twist(extra.forward(x));

            public override Tensor forward(Tensor x) => base.forward(base.forward(x));
        }

        [Scale(targets: "inner,fc,extra")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Layer> layers = ModuleList<Layer>(new Plain(), new Twice());

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var layer in layers)
                    x = layer.call(x);
                return layers[1].Mix(x);
            }
        }
        """, "layers.0.inner", "layers.0.fc", "layers.1.inner", "layers.1.fc", "layers.1.extra");

    [Fact]
    public void ClassesBetweenTwoThatAreCompiled() => RunningModel.Check("""
        public abstract partial class Head : Module<Tensor, Tensor>
        {
            protected Head() : base("head") { }

            public abstract Tensor Score(Tensor x);

            public override Tensor forward(Tensor x) => Score(x);
        }

        public abstract partial class Named : Head
        {
            public string Title => "a head";
        }

        public partial class Classifier : Named
        {
            private readonly Linear fc = Linear(4, 4);

            public Classifier() => RegisterComponents();

            public override Tensor Score(Tensor x) => fc.forward(x);
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Classifier head = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => head.forward(x);
        }
        """, "head.fc");

    [Fact]
    public void AbstractClassesWithoutAForward() => RunningModel.Check("""
        public abstract partial class Encoder : Module<Tensor, Tensor>
        {
            protected Encoder() : base("encoder") { }

            public abstract Tensor Pool(Tensor x, int times);
        }

        public partial class Plain : Encoder
        {
            private readonly Linear fc = Linear(4, 4);

            public Plain() => RegisterComponents();

            public override Tensor forward(Tensor x) => fc.forward(x);

            public override Tensor Pool(Tensor x, int times) => fc.forward(x) * times;
        }

        public abstract partial class Cell : Module<Tensor, Tensor>
        {
            protected Cell() : base("cell") { }

            public override Tensor forward(Tensor x) => forward(x, 2);

            protected abstract Tensor forward(Tensor x, int times);
        }

        public partial class Own : Cell
        {
            private readonly Linear fc = Linear(4, 4);

            public Own() => RegisterComponents();

            protected override Tensor forward(Tensor x, int times) => fc.forward(x) * times;
        }

        public partial class Other : Cell
        {
            protected override Tensor forward(Tensor x, int times) => x;
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Encoder encoder = new Plain();
            private readonly Own cell = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => cell.call(encoder.Pool(encoder.forward(x), 2));
        }
        """, "encoder.fc", "cell.fc");

    [Fact]
    public void GenericClasses() => RunningModel.Check("""
        public partial class Residual<T> : Module<Tensor, Tensor> where T : Module<Tensor, Tensor>
        {
            private readonly T inner;

            public Residual(T inner) : base("residual") { this.inner = inner; RegisterComponents(); }

            public override Tensor forward(Tensor x) => x + inner.forward(x);
        }

        public partial class Own : Module<Tensor, Tensor>
        {
            public readonly Linear fc = Linear(4, 4);

            public Own() : base("own") => RegisterComponents();

            public override Tensor forward(Tensor x) => fc.forward(x);
        }

        public partial class OfOwn<TBlock, TOther> : Module<Tensor, Tensor> where TBlock : Own, new()
        {
            private readonly TBlock block = new();
            private readonly ModuleList<TBlock> blocks = ModuleList(new TBlock());

            public OfOwn() : base("of") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var b in blocks)
                    x = b.forward(x);
                return block.forward(x) + (TOther: typeof(TOther).Name.Length, 0).TOther;
            }
        }

        [Scale(targets: "linear.inner,fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Residual<Linear> linear = new(Linear(4, 4));
            private readonly Residual<Own> own = new(new Own());
            private readonly OfOwn<Own, int> of = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => of.forward(own.forward(linear.forward(x)));
        }
        """, "linear.inner", "own.inner.fc", "of.block.fc", "of.blocks.0.fc");

    [Fact]
    public void NestedAndLessVisibleClasses() => RunningModel.Check("""
        public static partial class Zoo<TAny>
        {
            internal partial class Inside : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);

                public Inside() : base("inside") => RegisterComponents();

                public override Tensor forward(Tensor x) => fc.forward(x);
            }
        }

        internal partial class Quiet : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Quiet() : base("quiet") => RegisterComponents();

            public override Tensor forward(Tensor x) => fc.forward(x);
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Hidden hidden = new();
            private readonly ModuleList<Hidden> more = ModuleList(new Hidden());
            private readonly Quiet quiet = new();
            private readonly Zoo<int>.Inside inside = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => more[0].forward(inside.forward(quiet.forward(hidden.forward(hidden.deep.forward(x)))));

            private partial class Hidden : Module<Tensor, Tensor>
            {
                public readonly Deep deep = new();
                private readonly Linear fc = Linear(4, 4);

                public Hidden() : base("hidden") => RegisterComponents();

                public override Tensor forward(Tensor x) => deep.forward(fc.forward(x));

                public partial class Deep : Module<Tensor, Tensor>
                {
                    private readonly Linear fc = Linear(4, 4);

                    public Deep() : base("deep") => RegisterComponents();

                    public override Tensor forward(Tensor x) => fc.forward(x);
                }
            }
        }
        """, "hidden.deep.fc", "hidden.fc", "more.0.deep.fc", "more.0.fc", "quiet.fc", "inside.fc");
}
