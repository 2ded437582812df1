using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>What the rewriters of one body share.</summary>
internal sealed class RewrittenBody(AdapterPaths paths, Reachability reach, SiteNames sites, NameModel names, EmittedNames emitted, BodyScanner scanner, DiagnosticList diagnostics)
{
    private readonly HashSet<int> _freed = [];

    public AdapterPaths Paths { get; } = paths;

    public Reachability Reach { get; } = reach;

    public SiteNames Sites { get; } = sites;

    /// <summary>The names that the overload's own parameters and variables have.</summary>
    public NameModel Names { get; } = names;

    public BodyScanner Scanner { get; } = scanner;

    public DiagnosticList Diagnostics { get; } = diagnostics;

    public TextEdits Edits { get; } = new();

    /// <summary>Whether something in it cannot be followed.</summary>
    public bool IsRefused { get; private set; }

    public void Refuse(ExpressionSyntax place, string what, string why)
    {
        Diagnostics.Add("PG010", place.SyntaxTree, place.Span, what, why);
        IsRefused = true;
    }

    /// <summary>Static code has no <c>this</c> to find layers in: lambdas and local functions lose the word. They capture nothing else that way.</summary>
    public void MakeInstance(SyntaxNode node)
    {
        foreach (var modifiers in node.Ancestors().TakeWhile(a => a is not MemberDeclarationSyntax).Select(a => a switch
        {
            LocalFunctionStatementSyntax local => local.Modifiers,
            AnonymousFunctionExpressionSyntax lambda => lambda.Modifiers,
            _ => default,
        }))
            foreach (var word in modifiers.Where(m => m.IsKind(SyntaxKind.StaticKeyword) && _freed.Add(m.SpanStart)))
                Edits.Replace(word.SpanStart, word.Span.End, "");
    }

    /// <summary>Whether an expression may be evaluated twice.</summary>
    public static bool IsRepeatable(ExpressionSyntax expression) =>
        !expression.DescendantNodesAndSelf().Any(n => n is MemberBindingExpressionSyntax or ElementBindingExpressionSyntax or InvocationExpressionSyntax or AssignmentExpressionSyntax or AwaitExpressionSyntax or ObjectCreationExpressionSyntax
            || n.IsKind(SyntaxKind.PostIncrementExpression) || n.IsKind(SyntaxKind.PreIncrementExpression)
            || n.IsKind(SyntaxKind.PostDecrementExpression) || n.IsKind(SyntaxKind.PreDecrementExpression));

    /// <summary>Makes the name of a method that of the compiled one: <c>Mix&lt;int&gt;</c> → <c>MixThrough&lt;int&gt;</c></summary>
    public void Rename(ExpressionSyntax callee, IMethodSymbol method)
    {
        var name = callee switch
        {
            MemberAccessExpressionSyntax access => access.Name,
            MemberBindingExpressionSyntax binding => binding.Name,
            _ => callee as SimpleNameSyntax,
        };
        Edits.Insert(name!.Identifier.Span.End, emitted.SuffixOf(method));
    }

    /// <summary>Puts the node and the context before the arguments of a call of a compiled method.</summary>
    public void InsertArguments(InvocationExpressionSyntax call, IMethodSymbol method, string node)
    {
        Rename(call.Expression, method);
        Edits.Insert(call.ArgumentList.OpenParenToken.Span.End, $"{node}, {Names.Context}{(call.ArgumentList.Arguments.Count > 0 ? ", " : "")}");
    }

    /// <summary>A call of an extension method of <c>PeftGen.Compiled</c>; with a <c>dynamic</c> argument C# takes only the static form.</summary>
    /// <param name="place">The expression that holds the arguments.</param>
    /// <param name="arguments">The arguments.</param>
    /// <param name="on">What the method is called on.</param>
    /// <param name="method">The method.</param>
    /// <param name="class">The class that has it.</param>
    public string Call(SyntaxNode place, IEnumerable<ExpressionSyntax> arguments, string on, string method, string @class = "SlotCalls") =>
        arguments.Any(a => Scanner.ModelOf(place.SyntaxTree).GetTypeInfo(a).Type?.TypeKind == TypeKind.Dynamic)
            ? $"global::PeftGen.Compiled.{@class}.{method}({on}, {Names.Context}, " : $"{on}.{method}({Names.Context}, ";

    public void ReplaceCallee(InvocationExpressionSyntax call, string text) => Edits.Replace(call.SpanStart, call.ArgumentList.OpenParenToken.Span.End, text);

    /// <summary>Makes the receiver the argument before the call's own: <c>q_proj.forward(</c> → <c>q_proj, </c>, with the line breaks between them kept.</summary>
    public void EndReceiver(Receiver receiver, InvocationExpressionSyntax call, string next)
    {
        var dot = ((MemberAccessExpressionSyntax)call.Expression).OperatorToken.SpanStart;
        var end = receiver.Syntax.Span.End;
        var breaks = dot > end || call.Expression.GetLocation().GetLineSpan().EndLinePosition.Line > receiver.Syntax.GetLocation().GetLineSpan().EndLinePosition.Line;
        if (call.ArgumentList.Arguments.Count > 0 || next.Length > 0)
            Edits.Insert(end, breaks ? "," : ", ");
        Edits.Replace(dot, call.ArgumentList.OpenParenToken.Span.End, next);
    }
}
