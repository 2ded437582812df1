using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Diagnostics;

namespace PeftGen.CodeFixes;

/// <summary>PG001 on a residual or an attention that the compiler cannot see: marks a sum, or a call of attention, as one.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(IntrinsicFix)), Shared]
public sealed class IntrinsicFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG001"];

    // Which sums are residuals is for a person to say, one by one.
    /// <inheritdoc/>
    public override FixAllProvider? GetFixAllProvider() => null;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var diagnostic = context.Diagnostics[0];
        if (!diagnostic.Properties.TryGetValue(DiagnosticProperties.Intrinsic, out var kind))
            return;
        foreach (var place in diagnostic.AdditionalLocations)
        {
            if (await MarkedPlace.FindAsync(context, place).ConfigureAwait(false) is not var (document, node))
                continue;
            var change = (kind, node) switch
            {
                ("Residual", BinaryExpressionSyntax sum) => Mark(sum),
                ("Attention", InvocationExpressionSyntax call) => Attach(call),
                _ => null,
            };
            if (change is null)
                continue;
            var line = place.GetLineSpan().StartLinePosition.Line + 1;
            context.RegisterCodeFix(
                CodeAction.Create(
                    $"Mark '{node.ToString()}' in line {line} as {(kind == "Residual" ? "a residual" : "an attention")}",
                    async cancel => document.WithText((await document.GetTextAsync(cancel).ConfigureAwait(false)).WithChanges(change)),
                    $"{nameof(IntrinsicFix)} {document.FilePath} {place.SourceSpan}"),
                diagnostic);
        }
    }

    /// <summary><c>x + mlp.forward(x)</c> → <c>Residual.Add(mlp.forward(x), x)</c>: the sub-layer's output first.</summary>
    private static TextChange[] Mark(BinaryExpressionSyntax sum)
    {
        var (output, residual) = IsOutput(sum.Left, sum.Right) ? (sum.Left, sum.Right) : (sum.Right, sum.Left);
        return [new TextChange(sum.Span, $"{Prefix(sum)}Residual.Add({output}, {residual})")];
    }

    // Of two variables the one that was computed last; a residual is kept from before.
    private static bool IsOutput(ExpressionSyntax left, ExpressionSyntax right) =>
        left is not IdentifierNameSyntax || (right is IdentifierNameSyntax && LastAssigned(left) > LastAssigned(right));

    private static int LastAssigned(ExpressionSyntax variable) => variable.FirstAncestorOrSelf<MemberDeclarationSyntax>()!.DescendantNodes().Where(n => n.SpanStart < variable.SpanStart)
        .Where(n => n switch
        {
            VariableDeclaratorSyntax declared => declared.Identifier.ValueText == variable.ToString() && declared.Initializer is not null,
            AssignmentExpressionSyntax assignment => assignment.Left.ToString() == variable.ToString() && !assignment.Span.Contains(variable.Span),
            _ => false,
        }).Select(n => n.SpanStart).DefaultIfEmpty(-1).Last();

    /// <summary>Puts <c>(k, v, var mask) = Attention.Attach(x, q, k, v, mask);</c> before the statement, and hands the new mask on.</summary>
    private static TextChange[]? Attach(InvocationExpressionSyntax call)
    {
        var arguments = call.ArgumentList.Arguments;
        if (call.FirstAncestorOrSelf<StatementSyntax>() is not { Parent: BlockSyntax } statement || call.FirstAncestorOrSelf<MethodDeclarationSyntax>() is not { } method || method.ParameterList.Parameters.Count == 0)
            return null;
        var taken = new HashSet<string>(method.DescendantTokens().Where(t => t.IsKind(SyntaxKind.IdentifierToken)).Select(t => t.ValueText));
        var mask = new[] { "attached", "attachedMask" }.FirstOrDefault(n => !taken.Contains(n));
        if (mask is null || IsFixed(method, arguments[1]) || IsFixed(method, arguments[2]))
            return null;
        var given = arguments.Count > 3 ? arguments[3].ToString() : "null";
        var text = statement.SyntaxTree.GetText();
        var line = text.Lines.GetLineFromPosition(statement.SpanStart);
        var attach = $"({arguments[1]}, {arguments[2]}, var {mask}) = {Prefix(call)}Attention.Attach({method.ParameterList.Parameters[0].Identifier.Text}, {arguments[0]}, {arguments[1]}, {arguments[2]}, {given});";
        var newLine = text.ToString(TextSpan.FromBounds(line.End, line.EndIncludingLineBreak));
        return
        [
            new TextChange(new TextSpan(statement.SpanStart, 0), $"{attach}{newLine}{text.ToString(TextSpan.FromBounds(line.Start, statement.SpanStart))}"),
            arguments.Count > 3 ? new TextChange(arguments[3].Span, mask) : new TextChange(new TextSpan(arguments[2].Span.End, 0), $", {mask}"),
        ];
    }

    /// <summary>A variable that disposes what it holds cannot be given another value.</summary>
    private static bool IsFixed(MethodDeclarationSyntax method, ArgumentSyntax variable) => method.DescendantNodes().OfType<LocalDeclarationStatementSyntax>()
        .Any(d => d.UsingKeyword.IsKind(SyntaxKind.UsingKeyword) && d.Declaration.Variables.Any(v => v.Identifier.ValueText == variable.ToString()));

    // Models have classes called Attention of their own.
    private static string Prefix(SyntaxNode node)
    {
        var name = node is BinaryExpressionSyntax ? "Residual" : "Attention";
        var root = node.SyntaxTree.GetRoot();
        var isShadowed = root.DescendantNodes().Any(n => n is TypeDeclarationSyntax type && type.Identifier.ValueText == name || n is VariableDeclaratorSyntax variable && variable.Identifier.ValueText == name);
        return isShadowed ? "PeftGen." : "";
    }
}
