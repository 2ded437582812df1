namespace PeftGen.Generators.Parsing;

/// <summary>What names mean before anything is emitted.</summary>
internal static class Meanings
{
    /// <summary>Whether a name has a meaning in a class, its own or one from outside.</summary>
    public static bool Has(BodyScanner scanner, ModelClass type, string name) => SourceOrder.PartsOf(type.Symbol)
        .Any(part => !scanner.ModelOf(part.SyntaxTree).LookupSymbols(part.OpenBraceToken.IsMissing || part.OpenBraceToken.Span.IsEmpty ? part.SpanStart : part.OpenBraceToken.Span.End, name: name).IsEmpty);
}
