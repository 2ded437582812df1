namespace PeftGen.Checkpoints;

/// <summary>Replaces several files of a folder in one step.</summary>
/// <remarks>
/// <para>
/// The new files are written to <c>.peftgen-save/new</c>, and what they replace gets a second name in <c>.peftgen-save/old</c>. Then each place becomes a link to its file by way of
/// <c>.peftgen-save/current</c>, which points to <c>old</c>: nothing has changed for those who read. Now <c>current</c> is made to point to <c>new</c>, which changes all files in one step. At last the new
/// files take the places of the links, so that the folder holds files again and nothing else.
/// </para>
/// <para>
/// Whoever opens the files by their names sees all the old or all the new ones after every one of these steps, and so does who comes after a writer that was killed there. What it left is
/// finished or taken back by <see cref="Settle"/> before the next save. Files that are open stay as they were, since none is written to.
/// </para>
/// <para>
/// Windows has no links for everybody, and neither have some file systems. There the files take their places one after another.
/// </para>
/// </remarks>
/// <param name="folder">The folder. Its lock is held.</param>
internal sealed class Replacement(string folder)
{
    private const string AreaName = ".peftgen-save", New = "new", Old = "old", Current = "current", Next = "next";

    // "Not permitted" comes as UnauthorizedAccessException; these are "no such call" and "not supported", on Linux and macOS.
    private static readonly int[] NoLinks = [38, 78, 95, 45, 102];

    private readonly string _area = Path.Combine(folder, AreaName);

    /// <summary>Whether there is something that a save has begun and not ended.</summary>
    public bool IsUnderWay => Directory.Exists(_area);

    /// <summary>Where a new file is to be written.</summary>
    /// <param name="file">Its place in the folder, relative.</param>
    public string Draft(string file)
    {
        var path = Path.Combine(_area, New, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    /// <summary>Puts all drafts in their places.</summary>
    /// <param name="files">The places of the drafts, relative.</param>
    /// <param name="obsolete">Files that are to be there no more.</param>
    public void Commit(IReadOnlyList<string> files, IReadOnlyList<string> obsolete)
    {
        var gone = obsolete.Where(file => File.Exists(Place(file))).ToList();
        foreach (var file in files.Concat(gone))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Place(file))!);
            if (Directory.Exists(Place(file)))
                throw new CheckpointException($"{Place(file)}: found a folder where a file is to be saved, so nothing was replaced. Remove the folder, or save elsewhere.");
        }

        // One file needs no links: to rename it is one step.
        if (files.Count + gone.Count > 1 && TryPoint(Current, Old))
            ByLinks([.. files, .. gone]);
        else
            OneByOne(files, gone);
    }

    /// <summary>Ends what a save has begun: gives each place the file that stands for it now, the old one or the new, and removes the rest.</summary>
    public void Settle()
    {
        if (LinkOf(Path.Combine(_area, Current)) is { } side)
            foreach (var file in FilesIn(Old).Union(FilesIn(New)).ToList())
            {
                var present = Path.Combine(_area, side, file);
                if (LinkOf(Place(file)) is not { } target || !$"/{target}".EndsWith(ByWayOfCurrent(file), StringComparison.Ordinal))
                    continue;
                if (IsThere(present))
                    Posix.Rename(present, Place(file));
                else
                    File.Delete(Place(file));
            }

        Directory.Delete(_area, recursive: true);
    }

    private void ByLinks(IReadOnlyList<string> files)
    {
        foreach (var file in files.Where(file => IsThere(Place(file))))
            Keep(file);
        foreach (var file in files)
        {
            var link = Path.Combine(_area, Next);
            File.CreateSymbolicLink(link, LinkTo(file));
            Posix.Rename(link, Place(file));
        }

        if (!TryPoint(Next, New))
            throw new IOException($"'{_area}' takes no further link");
        Posix.Rename(Path.Combine(_area, Next), Path.Combine(_area, Current));
        Settle();
    }

    private void OneByOne(IReadOnlyList<string> files, IReadOnlyList<string> gone)
    {
        foreach (var file in files)
            File.Move(Path.Combine(_area, New, file), Place(file), overwrite: true);
        foreach (var file in gone)
            File.Delete(Place(file));
        Directory.Delete(_area, recursive: true);
    }

    /// <summary>Gives the file that will be replaced a second name, or copies it where it can have none.</summary>
    private void Keep(string file)
    {
        var (place, kept) = (Place(file), Path.Combine(_area, Old, file));
        Directory.CreateDirectory(Path.GetDirectoryName(kept)!);
        if (LinkOf(place) is { } target)
            File.CreateSymbolicLink(kept, Path.GetFullPath(target, Path.GetDirectoryName(place)!));
        else if (!Posix.TryLink(place, kept))
            File.Copy(place, kept);
    }

    private bool TryPoint(string name, string side)
    {
        if (OperatingSystem.IsWindows())
            return false;
        try
        {
            Directory.CreateDirectory(Path.Combine(_area, side));
            Directory.CreateSymbolicLink(Path.Combine(_area, name), side);
            return true;
        }
        catch (Exception e) when (e is UnauthorizedAccessException || (e is IOException && NoLinks.Contains(e.HResult)))
        {
            return false;
        }
    }

    private string LinkTo(string file)
    {
        var parents = file.Split(Path.DirectorySeparatorChar)[..^1];
        // From a folder that is a link itself, ".." leads elsewhere.
        var leadsElsewhere = parents.Index().Any(parent => LinkOf(Path.Combine(folder, Path.Combine(parents[..(parent.Index + 1)]))) is not null);
        return leadsElsewhere ? folder + ByWayOfCurrent(file) : string.Concat(Enumerable.Repeat("../", parents.Length)) + ByWayOfCurrent(file)[1..];
    }

    private static string ByWayOfCurrent(string file) => $"/{AreaName}/{Current}/{file}";

    private string Place(string file) => Path.Combine(folder, file);

    private IEnumerable<string> FilesIn(string side)
    {
        var root = Path.Combine(_area, side);
        return Directory.Exists(root) ? Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(root, path)) : [];
    }

    private static bool IsThere(string path) => File.Exists(path) || LinkOf(path) is not null;

    private static string? LinkOf(string path) => new FileInfo(path).LinkTarget;
}
