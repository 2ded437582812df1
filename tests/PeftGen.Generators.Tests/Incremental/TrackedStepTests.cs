using System.Collections;
using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>An edit costs what it touches, and nothing of a compilation is kept alive.</summary>
public class TrackedStepTests
{
    private static readonly string[] _steps = [PeftGenerator.ModelsStep, PeftGenerator.ClassesStep, PeftGenerator.DiagnosticsStep];

    private static readonly (string path, string text)[] _files =
    [
        ("A.cs", """
            public partial class A : Module<Tensor, Tensor>
            {
                private readonly Linear q = Linear(4, 4);

                public A() : base("a") => RegisterComponents();

                public override Tensor forward(Tensor x) => q.forward(x);
            }
            """),
        ("B.cs", """
            public partial class B : Module<Tensor, Tensor>
            {
                private readonly A a = new();

                public B() : base("b") => RegisterComponents();

                public override Tensor forward(Tensor x)
                {
                    return a.forward(x) + 1;
                }
            }
            """),
        ("Model.cs", """
            [Scale(targets: "q")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly B b = new();

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => b.forward(x);
            }
            """),
        ("Other.cs", "public static class Other { public static int Count => 1; }"),
    ];

    [Fact]
    public void UnrelatedEditLeavesEveryClassAsItWas()
    {
        var (_, after) = Edit("Other.cs", "Count => 1", "Count => 2 + 3");
        Assert.Equal([("A.g.cs", "Cached"), ("B.g.cs", "Cached"), ("Model.g.cs", "Cached")], Reasons(after));
        Assert.All(Outputs(after, PeftGenerator.ModelsStep), o => Assert.Equal(IncrementalStepRunReason.Cached, o.Reason));
        Assert.All(Outputs(after, PeftGenerator.DiagnosticsStep), o => Assert.Equal(IncrementalStepRunReason.Cached, o.Reason));
    }

    [Theory]
    [InlineData("A.cs", "q.forward(x)", "q.forward(x) * 2", "A.g.cs")]
    [InlineData("B.cs", "+ 1", "+ 2", "B.g.cs")]
    [InlineData("B.cs", "return", "// why\n        return", "B.g.cs")]
    public void EditInABodyEmitsThatClassAlone(string file, string old, string @new, string emitted)
    {
        var (before, after) = Edit(file, old, @new);
        Assert.Equal([.. new[] { "A.g.cs", "B.g.cs", "Model.g.cs" }.Select(name => (name, name == emitted ? "Modified" : "Unchanged"))], Reasons(after));
        // The other files are not printed again either.
        var written = after.TrackedOutputSteps.SelectMany(s => s.Value).SelectMany(s => s.Outputs).Count(o => o.Reason is IncrementalStepRunReason.Modified or IncrementalStepRunReason.New);
        Assert.Equal(1, before.GeneratedSources.Count(s => after.GeneratedSources.Single(t => t.HintName == s.HintName).SourceText != s.SourceText));
        Assert.InRange(written, 1, 2);
    }

    [Fact]
    public void EditOfAnotherFileThatABodyDependsOnIsSeen()
    {
        // The type of a child decides how its call is rewritten.
        var (_, after) = Edit("A.cs", "q.forward(x)", "x");
        Assert.Equal(["PG002"], after.Diagnostics.Select(d => d.Id));
        var text = after.GeneratedSources.Single(s => s.HintName == "B.g.cs").SourceText.ToString();
        Assert.DoesNotContain("a.forward(adapter", text, StringComparison.Ordinal);
    }

    [Fact]
    public void NothingOfACompilationIsTracked()
    {
        var (_, after) = Edit("Other.cs", "1", "2");
        foreach (var step in _steps)
        {
            Assert.True(after.TrackedSteps.ContainsKey(step), $"the step {step} is not tracked");
            foreach (var (value, _) in Outputs(after, step))
                Walk(value, step, new HashSet<object>(ReferenceEqualityComparer.Instance));
        }
    }

    [Fact]
    public void EqualModelsAreEqualValues()
    {
        var (before, after) = Edit("Other.cs", "1", "2");
        foreach (var step in _steps)
            Assert.Equal(Outputs(before, step).Select(o => o.Value), Outputs(after, step).Select(o => o.Value));
    }

    private static (GeneratorRunResult before, GeneratorRunResult after) Edit(string file, string old, string @new)
    {
        var project = Project.Of(_files);
        var driver = Generated.NewDriver(trackSteps: true).RunGenerators(project);
        var before = driver.GetRunResult().Results.Single();
        var tree = project.SyntaxTrees.Single(t => t.FilePath == file);
        var text = tree.GetText().ToString();
        Assert.Contains(old, text, StringComparison.Ordinal);
        driver = driver.RunGenerators(project.ReplaceSyntaxTree(tree, Project.Parse(file, text.Replace(old, @new, StringComparison.Ordinal))));
        return (before, driver.GetRunResult().Results.Single());
    }

    private static List<(object Value, IncrementalStepRunReason Reason)> Outputs(GeneratorRunResult result, string step) =>
        [.. result.TrackedSteps[step].SelectMany(s => s.Outputs)];

    private static IEnumerable<(string, string)> Reasons(GeneratorRunResult result) => Outputs(result, PeftGenerator.ClassesStep)
        .Select(o => ((string)o.Value.GetType().GetProperty("HintName")!.GetValue(o.Value)!, o.Reason.ToString()));

    /// <summary>Walks all fields of a value and of what it refers to.</summary>
    private static void Walk(object? value, string path, HashSet<object> seen)
    {
        if (value is null or string || value.GetType().IsPrimitive || value.GetType().IsEnum || !seen.Add(value))
            return;
        Assert.False(
            value is ISymbol or SyntaxNode or SyntaxTree or SyntaxReference or Compilation or SemanticModel or Location or AttributeData or Microsoft.CodeAnalysis.Text.SourceText,
            $"{path} holds a {value.GetType().Name}");
        if (value is IEnumerable items)
            foreach (var item in items)
                Walk(item, path + "[]", seen);
        for (var type = value.GetType(); type is not null; type = type.BaseType)
            foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                Walk(field.GetValue(value), $"{path}.{field.Name}", seen);
    }
}
