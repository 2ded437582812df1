using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>
/// Attention classes of the kinds that public models have, each with and without <c>Attention.Attach</c> at the place of <c>ATTACH</c>: prefixes do the same to both.
/// </summary>
public class PublicAttentionTests
{
    private const string Root = """
        [PrefixTuning(4)]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Layer layer = new();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor input_ids) => layer.forward(input_ids);
        }

        """;

    /// <summary>Records as input and output, keys and values shared by two heads, a cache, checks of the scores' shape, softmax in float32.</summary>
    private const string Records = Root + """
        public record Input(Tensor HiddenStates, Tensor? Mask, Cache? Cache);
        public record Output(Tensor HiddenStates, Tensor? Weights);

        public sealed class Cache
        {
            public (Tensor, Tensor) Update(Tensor keys, Tensor values) => (keys, values);
        }

        public partial class SharedHeads : Module<Input, Output>
        {
            private readonly Linear q_proj = Linear(4, 4, hasBias: false), k_proj = Linear(4, 2, hasBias: false), v_proj = Linear(4, 2, hasBias: false), o_proj = Linear(4, 4, hasBias: false);
            public SharedHeads() : base("self_attn") => RegisterComponents();
            public override Output forward(Input input)
            {
                using var scope = NewDisposeScope();
                var hiddenStates = input.HiddenStates;
                var rows = (int)hiddenStates.shape[0];
                var length = (int)hiddenStates.shape[1];
                var queries = q_proj.forward(hiddenStates).view(rows, length, 2, 2).transpose(1, 2);
                var keys = k_proj.forward(hiddenStates).view(rows, length, 1, 2).transpose(1, 2);
                var values = v_proj.forward(hiddenStates).view(rows, length, 1, 2).transpose(1, 2);
                if (input.Cache is { } cache)
                    (keys, values) = cache.Update(keys, values);
                keys = Repeat(keys, 2);
                values = Repeat(values, 2);
                var mask = input.Mask;
                ATTACH(input.HiddenStates, queries, keys, values, mask)
                var weights = torch.matmul(queries, keys.transpose(2, 3));
                weights = weights / Math.Sqrt(2);
                CHECK(weights)
                if (mask is not null)
                    weights = weights + mask;
                weights = functional.softmax(weights, dim: -1, ScalarType.Float32).to(values.dtype);
                weights = functional.dropout(weights, 0.0, training);
                var output = torch.matmul(weights, values).transpose(1, 2).contiguous().reshape(rows, length, 4);
                return new(o_proj.forward(output).MoveToOuterDisposeScope(), null);
            }

            private static Tensor Repeat(Tensor x, int times) => x.unsqueeze(2).expand(x.shape[0], x.shape[1], times, x.shape[2], x.shape[3]).reshape(x.shape[0], x.shape[1] * times, x.shape[2], x.shape[3]);
        }

        public partial class Layer : Module<Tensor, Tensor>
        {
            private readonly SharedHeads self_attn = new();
            public Layer() : base("layer") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                var mask = full([3, 3], -1e9).triu(1).view(1, 1, 3, 3);
                return x + self_attn.forward(new Input(x, mask, new Cache())).HiddenStates;
            }
        }
        """;

    /// <summary>Keys turned beforehand, a tuple returned, the mask an argument.</summary>
    private const string Tuples = Root + """
        public partial class Turned : Module<Tensor, Tensor?, (Tensor, Tensor?)>
        {
            private readonly Linear q_proj = Linear(4, 4), k_proj = Linear(4, 4), v_proj = Linear(4, 4), dense = Linear(4, 4);
            public Turned() : base("self_attn") => RegisterComponents();
            public override (Tensor, Tensor?) forward(Tensor hidden, Tensor? mask = null)
            {
                var (rows, length) = (hidden.shape[0], hidden.shape[1]);
                var q = q_proj.forward(hidden).view(rows, length, 2, 2).transpose(1, 2);
                var k = k_proj.forward(hidden).view(rows, length, 2, 2).transpose(1, 2);
                var v = v_proj.forward(hidden).view(rows, length, 2, 2).transpose(1, 2);
                ATTACH(hidden, q, k, v, mask)
                var turned = k.transpose(2, 3);
                var weights = torch.matmul(q, turned);
                weights /= Math.Sqrt(2);
                if (mask is not null)
                    weights += mask;
                CHECK(weights)
                weights = functional.softmax(weights, dim: -1);
                weights = functional.dropout(weights, p: 0.0, training: true);
                var output = torch.matmul(weights, v);
                output = output.transpose_(1, 2).contiguous();
                return (dense.forward(output.reshape(rows, length, 4)), null);
            }
        }

        public partial class Layer : Module<Tensor, Tensor>
        {
            private readonly Turned self_attn = new();
            public Layer() : base("layer") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                var (output, _) = self_attn.forward(x, null);
                return output + x;
            }
        }
        """;

    /// <summary>An encoder's: the mask as wide as the keys alone, everything in place.</summary>
    private const string InPlace = Root + """
        public partial class AttentionSelf : Module<Tensor, Tensor, Tensor>
        {
            private readonly Linear query = Linear(4, 4), key = Linear(4, 4), value = Linear(4, 4);
            private readonly Dropout dropout = Dropout(0);
            public AttentionSelf() : base("self") => RegisterComponents();
            public override Tensor forward(Tensor hidden, Tensor mask)
            {
                using var scope = NewDisposeScope();
                var q = Split(query.forward(hidden));
                var k = Split(key.forward(hidden));
                var v = Split(value.forward(hidden));
                ATTACH(hidden, q, k, v, mask)
                var scores = torch.matmul(q, k.transpose(-1, -2));
                scores.div_(Math.Sqrt(2));
                scores.add_(mask!);
                CHECK(scores)
                var weights = functional.softmax(scores, dim: -1);
                weights = dropout.forward(weights);
                var context = torch.matmul(weights, v);
                context = context.permute(0, 2, 1, 3).contiguous();
                return context.view(context.shape[0], context.shape[1], 4).MoveToOuterDisposeScope();
            }

            private static Tensor Split(Tensor x) => x.view(x.shape[0], x.shape[1], 2, 2).permute(0, 2, 1, 3);
        }

        public partial class Layer : Module<Tensor, Tensor>
        {
            private readonly AttentionSelf self = new();
            public Layer() : base("layer") => RegisterComponents();
            public override Tensor forward(Tensor x) => self.forward(x, tensor(new float[] { 0, 0, -10000, 0, -10000, 0 }).view(2, 1, 1, 3));
        }
        """;

    /// <summary>One head, no heads' dimension, a triangle that the module keeps.</summary>
    private const string OneHead = Root + """
        public partial class Head : Module<Tensor, Tensor>
        {
            private readonly Linear key = Linear(4, 4, hasBias: false), query = Linear(4, 4, hasBias: false), value = Linear(4, 4, hasBias: false);
            private readonly Tensor triangle = torch.tril(torch.ones(8, 8));
            private readonly Dropout dropout = Dropout(0);
            public Head() : base("head") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                var t = x.size(1);
                var k = key.forward(x);
                var q = query.forward(x);
                var v = value.forward(x);
                ATTACHONE(x, q, k, v)
                var weights = q.matmul(k.transpose(-2, -1)) * Math.Pow(4, -0.5);
                CHECK(weights)
                weights = weights.masked_fill(MASK.eq(0), float.NegativeInfinity);
                weights = functional.softmax(weights, -1);
                weights = dropout.forward(weights);
                return weights.matmul(v);
            }
        }

        public partial class Layer : Module<Tensor, Tensor>
        {
            private readonly Head head = new();
            public Layer() : base("layer") => RegisterComponents();
            public override Tensor forward(Tensor x) => head.forward(x);
        }
        """;

    public static TheoryData<string> Sources => [Records, Tuples, InPlace, OneHead];

    [Theory]
    [MemberData(nameof(Sources))]
    public void NeedsNoIntrinsic(string source)
    {
        const string own = "triangle[TensorIndex.Slice(0, t), TensorIndex.Slice(0, t)]";
        var plain = Regex.Replace(Regex.Replace(source, @"ATTACH(ONE)?\(.*\)", ""), @"CHECK\((\w+)\)", "if ($1.shape[^1] != 3) throw new Exception();").Replace("MASK", own, StringComparison.Ordinal);
        var marked = Regex.Replace(Regex.Replace(source, @"CHECK\(\w+\)", ""), @"ATTACH\(([^,]*), ([^,]*), ([^,]*), ([^,]*), ([^)]*)\)", "($3, $4, $5) = PeftGen.Attention.Attach($1, $2, $3, $4, $5);")
            .Replace("ATTACHONE(x, q, k, v)", "var (k4, v4, _) = PeftGen.Attention.Attach(x, q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1), null); (k, v) = (k4.squeeze(1), v4.squeeze(1));", StringComparison.Ordinal)
            .Replace("MASK", $"cat([ones(t, k.shape[1] - t), {own}], -1)", StringComparison.Ordinal).Replace("Tensor mask)", "Tensor? mask)", StringComparison.Ordinal);
        foreach (var dtype in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var (expected, reference) = Run(marked, dtype);
            var (actual, same) = Run(plain, dtype);
            Assert.True(reference.allclose(same, 1e-5, 1e-6), "the models differ by themselves");
            Assert.False(reference.allclose(expected, 1e-3, 1e-4), "the prefix changes nothing");
            Assert.True(expected.allclose(actual, 1e-5, 1e-6), $"differs by {(expected - actual).abs().max().item<double>()}");
        }
    }

    private static (Tensor adapted, Tensor plain) Run(string source, ScalarType dtype)
    {
        var generated = Generated.From(Project.Of(source));
        Assert.DoesNotContain(generated.Reported, d => d.Id == "PG065");
        dynamic model = Activator.CreateInstance(RunningModel.Load(generated).GetType("Model")!)!;
        Draw((nn.Module)model, 11);
        var adapter = model.CreateAdapter();
        Draw((nn.Module)adapter, 13);
        using var generator = new Generator(7);
        using var input = randn(2, 3, 4, generator: generator);
        ((nn.Module)model).to(dtype);
        ((nn.Module)adapter).to(dtype);
        using var typed = input.to(dtype);
        Tensor plain = model.forward(typed), adapted = model.forward(adapter, typed);
        return (adapted.to(ScalarType.Float64), plain.to(ScalarType.Float64));
    }

    private static void Draw(nn.Module module, ulong seed)
    {
        using var generator = new Generator(seed);
        using (no_grad())
            foreach (var parameter in module.parameters())
                parameter.uniform_(-1, 1, generator);
    }
}
