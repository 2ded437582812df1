using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>The emitted code is C# 12, so the project that it joins has to be.</summary>
internal static class LanguageCheck
{
    public static bool Passes(DeclaredMethod method, DiagnosticList diagnostics)
    {
        var version = ((CSharpParseOptions)method.Syntax.SyntaxTree.Options).LanguageVersion;
        if (version >= LanguageVersion.CSharp12)
            return true;
        diagnostics.Add("PG036", method.Syntax.SyntaxTree, method.Syntax.Span, version.ToDisplayString());
        return false;
    }
}
