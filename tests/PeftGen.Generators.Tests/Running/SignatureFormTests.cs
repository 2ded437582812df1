namespace PeftGen.Generators.Tests;

/// <summary>Signatures of methods that run children.</summary>
public class SignatureFormTests
{
    [Fact]
    public void NineParametersOverloadsAndEveryKindOfArgument() => RunningModel.Check("""
        public sealed record Settings(double Scale = 1) { public Tensor? Mask { get; init; } }

        public sealed class Output { public required Tensor Hidden; public (Tensor first, int[] shape) Rest; }

        public partial class Block : Module
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public Output forward(in Tensor x, Tensor? mask, ref int calls, out Tensor seen, Settings settings, bool add = true, double factor = 0.5, string? name = null, params Tensor[] more)
            {
                calls++;
                seen = fc.forward(mask is null ? x : x * mask);
                var y = seen * settings.Scale * factor;
                return new Output { Hidden = more.Aggregate(add ? y + x : y, (s, t) => s + t), Rest = (seen, [1, 2]) };
            }

            public Tensor forward(Tensor x) => fc.forward(x);

            public Tensor forward(Tensor x, int times) => times == 0 ? x : forward(forward(x), times - 1);
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Block block = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var calls = 0;
                var output = block.forward(in x, null, ref calls, out var seen, new Settings(2), more: [x, x], factor: 1);
                output = block.forward(output.Hidden, mask: x, ref calls, out _, settings: new() { Mask = x }, true, 1, "n", seen, output.Rest.first);
                if (calls != 2)
                    throw new InvalidOperationException();
                return block.forward(output.Hidden, times: 2);
            }
        }
        """, "block.fc");

    [Fact]
    public void EntryPointsWithOtherNames()
    {
        var running = RunningModel.Check("""
            public partial class Encoder : Module
            {
                private readonly Linear fc = Linear(4, 4);

                public Encoder() : base("encoder") => RegisterComponents();

                public Tensor Forward(Tensor x) => fc.forward(x);

                public Tensor encode(Tensor x, bool twice = false) => twice ? call(Forward(x)) : call(x);

                public Tensor call(Tensor x) => x + Forward(x);
            }

            [Scale(targets: "fc,head")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Encoder encoder = new();
                private readonly Linear head = Linear(4, 4);

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => head.forward(encoder.encode(x, twice: true));

                public Tensor generate(Tensor x, int steps)
                {
                    using var _ = no_grad();
                    for (var i = 0; i < steps; i++)
                        x = this.forward(x);
                    return x;
                }
            }
            """, "encoder.fc", "head");
        var twice = (TorchSharp.torch.Tensor)running.Model.forward(running.Adapter, running.Model.forward(running.Adapter, running.Input));
        Assert.True(twice.allclose((TorchSharp.torch.Tensor)running.Model.generate(running.Adapter, running.Input, 2)));
    }

    [Fact]
    public void AsyncIteratorRecursiveGenericAndLocalHelpers() => RunningModel.Check("""
        [Scale(targets: "a,b,c")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear a = Linear(4, 4), b = Linear(4, 4), c = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => Deep(Sum(Steps(x, 2)) + Later(x).GetAwaiter().GetResult(), 2) + Pick(Local(x), x, static t => t);

            private IEnumerable<Tensor> Steps(Tensor x, int count)
            {
                for (var i = 0; i < count; i++)
                    yield return x = a.forward(x);
            }

            private async Task<Tensor> Later(Tensor x)
            {
                await Task.CompletedTask;
                return b.forward(x);
            }

            private Tensor Deep(Tensor x, int depth) => depth == 0 ? x : Deep(c.forward(x), depth - 1);

            private T Pick<T, U>(T first, U second, Func<T, T> then) where T : Tensor where U : Tensor => then((T)(first + b.forward(second)));

            private Tensor Local(Tensor x)
            {
                return Inner(x, 1);

                Tensor Inner(Tensor t, int depth) => depth > 0 ? Inner(a.forward(t), depth - 1) : t;
            }

            private static Tensor Sum(IEnumerable<Tensor> all) => all.Aggregate((s, t) => s + t);
        }
        """, "a", "b", "c");

    [Fact]
    public void NewSyntax() => RunningModel.Check("""
        public static class Numbers
        {
            extension(Tensor x) { public Tensor Doubled => x * 2; }
        }

        public partial class Block(int dim, double factor = 0.5) : Module<Tensor, Tensor>("block")
        {
            private readonly Linear fc = Linear(dim, dim);

            public double Factor { get => field; init => field = value; } = factor;

            public partial Tensor Project(Tensor x, double by = 2);

            public override Tensor forward(Tensor x) => Project(x).Doubled * Factor;
        }

        public partial class Block
        {
            public partial Tensor Project(Tensor x, double by) => fc.forward(x) * by;
        }

        [Scale(targets: "fc,q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Block block = new(4);
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model")
            {
                block.register_module("fc", (Module)typeof(Block).GetField("fc", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance)!.GetValue(block)!);
                RegisterComponents();
            }

            public override Tensor forward(Tensor x)
            {
                Tensor?[] steps = [x, block.forward(x), null];
                var y = steps is [_, { } second, ..] ? second : x;
                (Tensor left, var right) = (q.forward(y), y);
                return left switch { { shape: [> 0, .. var rest] } when rest.Length < 9 => left + right, _ => throw new InvalidOperationException() };
            }
        }
        """, "block.fc", "q");

    [Fact]
    public void StateKeptBetweenCalls() => RunningModel.Check("""
        [Scale(targets: "k,v")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear k = Linear(4, 4), v = Linear(4, 4);
            private readonly Dictionary<string, Tensor> cache = new();
            private Tensor? last;

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                using (var scope = NewDisposeScope())
                {
                    last = k.forward(x);
                    cache["v"] = v.forward(x);
                    using (no_grad())
                        _ = v.forward(x);
                    var y = last + cache["v"];
                    scope.MoveToOuter(y);
                    return y;
                }
            }
        }
        """, "k", "v");

    [Fact]
    public void FieldsBuiltLateAndRegisteredUnderOtherNames() => RunningModel.Check("""
        [Scale(targets: "self.query,late,own")]
        public partial class Model : Module<Tensor, Tensor>
        {
            [Name("self.query")]
            private readonly Linear query;
            private readonly Linear own;
            private Linear? late;
            private Linear[] tail = null!;

            public Model() : base("model")
            {
                query = Linear(4, 4);
                own = Linear(4, 4);
                Build(true);
                RegisterComponents();
                register_module("tail_0", tail[0]);
            }

            private void Build(bool withLate)
            {
                if (withLate)
                    late = Linear(4, 4);
                tail = [Linear(4, 4)];
            }

            public override Tensor forward(Tensor x) => tail[0].forward(late!.forward(own.forward(query.forward(x))));
        }
        """, "self.query", "own", "late");

    [Fact]
    public void TiedWeightsRunAndTrain()
    {
        // Merging a shared parameter refuses, so the two are run without it.
        var assembly = RunningModel.Load(Generated.From("""
            [Scale(targets: "decoder")]
            public partial class Model : Module<Tensor, Tensor>
            {
                public readonly Linear encoder = Linear(4, 4, hasBias: false), decoder = Linear(4, 4, hasBias: false);

                public Model() : base("model") { decoder.weight = encoder.weight; RegisterComponents(); }

                public override Tensor forward(Tensor x) => decoder.forward(encoder.forward(x));
            }
            """));
        dynamic model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        var x = TorchSharp.torch.randn(2, 4);
        var adapter = model.CreateAdapter();
        using (TorchSharp.torch.no_grad())
            ((TorchSharp.torch.nn.Module)adapter).parameters().Single().fill_(3);
        Assert.True(((TorchSharp.torch.Tensor)model.forward(adapter, x)).allclose((TorchSharp.torch.Tensor)model.forward(x) * 3));
    }
}
