using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Diagnostics;

/// <summary>Makes of what the parser found what the compiler shows.</summary>
internal static class ReportedDiagnostics
{
    /// <summary>The diagnostic, with its places in a compilation.</summary>
    public static Diagnostic Of(DiagnosticModel diagnostic, Compilation compilation)
    {
        var location = LocationOf(compilation, diagnostic.File, diagnostic.Span);
        var places = diagnostic.Places.Select(p => LocationOf(compilation, p.File, p.Span));
        var properties = diagnostic.Properties.ToImmutableDictionary(p => p.Name, p => (string?)p.Value);
        return Diagnostic.Create(Descriptors.ById(diagnostic.Id), location, places, properties, diagnostic.Arguments.ToArray<object>());
    }

    private static Location LocationOf(Compilation compilation, string file, TextSpan span) =>
        compilation.SyntaxTrees.FirstOrDefault(t => t.FilePath == file && span.End <= t.Length) is { } tree ? Location.Create(tree, span) : Location.None;
}
