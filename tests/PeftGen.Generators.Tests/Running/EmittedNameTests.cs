namespace PeftGen.Generators.Tests;

/// <summary>Names and words of the user's that meet what is emitted.</summary>
public class EmittedNameTests
{
    [Fact]
    public void AClassCalledAdapter() => RunningModel.Check("""
        namespace Mine
        {
            public static class Adapter
            {
                public const double Gain = 2;
            }

            public partial class Inner : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);

                public Inner() : base("inner") => RegisterComponents();

                public override Tensor forward(Tensor x) => fc.forward(x) * Adapter.Gain;
            }

            [Scale(targets: "fc")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);
                private readonly Inner inner = new();
                private readonly List<Inner> more = [new()];

                public Model() : base("model") { register_module("more", ModuleList(more.ToArray())); RegisterComponents(); }

                public override Tensor forward(Tensor x) => more[0].forward(inner.forward(fc.forward(x)));

                // No compiled body, and the name still means what it meant.
                public static double Gain => Adapter.Gain;
            }
        }
        """, "fc", "inner.fc", "more.0.fc");

    [Fact]
    public void AClassCalledAdapterBesideADerivedOne() => RunningModel.Check("""
        public record Adapter(double Gain);

        public partial class Base : Module<Tensor, Tensor>
        {
            protected readonly Linear fc = Linear(4, 4);

            public Base() : base("base") => RegisterComponents();

            public override Tensor forward(Tensor x) => fc.forward(x);
        }

        [Scale(targets: "fc")]
        public partial class Model : Base
        {
            private readonly Adapter gain = new(3);

            public override Tensor forward(Tensor x) => base.forward(x) * gain.Gain;
        }
        """, "fc");

    [Fact]
    public void FieldsNamedAsMembersOfNodes() => RunningModel.Check("""
        public partial class Inner : Module<Tensor, Tensor>
        {
            private readonly Linear Adapter = Linear(4, 4), New = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) => Adapter.forward(New.forward(x));
        }

        [Scale(targets: "New,Members,In,At,Path,As,ListAt,Slots.*,NewPlace,Adapter")]
        [Touch(Parameters = "GradientCheckpointing")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear New = Linear(4, 4), Members = Linear(4, 4), In = Linear(4, 4), At = Linear(4, 4), Path = Linear(4, 4), As = Linear(4, 4), ListAt = Linear(4, 4), NewPlace = Linear(4, 4);
            private readonly ModuleList<Linear> Slots = ModuleList(Linear(4, 4));
            private readonly Inner Root = new();
            private readonly Parameter GradientCheckpointing = Parameter(ones(4));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                x = As.forward(Path.forward(At.forward(In.forward(Members.forward(New.forward(x))))));
                return Root.forward(Slots[0].forward(NewPlace.forward(ListAt.forward(x)))) * GradientCheckpointing;
            }
        }
        """,
        "New", "Members", "In", "At", "Path", "As", "ListAt", "NewPlace", "Slots.0", "Root.Adapter", "Root.New", "GradientCheckpointing");

    [Fact]
    public void MethodsNamedAsCompiledOnes() => RunningModel.Check("""
        [Scale(targets: "fc,other")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4), other = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                return forwardThrough(null, null, x) + MixThrough(x) + @class(x);

                Tensor MixThrough(Tensor y) => Mix(y) * 2;
            }

            public Tensor forwardThrough(object? a, object? b, Tensor x) => fc.forward(x);

            private Tensor Mix(Tensor x) => other.forward(x);

            private Tensor @class(Tensor größe) => other.forward(größe);
        }
        """, "fc", "other");

    [Fact]
    public void ANewForwardOfAChild() => RunningModel.Check("""
        public partial class Base : Module<Tensor, Tensor>
        {
            protected readonly Linear fc = Linear(4, 4);

            public Base() : base("base") => RegisterComponents();

            public override Tensor forward(Tensor x) => fc.forward(x);
        }

        public partial class Child : Base
        {
            public new Tensor forward(Tensor x) => base.forward(x) * 2 + fc.forward(x);
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Child child = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => child.forward(x) + ((Base)child).forward(x);
        }
        """, "child.fc");

    [Fact]
    public void DynamicArguments() => RunningModel.Check("""
        public partial class Pair : Module<Tensor, Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Pair() : base("pair") => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor y) => fc.forward(x) + y;
        }

        [Scale(targets: "fc,act,steps.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Module<Tensor, Tensor> act = Linear(4, 4);
            private readonly Module<Tensor, Tensor, Tensor> pair = new Pair();
            private readonly Pair own = new();
            private readonly ModuleList<Linear> steps = ModuleList(Linear(4, 4));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                dynamic any = x;
                any = fc.forward(any);
                any = act.call(any);
                any = pair.forward(any, any);
                any = own.forward(any, x);
                foreach (var step in steps)
                    any = step.forward(any);
                return Mix(any, x);
            }

            private Tensor Mix(Tensor x, Tensor y) => fc.forward(x) + y;
        }
        """, "fc", "act", "pair.fc", "own.fc", "steps.0");

    [Fact]
    public void UnsafeClassesMethodsAndPointers() => RunningModel.Check("""
        public unsafe partial class Holder
        {
            public partial class Inner : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);

                public Inner() : base("inner") => RegisterComponents();

                public override Tensor forward(Tensor x) { var k = 2; var p = &k; return fc.forward(x) * *p; }
            }
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Holder.Inner inner = new();

            public Model() : base("model") => RegisterComponents();

            public override unsafe Tensor forward(Tensor x)
            {
                var by = 3f;
                return Scaled(inner.forward(x), &by);
            }

            public unsafe Tensor Scaled(Tensor x, float* scale) => fc.forward(x) * *scale;

            public unsafe Tensor Apply(Tensor x, delegate*<Tensor, Tensor> f) => f(fc.forward(x));

            public Tensor Spanned(ReadOnlySpan<float> by, scoped Span<int> to, Tensor x) => fc.forward(x) * by[0];

            public async Task<Tensor> Later(Tensor x) { await Task.Yield(); return fc.forward(x); }
        }
        """, "fc", "inner.fc");

    [Fact]
    public void DirectivesWhoseOtherHalfStandsOutside() => RunningModel.Check("""
        [Scale(targets: "fc,q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4), q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

        #if SOMETHING
            public override Tensor forward(Tensor x, int nothing)
            {
        #else
            public override Tensor forward(Tensor x)
            {
        #endif
                #region the end of forward
        #pragma warning disable CS0219
                var unused = 1;
        #pragma warning restore
        #nullable disable
                string none = null;
        #if !SOMETHING
                x = fc
        #pragma warning disable CS0168
                    .forward(x);
        #else
                x = nothing.at.all(x);
        #endif
                return Twice(x) + (none is null ? 1 : 2);
            }
        #endregion
        #nullable restore

            private Tensor Twice(Tensor x) =>
        #if SOMETHING
                x;
        #else
                q.forward(x);
        #endif
        }
        """, "fc", "q");

    public static TheoryData<string, string> Accessibilities
    {
        get
        {
            string[] words = ["public", "internal", "protected", "private", "protected internal", "private protected"];
            return [.. words.SelectMany(root => words.Select(child => (root, child))).Select(pair => new TheoryDataRow<string, string>(pair.root, pair.child))];
        }
    }

    [Theory]
    [MemberData(nameof(Accessibilities))]
    public void NestedClassesOfEveryAccessibility(string root, string child)
    {
        foreach (var holder in new[] { "public", "internal" })
        {
            var generated = Generated.From($$"""
                {{holder}} partial class Holder
                {
                    [Scale(targets: "fc")]
                    {{root}} partial class Root : Module<Tensor, Tensor>
                    {
                        private readonly Inner inner = new();
                        private readonly ModuleList<Inner> list = ModuleList(new Inner());

                        public Root() : base("root") => RegisterComponents();

                        public override Tensor forward(Tensor x) => list[0].forward(inner.forward(x));
                    }

                    {{child}} partial class Inner : Module<Tensor, Tensor>
                    {
                        private readonly Linear fc = Linear(4, 4);

                        public Inner() : base("inner") => RegisterComponents();

                        public override Tensor forward(Tensor x) => fc.forward(x);
                    }
                }
                """).AssertCompiles();
            Assert.NotEmpty(generated.Files);
        }
    }

    [Fact]
    public void NamespacesAndClassesCalledAsThoseOfTheEmittedCode() => RunningModel.Check("""
        namespace MyApp.TorchSharp { public static class Nothing; }

        namespace MyApp.PeftGen.Compiled { public static class Nothing; }

        namespace MyApp.System { public static class Nothing; }

        namespace MyApp
        {
            public static class GradientCheckpoint;

            public static class SlotCalls;

            public class Console;

            public partial class Block : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);

                public Block() : base("block") => RegisterComponents();

                public override Tensor forward(Tensor x) => fc.forward(x);
            }

            [Scale(targets: "fc")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private const int Times = 2;
                private readonly Block block = new();
                private readonly List<Block> more = [new()];

                public required int Set { get; init; } = 1;

                [global::System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
                public Model() : base("model") { register_module("more", ModuleList(more.ToArray())); RegisterComponents(); }

                public override Tensor forward(Tensor x) => more[0].forward(block.forward(x)) * Set;

                public Tensor Again([global::System.Diagnostics.CodeAnalysis.AllowNull] Tensor x, int times = Times, in int by = Times) => checked(block.forward(x!) * times);

                public async IAsyncEnumerable<Tensor> Stream(Tensor x) { await Task.Yield(); yield return block.forward(x); }

                public T Generic<T>(Tensor x, T value) where T : unmanaged => block.forward(x).shape.Length > 0 ? value : default;

                public Tensor Spanned<T>(Tensor x, T value) where T : allows ref struct => block.forward(x);
            }
        }
        """, "block.fc", "more.0.fc");
}
