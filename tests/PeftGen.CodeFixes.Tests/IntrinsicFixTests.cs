namespace PeftGen.CodeFixes.Tests;

/// <summary>Marks on what the compiler does not see: residuals and attentions.</summary>
public sealed class IntrinsicFixTests
{
    [Theory]
    [InlineData("x + Inner(norm.forward(x))", "Residual.Add(Inner(norm.forward(x)), x)")]
    [InlineData("Inner(x) + x", "Residual.Add(Inner(x), x)")]
    [InlineData("residual + h", "Residual.Add(h, residual)")]
    public async Task Marks_a_residual(string sum, string marked)
    {
        var model = PreNorm("Residuals", sum, "var residual = x;\n        var h = norm.forward(x);\n        h = Inner(h);");
        using var project = new FixedProject(model);
        Assert.NotEmpty((await project.ReportedAsync()).Where(d => d.Id == "PG001"));
        await project.ApplyAsync(new IntrinsicFix(), $"Mark '{sum}' in line 14 as a residual");
        Assert.Equal(model.Replace($"return {sum};", $"return {marked};", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Theory]
    [InlineData("functional.scaled_dot_product_attention(q, k, v)", "null", "functional.scaled_dot_product_attention(q, k, v, attached)")]
    [InlineData("functional.scaled_dot_product_attention(q, k, v, mask)", "mask", "functional.scaled_dot_product_attention(q, k, v, attached)")]
    public async Task Marks_an_attention(string call, string mask, string attached)
    {
        var model = PreNorm("Attentions", call, "var (q, k, v) = (mlp.forward(x), x, x);\n        Tensor? mask = null;\n        _ = mask;");
        using var project = new FixedProject(model);
        await project.ApplyAsync(new IntrinsicFix(), $"Mark '{call}' in line 14 as an attention");
        Assert.Equal(
            model.Replace($"return {call};", $"(k, v, var attached) = Attention.Attach(x, q, k, v, {mask});\n        return {attached};", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Theory]
    [InlineData("Residuals", "norm.forward(x) * mlp.forward(x)")]
    [InlineData("Attentions", "functional.scaled_dot_product_attention(mlp.forward(x), x, x)")]
    [InlineData("Attentions", "functional.scaled_dot_product_attention(q, k, v, is_casual: true)")]
    public async Task Offers_no_mark_where_it_sees_no_site(string kind, string expression)
    {
        using var project = new FixedProject(PreNorm(kind, expression, "var (q, k, v) = (mlp.forward(x), x, x);"));
        Assert.Empty(await project.OfferedAsync(new IntrinsicFix()));
    }

    // Through a helper, neither what is a sub-layer's output nor what is the attention's input is seen.
    private static string PreNorm(string kind, string returned, string before) => $$"""
        [Touch({{kind}} = "**")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly LayerNorm norm = LayerNorm(4);
            private readonly Linear mlp = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            {{(kind == "Attentions" ? "private Tensor Inner(Tensor x)" : "public override Tensor forward(Tensor x)")}}
            {
                {{before}}
                return {{returned}};
            }

            {{(kind == "Attentions" ? "public override Tensor forward(Tensor x) => Inner(x);" : "private Tensor Inner(Tensor x) => mlp.forward(x);")}}
        }
        """;
}
