using Microsoft.CodeAnalysis.Text;

namespace PeftGen.Generators.Model;

/// <summary>A diagnostic as a value.</summary>
/// <param name="Id">The id of its descriptor.</param>
/// <param name="File">The path of the syntax tree.</param>
/// <param name="Span">The place in it.</param>
/// <param name="Arguments">What the message's placeholders stand for.</param>
/// <param name="Properties">What it carries for code fixes.</param>
/// <param name="Places">Other places that its code fixes change.</param>
internal sealed record DiagnosticModel(
    string Id, string File, TextSpan Span, EquatableArray<string> Arguments, EquatableArray<DiagnosticProperty> Properties, EquatableArray<DiagnosticPlace> Places);

/// <summary>A place in code.</summary>
/// <param name="File">The path of the syntax tree.</param>
/// <param name="Span">The place in it.</param>
internal sealed record DiagnosticPlace(string File, TextSpan Span);

/// <summary>A named value that a diagnostic carries.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">The value.</param>
internal sealed record DiagnosticProperty(string Name, string Value);

/// <summary>What the parser finds in a compilation.</summary>
/// <param name="Classes">The classes to emit, sorted.</param>
/// <param name="Linears">The linear layers of the user's own.</param>
/// <param name="Diagnostics">What is wrong.</param>
/// <param name="Report">What was made of the declarations; null: nobody asked.</param>
internal sealed record ParseResult(EquatableArray<ClassModel> Classes, EquatableArray<LinearModel> Linears, EquatableArray<DiagnosticModel> Diagnostics, ReportModel? Report = null);
