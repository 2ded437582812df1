using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>Collects diagnostics, each once.</summary>
internal sealed class DiagnosticList
{
    private readonly HashSet<DiagnosticModel> _seen = [];

    public List<DiagnosticModel> Items { get; } = [];

    /// <summary>The files in which something was found.</summary>
    public HashSet<SyntaxTree> Files { get; } = [];

    public void Add(string id, SyntaxTree tree, TextSpan span, params string[] arguments) => Add(id, tree, span, [], arguments);

    public void Add(string id, SyntaxTree tree, TextSpan span, IEnumerable<DiagnosticProperty> properties, string[] arguments, IEnumerable<SyntaxNode>? places = null)
    {
        Files.Add(tree);
        var marked = (places ?? []).ToList();
        Files.UnionWith(marked.Select(p => p.SyntaxTree));
        var diagnostic = new DiagnosticModel(
            id, tree.FilePath, span, arguments.ToEquatable(), properties.ToEquatable(), marked.Select(p => new DiagnosticPlace(p.SyntaxTree.FilePath, p.Span)).ToEquatable());
        if (_seen.Add(diagnostic))
            Items.Add(diagnostic);
    }
}
