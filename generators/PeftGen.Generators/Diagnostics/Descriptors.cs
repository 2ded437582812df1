using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Diagnostics;

/// <summary>All diagnostics of the compiler. Each has a page in docs/diagnostics.</summary>
internal static class Descriptors
{
    public static readonly DiagnosticDescriptor NoSuchTarget = Error("PG001", "No such target", "'{0}' matches nothing below {1}{2}");
    public static readonly DiagnosticDescriptor NeverCalled = Error("PG002", "Target is never called", "'{0}' is {1}.{2}, which no method of {1} calls, so an adapter there would do nothing; call it, or leave it out of the targets");
    public static readonly DiagnosticDescriptor CannotCarry = Error("PG003", "Target cannot carry the method", "'{0}' is {1}.{2} of type {3}, which cannot carry {4}; it needs {5}");
    public static readonly DiagnosticDescriptor NotPartial = Error("PG004", "Class must be partial", "{0} {1}, so code is generated into it; declare it 'partial'");
    public static readonly DiagnosticDescriptor NotAModule = Error("PG005", "Not a module", "[{0}] stands on {1}, which is no torch.nn.Module; put it on the model's class");
    public static readonly DiagnosticDescriptor OutOfRange = Error("PG006", "Number out of range", "{0} is {1}; {2} takes {0} from {3} to {4}");
    public static readonly DiagnosticDescriptor MalformedTargets = Error("PG007", "Malformed targets", "{0}");
    public static readonly DiagnosticDescriptor Exclusive = Error("PG008", "Declarations exclude each other", "{0} and {1} both adapt {2}.{3} in {4}; {5}");
    public static readonly DiagnosticDescriptor NameClash = Error("PG009", "Name clash", "{0} already declares '{1}', which PeftGen emits; rename it");
    public static readonly DiagnosticDescriptor CannotFollow = Error("PG010", "Call cannot be followed", "this use of {0} cannot be followed into an adapter: {1}");
    public static readonly DiagnosticDescriptor RoleFound = new("PG011", "Role found by family name", "'{0}' stands for {1}", "PeftGen", DiagnosticSeverity.Info, true, helpLinkUri: Page("PG011"));
    public static readonly DiagnosticDescriptor OtherAssembly = Error("PG012", "Target in another assembly", "'{0}' lies below {1}.{2}, whose class {3} is in another assembly and was not compiled by PeftGen; compile it there, or choose other targets");
    public static readonly DiagnosticDescriptor GroupName = Error("PG013", "Group cannot be named so", "the group '{0}' {1}; give it another name");

    public static readonly DiagnosticDescriptor WeightPastModule = new("PG014", "Weight read past its module", "{0} is read past its module, so what the adapter does to it is computed whole in each call; call {1} instead", "PeftGen", DiagnosticSeverity.Warning, true, helpLinkUri: Page("PG014"));

    public static DiagnosticDescriptor ById(string id) => All.First(d => d.Id == id);

    private static IEnumerable<DiagnosticDescriptor> All =>
        [NoSuchTarget, NeverCalled, CannotCarry, NotPartial, NotAModule, OutOfRange, MalformedTargets, Exclusive, NameClash, CannotFollow, RoleFound, OtherAssembly, GroupName, WeightPastModule];

    private static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, "PeftGen", DiagnosticSeverity.Error, isEnabledByDefault: true, helpLinkUri: Page(id));

    private static string Page(string id) => $"https://github.com/peftgen/peftgen/blob/main/docs/diagnostics/{id}.md";
}
