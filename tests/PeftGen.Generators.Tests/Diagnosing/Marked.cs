using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Checks what is reported for a source in which <c>[|…|]</c> marks the very characters that a diagnostic is about.</summary>
internal static class Marked
{
    /// <summary>What a program does with a model: it must not get errors of its own on top of ours.</summary>
    private const string Program = """
        public static class Program
        {
            public static Tensor Run(Model model, Tensor x)
            {
                var adapter = model.CreateAdapter();
                using var ready = model.With(adapter);
                return model.forward(adapter, x) + ready.forward(x);
            }
        }
        """;

    /// <summary>Checks that a model with one mistake gives one diagnostic, and that nothing follows from it.</summary>
    public static void Reports(string id, string message, string marked, bool program = true) => Reports([(id, message)], marked, program);

    /// <summary>Checks the diagnostics of a source in the order of its marks.</summary>
    public static void Reports((string id, string message)[] expected, string marked, bool program = true)
    {
        var (source, marks) = Read(marked);
        Assert.Equal(expected.Length, marks.Count);
        var generated = Generated.From(Project.Of(program ? [("Model.cs", source), ("Program.cs", Program)] : [("Model.cs", source)]));
        Assert.Equal(expected.Zip(marks).Select(p => $"{p.First.id} '{p.Second}': {p.First.message}"), generated.Reported.Select(Describe));
        Assert.Equal(marks.Select(m => m.start), generated.Reported.Select(d => d.Location.SourceSpan.Start));
        Assert.Empty(generated.CompilerDiagnostics());
    }

    private static string Describe(Diagnostic diagnostic)
    {
        var text = diagnostic.Location.SourceTree!.GetText().ToString(diagnostic.Location.SourceSpan);
        return $"{diagnostic.Id} '({diagnostic.Location.SourceSpan.Start}, {text})': {diagnostic.GetMessage()}";
    }

    private static (string source, List<(int start, string text)> marks) Read(string marked)
    {
        var marks = new List<(int, string)>();
        for (var open = marked.IndexOf("[|", StringComparison.Ordinal); open >= 0; open = marked.IndexOf("[|", StringComparison.Ordinal))
        {
            var close = marked.IndexOf("|]", StringComparison.Ordinal);
            var text = marked[(open + 2)..close];
            marks.Add((open, text));
            marked = marked[..open] + text + marked[(close + 2)..];
        }

        return (marked, marks);
    }
}
