using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Outlining;

/// <summary>All that the parser reads.</summary>
/// <param name="files">What the files say to one another.</param>
/// <param name="compilation">Their compilation.</param>
/// <param name="reports">Whether a report is asked for.</param>
internal sealed class Project(ImmutableArray<FileOutline> files, Compilation compilation, bool reports)
{
    private HashSet<string>? _read;

    public ImmutableArray<FileOutline> Files { get; } = files;

    public Compilation Compilation { get; } = compilation;

    public bool Reports { get; } = reports;

    /// <summary>Parses it, and keeps which files that took.</summary>
    public ParseResult Parse(CancellationToken cancel)
    {
        var (result, read) = ModelParser.Parse(this, cancel);
        _read = [.. read.Select(tree => tree.FilePath)];
        return result;
    }

    /// <summary>
    /// Whether another version of the project gives the same: of the files of which the parse read more than the outline nothing changed, and of the others no outline.
    /// Of two projects that were not parsed nothing is known.
    /// </summary>
    public bool GivesTheSameAs(Project other)
    {
        // Either may be the one that was parsed.
        if ((_read ?? other._read) is not { } read || Reports != other.Reports || Files.Length != other.Files.Length || !Compilation.Options.Equals(other.Compilation.Options)
            || Compilation.AssemblyName != other.Compilation.AssemblyName || !Compilation.ExternalReferences.SequenceEqual(other.Compilation.ExternalReferences))
            return false;
        for (var i = 0; i < Files.Length; i++)
            if (!ReferenceEquals(Files[i].Tree, other.Files[i].Tree) && (read.Contains(Files[i].Tree.FilePath) || !Files[i].SaysTheSameAs(other.Files[i])))
                return false;
        return true;
    }
}

/// <summary>Lets an edit pass only if it can have to do with a model; else the earlier project stays, with what was made of it.</summary>
internal sealed class SameModels : IEqualityComparer<Project>
{
    public static SameModels Comparer { get; } = new();

    public bool Equals(Project? x, Project? y) => ReferenceEquals(x, y) || (x is not null && y is not null && x.GivesTheSameAs(y));

    public int GetHashCode(Project project) => project.Files.Length;
}
