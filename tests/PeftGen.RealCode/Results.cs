using Microsoft.CodeAnalysis;
using PeftGen.RealCode.Trials;

namespace PeftGen.RealCode;

/// <summary>Something that stands between a class and its adapter.</summary>
/// <param name="Id">A diagnostic of PeftGen, one of the C# compiler in emitted code, or "exception".</param>
/// <param name="Place">File and line.</param>
/// <param name="Message">What is said.</param>
/// <param name="IsError">Whether nothing runs with it.</param>
internal sealed record Finding(string Id, string Place, string Message, bool IsError)
{
    /// <summary>Whether it keeps a class from being compiled. That there is no linear layer below one is no mistake of it.</summary>
    public bool Refuses => IsError && Id != "PG001";

    /// <summary>A finding from a diagnostic.</summary>
    public static Finding Of(Diagnostic diagnostic, string id, bool isError)
    {
        var at = diagnostic.Location.GetMappedLineSpan();
        return new Finding(id, $"{at.Path}:{at.StartLinePosition.Line + 1}", diagnostic.GetMessage(), isError);
    }
}

/// <summary>What became of a class as a root.</summary>
internal enum Outcome
{
    /// <summary>Code was emitted and compiles.</summary>
    Compiled,

    /// <summary>Nothing below it can carry the method.</summary>
    NoSite,

    /// <summary>A diagnostic asks for a change of the code.</summary>
    Refused,

    /// <summary>The emitted code does not compile, or the compiler failed.</summary>
    Broken,
}

/// <summary>One class as a root.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Parts">Where it stands: lines of files.</param>
/// <param name="Files">How many files were emitted.</param>
/// <param name="Findings">What was found wrong.</param>
/// <param name="Trial">What became of it when it ran; null where it did not compile.</param>
internal sealed record ClassResult(string Name, IReadOnlyList<FileLines> Parts, int Files, IReadOnlyList<Finding> Findings, Trial? Trial = null)
{
    /// <summary>What became of it.</summary>
    public Outcome Outcome =>
        Findings.Any(f => f.IsError && !f.Id.StartsWith("PG", StringComparison.Ordinal)) ? Outcome.Broken
        : Findings.Any(f => f.Refuses) ? Outcome.Refused
        : Findings.Any(f => f.IsError) ? Outcome.NoSite
        : Files > 0 ? Outcome.Compiled : Outcome.Broken;
}

/// <summary>The classes of one project.</summary>
/// <param name="Name">The project.</param>
/// <param name="BaselineErrors">How many errors the C# compiler finds without PeftGen, mostly for packages that are not here.</param>
/// <param name="Classes">Its module classes.</param>
/// <param name="Note">What of its files could not be read.</param>
internal sealed record ProjectResult(string Name, int BaselineErrors, IReadOnlyList<ClassResult> Classes, string? Note = null)
{
    /// <summary>How many classes came so far when they ran.</summary>
    public int Count(TrialOutcome outcome) => Classes.Count(c => c.Trial?.Outcome == outcome);

    /// <summary>How many classes had this outcome.</summary>
    public int Count(Outcome outcome) => Classes.Count(c => c.Outcome == outcome);

    /// <summary>The classes with a site in which nothing is refused or broken, whichever class was the root.</summary>
    public IReadOnlyList<ClassResult> Sound => [.. WithSites.Where(c => !_refused.Any(place => c.Parts.Any(part => part.Contains(place))) && !(c.Outcome == Outcome.Broken))];

    /// <summary>The classes with a linear layer below them.</summary>
    public IReadOnlyList<ClassResult> WithSites => [.. Classes.Where(c => c.Outcome != Outcome.NoSite)];

    private readonly HashSet<string> _refused = [.. Classes.SelectMany(c => c.Findings).Where(f => f.Refuses).Select(f => f.Place)];
}

/// <summary>The lines of a file in which a part of a class stands.</summary>
/// <param name="File">The file.</param>
/// <param name="First">The first line, from 1.</param>
/// <param name="Last">The last line.</param>
internal sealed record FileLines(string File, int First, int Last)
{
    /// <summary>Whether a place, <c>file:line</c>, is among them.</summary>
    public bool Contains(string place) => place.LastIndexOf(':') is var colon and > 0 && place[..colon] == File
        && int.TryParse(place[(colon + 1)..], System.Globalization.CultureInfo.InvariantCulture, out var line) && line >= First && line <= Last;
}
