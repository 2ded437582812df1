using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>Attention written by hand, as people write it, beside the same attention with <c>Attention.Attach</c>: with prefixes both give the same numbers.</summary>
public class HandAttentionTests
{
    private const int Tokens = 3, Heads = 2, Size = 2;

    private const string Common = """
        var (b, t, n, d) = (x.shape[0], x.shape[1], 2L, 2L);
        var q = q_proj.forward(x).view(b, t, n, d).transpose(1, 2);
        var k = k_proj.forward(x).view(b, t, n, d).transpose(1, 2);
        var v = v_proj.forward(x).view(b, t, n, d).transpose(1, 2);
        """;

    /// <summary>What all of them compute, with a mask that may be null.</summary>
    private const string Reference = Common + """
        (k, v, var m) = PeftGen.Attention.Attach(x, q, k, v, MASK);
        var s = matmul(q, k.transpose(-2, -1)) / Math.Sqrt(d);
        if (m is not null) s = s + m;
        return o_proj.forward(matmul(s.softmax(-1), v).transpose(1, 2).reshape(b, t, 4));
        """;

    private const string None = "(Tensor?)null";
    private const string Causal = "zeros(3, 3).masked_fill(ones(3, 3, dtype: ScalarType.Bool).tril().logical_not(), double.NegativeInfinity)";
    private const string Padding = "zeros(2, 1, 1, 3).masked_fill(tensor(new bool[] { false, false, true, false, true, false }).view(2, 1, 1, 3), -1e9)";

    private static string Model(string body, string members = "") => $$"""
        public partial class Attend : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4), k_proj = Linear(4, 4), v_proj = Linear(4, 4), o_proj = Linear(4, 4);
            private readonly Dropout drop = Dropout(0);
            private readonly Softmax soft = Softmax(-1);
            private readonly double scale = 1 / Math.Sqrt(2);
            private readonly Tensor tril = ones(8, 8).tril();
            {{members}}
            public Attend() : base("attend") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                {{body}}
            }
        }

        [PrefixTuning(PREFIX)]
        [Touch(Attentions = "self_attn", Group = "touch")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Attend self_attn = new();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor input_ids) => self_attn.forward(input_ids);
        }
        """;

    public static TheoryData<string, string> Forms => new()
    {
        { None, Common + "var s = matmul(q, k.transpose(-2, -1)) * scale; var w = functional.softmax(s, -1); w = drop.forward(w); return o_proj.forward(matmul(w, v).transpose(1, 2).reshape(b, t, 4));" },
        { None, Common + "var s = q.matmul(k.mT) / Math.Sqrt(d); var y = drop.forward(soft.forward(s)).matmul(v); y = y.transpose(1, 2).contiguous().view(b, t, 4); return o_proj.forward(y);" },
        { None, Common + "q = q * scale; var s = torch.matmul(q, k.permute(0, 1, 3, 2)); return o_proj.forward(s.softmax(-1).matmul(v).transpose(1, 2).reshape(b, t, 4));" },
        { None, Common + "k = k * scale; var s = torch.matmul(q, k.transpose(2, 3)); return o_proj.forward(s.softmax(-1).matmul(v).transpose(1, 2).reshape(b, t, 4));" },
        { None, Common + "var s = einsum(\"bhid,bhjd->bhij\", q, k) * scale; var w = s.softmax(-1); return o_proj.forward(einsum(\"bhij,bhjd->bhid\", w, v).transpose(1, 2).reshape(b, t, 4));" },
        { Causal, Common + "var att = q.matmul(k.transpose(-2, -1)) * (1.0 / Math.Sqrt(k.shape[^1])); att = att.masked_fill(tril[..(int)t, ..(int)t].eq(0), double.NegativeInfinity); att = functional.softmax(att, dim: -1); return o_proj.forward(att.matmul(v).transpose(1, 2).contiguous().view(b, t, 4));" },
        { Causal, Common + "var att = matmul(q, k.transpose(-2, -1)) / Math.Sqrt(d); var seen = tril.narrow(0, 0, t).narrow(1, 0, t).to(ScalarType.Bool); att = where(seen, att, full_like(att, double.NegativeInfinity)); return o_proj.forward(att.softmax(-1).matmul(v).transpose(1, 2).reshape(b, t, 4));" },
        { Causal, Common + "var mask = full([t, t], double.NegativeInfinity).triu(1); var s = matmul(q, k.transpose(2, 3)) / Math.Sqrt(d); s += mask; s = functional.softmax(s.to(ScalarType.Float32), -1).to(q.dtype); return o_proj.forward(matmul(s, v).transpose(1, 2).reshape(b, t, 4));" },
        { Padding, Common + $"Tensor? mask = {Padding}; var s = matmul(q, k.transpose(-1, -2)) / Math.Sqrt(d); if (mask is not null) s = s + mask; s = s.softmax(-1); s = functional.dropout(s, 0.0, training); return o_proj.forward(matmul(s, v).transpose(1, 2).reshape(b, t, 4));" },
        { Padding, Common + $"Tensor? mask = {Padding}; var s = matmul(q, k.transpose(-1, -2)); s = s / Math.Sqrt(d); s = mask is null ? s : s.add(mask); return o_proj.forward(matmul(drop.forward(s.softmax(-1)), v).transpose(1, 2).reshape(b, t, 4));" },
        { Padding, Common + $"var mask = {Padding}; var s = matmul(q, k.transpose(-1, -2)) * scale + mask; var w = s.softmax(-1); return o_proj.forward(w.matmul(v.contiguous()).transpose(1, 2).reshape(b, t, 4));" },
        { None, Common + "q = q.reshape(b * n, t, d); k = k.reshape(b * n, -1, d); v = v.reshape(b * n, -1, d); var s = bmm(q, k.transpose(1, 2)) * scale; var y = bmm(s.softmax(-1), v); return o_proj.forward(y.view(b, n, t, d).transpose(1, 2).reshape(b, t, 4));" },
        { None, Common + "var s = matmul(q, k.transpose(2, 3)) / Math.Sqrt(d); if (s.shape[3] != t || s.shape.Length != 4) throw new Exception(); return o_proj.forward(matmul(s.softmax(-1), v).transpose(1, 2).reshape(b, t, 4));" },
        { Causal, Common + "var s = matmul(q, k.transpose(2, 3)) / Math.Sqrt(d); var keys = s.shape[^1]; s = s + full([t, keys], double.NegativeInfinity).triu(1); return o_proj.forward(matmul(s.softmax(-1), v).transpose(1, 2).reshape(b, t, 4));" },
        { Causal, """
            var (b, t, n, d) = (x.shape[0], x.shape[1], 2L, 2L);
            var q = q_proj.forward(x).view(b, t, n, d).permute(2, 0, 1, 3).contiguous().view(-1, t, d);
            var k = k_proj.forward(x).view(b, t, n, d).permute(2, 0, 1, 3).contiguous().view(-1, t, d);
            var v = v_proj.forward(x).view(b, t, n, d).permute(2, 0, 1, 3).contiguous().view(-1, t, d);
            var s = torch.bmm(q, k.transpose(1, 2)) / Math.Sqrt(d);
            var hidden = ones(t, t, dtype: ScalarType.Bool).triu(1).repeat(n * b, 1, 1);
            s = s.masked_fill(hidden, double.NegativeInfinity);
            var y = torch.bmm(drop.forward(soft.forward(s)), v);
            return o_proj.forward(y.view(n, b, t, d).permute(1, 2, 0, 3).contiguous().view(b, t, -1));
            """ },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void GivesWhatAttachGives(string mask, string body)
    {
        foreach (var length in new[] { 1, 5 })
        {
            var expected = Run(Model(Reference.Replace("MASK", mask, StringComparison.Ordinal)), length, out var plain, out _);
            var actual = Run(Model(body), length, out var same, out var model);
            Assert.True(plain.allclose(same, 1e-5, 1e-6), "the models differ by themselves");
            Assert.False(plain.allclose(expected, 1e-3, 1e-4), "the prefix changes nothing");
            Assert.True(expected.allclose(actual, 1e-5, 1e-6), $"differs by {(expected - actual).abs().max().item<float>()}");
            // A slot that changes nothing is the base, bit for bit.
            var touch = model.CreateTouchAdapter();
            Tensor identity = model.forward(touch, Input());
            Assert.True(same.Equals(identity));
        }
    }

    private static Tensor Input()
    {
        using var generator = new Generator(7);
        return randn(2, Tokens, Heads * Size, generator: generator);
    }

    private static Tensor Run(string source, int length, out Tensor plain, out dynamic model)
    {
        var assembly = RunningModel.Load(Generated.From(Project.Of(source.Replace("PREFIX", length.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal))));
        model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        Draw((nn.Module)model, 11);
        var adapter = model.CreateAdapter();
        Draw((nn.Module)adapter, 13);
        plain = model.forward(Input());
        Tensor output = model.forward(adapter, Input());
        output.sum().backward();
        Assert.All(((nn.Module)adapter).parameters(), p => Assert.True(p.grad is { } g && g.abs().sum().item<float>() > 0));
        return output;
    }

    private static void Draw(nn.Module module, ulong seed)
    {
        using var generator = new Generator(seed);
        using (no_grad())
            foreach (var parameter in module.parameters())
                parameter.uniform_(-1, 1, generator);
    }

    [Theory]
    [InlineData("var s = matmul(q, k.transpose(-2, -1)); var m = ones_like(s).tril(); s = s.masked_fill(m.eq(0), -1e9); return o_proj.forward(matmul(s.softmax(-1), v).reshape(b, t, 4));", "is made from the scores")]
    [InlineData("var s = matmul(q, k.transpose(-2, -1)); if (s.size(3) != t) throw new Exception(); return o_proj.forward(matmul(s.softmax(-1), v).reshape(b, t, 4));", "the scores' size is asked for in line")]
    [InlineData("var s = baddbmm(q, k, v); return o_proj.forward(matmul(s.softmax(-1), v).reshape(b, t, 4));", "baddbmm adds a mask within the product")]
    [InlineData("var s = matmul(q, k.transpose(-2, -1)).view(b * n, t, t); s = s.view(b, n, t, t); return o_proj.forward(matmul(s.softmax(-1), v).reshape(b, t, 4));", "the scores are reshaped by view")]
    [InlineData("var s = matmul(q, k.transpose(-2, -1)); return o_proj.forward(matmul(s.softmax(-1), v_proj.forward(x).view(b, t, n, d).transpose(1, 2)).reshape(b, t, 4));", "the values are not there yet")]
    [InlineData("var s = matmul(q, k.transpose(-2, -1)); s = s * bias; return o_proj.forward(matmul(s.softmax(-1), v).reshape(b, t, 4));", "is a tensor whose shape nothing tells")]
    [InlineData("return o_proj.forward(Mix(q, k, v).reshape(b, t, 4));", "in a method that is no module's forward")]
    public void WhatCannotBeFollowedSaysWhy(string body, string why)
    {
        var reported = Generated.From(Project.Of(Model(Common + body, $"private readonly Tensor bias = ones(3, 3);{(body.Contains("Mix", StringComparison.Ordinal) ? "private static Tensor Mix(Tensor q, Tensor k, Tensor v) => matmul(matmul(q, k.transpose(-2, -1)).softmax(-1), v);" : "")}")
            .Replace("PREFIX", "2", StringComparison.Ordinal))).Reported;
        var found = reported.Where(d => d.Id == "PG065").ToList();
        Assert.NotEmpty(found);
        Assert.All(found, d => Assert.Contains(why, d.GetMessage(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal));
        Assert.All(found, d => Assert.Contains("(q, k", d.Location.SourceTree!.GetText().ToString(d.Location.SourceSpan), StringComparison.Ordinal));
    }

    /// <summary>Two ways to write one attention, of which one runs, have one site.</summary>
    [Fact]
    public void AlternativesAreOneSite()
    {
        var body = Common + """
            if (x.dim() > 5)
                return functional.scaled_dot_product_attention(q, k, v);
            var s = matmul(q, k.transpose(-2, -1)) / Math.Sqrt(d);
            return o_proj.forward(matmul(s.softmax(-1), v).transpose(1, 2).reshape(b, t, 4));
            """;
        var expected = Run(Model(Reference.Replace("MASK", None, StringComparison.Ordinal)), 3, out _, out _);
        Assert.True(expected.allclose(Run(Model(body), 3, out _, out _), 1e-5, 1e-6));
    }
}
