using System.Diagnostics;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Emit;

namespace PeftGen.Generators.Tests;

/// <summary>Errors, breakpoints and stack traces in emitted bodies lead to the user's own lines.</summary>
public class LineMappingTests
{
    private const string Model = """
        public partial class Inner : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) {
                var y = q
                    .forward(x);

                y = q.
                    forward(
                        y);
                return Check(y);
            }

            private Tensor Check(Tensor x) => q.forward(x).shape[0] == 13
                ? throw new InvalidOperationException("thirteen rows")
                : x;

            public virtual Tensor Arrow(Tensor x) =>
                q.forward(x)
                    + q.forward(x);
        }

        [Scale(targets: "q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Inner inner = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                // before
                var h = inner.forward(x);
                foreach (var _ in new[] { 1, 2 })
                {
                    h = inner.Arrow(h);
                }

                return h; // after
            }
        }
        """;

    [Fact]
    public void EveryCopiedStatementMapsToTheUsersLine()
    {
        var generated = Generated.From(Model).AssertCompiles();
        var user = generated.Compilation.SyntaxTrees.Single(t => t.FilePath == "Model.cs");
        var copies = generated.Compilation.SyntaxTrees.Where(t => t.FilePath.EndsWith(".g.cs", StringComparison.Ordinal))
            .SelectMany(t => t.GetRoot().DescendantNodes().Where(n => n is StatementSyntax or ArrowExpressionClauseSyntax))
            .Select(n => n is ArrowExpressionClauseSyntax arrow ? arrow.Expression : n)
            .Select(n => (node: n, mapped: n.GetLocation().GetMappedLineSpan()))
            .Where(p => p.node.SyntaxTree.GetLineVisibility(p.node.SpanStart) == LineVisibility.Visible).ToList();
        Assert.All(copies, c => Assert.Equal("Model.cs", c.mapped.Path));
        var originals = user.GetRoot().DescendantNodes().OfType<MethodDeclarationSyntax>()
            .SelectMany(m => m.DescendantNodes().Where(n => n is StatementSyntax).Concat(m.ExpressionBody is { } body ? [body.Expression] : []))
            .Select(n => n.GetLocation().GetLineSpan()).ToList();

        Assert.Equal(originals.Select(o => o.StartLinePosition.Line).Order(), copies.Select(c => c.mapped.StartLinePosition.Line).Order());
        Assert.Equal(originals.Select(o => o.EndLinePosition.Line).Order(), copies.Select(c => c.mapped.EndLinePosition.Line).Order());
        // Statements that begin their line also keep their column; expression bodies by the span form.
        Assert.Equal(originals.Select(o => o.StartLinePosition).Order(), copies.Select(c => c.mapped.StartLinePosition).Order());
    }

    [Fact]
    public void WhatIsNotTheUsersIsHidden()
    {
        var generated = Generated.From(Model);
        foreach (var tree in generated.Compilation.SyntaxTrees.Where(t => t.FilePath.EndsWith(".g.cs", StringComparison.Ordinal)))
            foreach (var constructor in tree.GetRoot().DescendantNodes().OfType<MemberDeclarationSyntax>().Where(m => m is ConstructorDeclarationSyntax or PropertyDeclarationSyntax))
                Assert.Equal(LineVisibility.Hidden, tree.GetLineVisibility(constructor.SpanStart));
    }

    [Fact]
    public void MistakesInABodyAreReportedAtTheUsersLine()
    {
        var generated = Generated.From(Model.Replace("return Check(y);", "return Check(y, undefined);", StringComparison.Ordinal));
        var errors = generated.CompilerDiagnostics();
        Assert.NotEmpty(errors);
        Assert.All(errors, e => Assert.Equal(("Model.cs", 13), (e.Location.GetMappedLineSpan().Path, e.Location.GetMappedLineSpan().StartLinePosition.Line)));
    }

    [Fact]
    public void SyntaxErrorsLeaveOtherMethodsAlone()
    {
        var generated = Generated.From(Model.Replace("return Check(y);", "return Check(y", StringComparison.Ordinal));
        Assert.All(generated.CompilerDiagnostics(), e => Assert.Equal(("Model.cs", 13), (e.Location.GetMappedLineSpan().Path, e.Location.GetMappedLineSpan().StartLinePosition.Line)));
    }

    [Fact]
    public void StackTracesNameTheUsersLine()
    {
        var generated = Generated.From(Model).AssertCompiles();
        using MemoryStream image = new(), symbols = new();
        Assert.True(generated.Compilation.Emit(image, symbols, options: new EmitOptions(debugInformationFormat: DebugInformationFormat.PortablePdb)).Success);
        var assembly = System.Reflection.Assembly.Load(image.ToArray(), symbols.ToArray());
        dynamic model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        var adapter = model.CreateAdapter();
        var thrown = Assert.Throws<InvalidOperationException>(() => { model.forward(adapter, TorchSharp.torch.rand(13, 4)); });
        var frames = new StackTrace(thrown, fNeedFileInfo: true).GetFrames()
            .Select(f => (method: f.GetMethod()?.Name, file: f.GetFileName(), line: f.GetFileLineNumber()))
            .Where(f => f.file == "Model.cs").Select(f => (f.method, f.line)).ToList();
        Assert.Equal([("CheckThrough", 17), ("forwardThrough", 14), ("forwardThrough", 36)], frames);
    }
}
