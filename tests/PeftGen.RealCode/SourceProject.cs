using System.Xml.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.RealCode;

/// <summary>C# files that are compiled together.</summary>
/// <param name="Name">The project's path below the folder.</param>
/// <param name="Own">The files of the project itself, whose classes are measured.</param>
/// <param name="Trees">These files and those of the projects that it refers to: a module's class may lie there, and PeftGen would compile it there.</param>
/// <param name="Options">How it is compiled.</param>
/// <param name="Note">What of its settings could not be read.</param>
internal sealed record SourceProject(string Name, IReadOnlySet<string> Own, IReadOnlyList<SyntaxTree> Trees, CSharpCompilationOptions Options, string? Note)
{
    private static readonly string[] _implicitUsings =
        ["System", "System.Collections.Generic", "System.IO", "System.Linq", "System.Net.Http", "System.Threading", "System.Threading.Tasks"];

    private static readonly string[] _symbols =
        ["NET", "NETCOREAPP", .. Enumerable.Range(5, 6).Select(v => $"NET{v}_0"), .. Enumerable.Range(5, 6).Select(v => $"NET{v}_0_OR_GREATER"), "NETCOREAPP3_1_OR_GREATER", "TRACE"];

    /// <summary>The projects below a folder; files that belong to none are one project more.</summary>
    public static IEnumerable<SourceProject> Find(string root)
    {
        var files = Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories).Where(f => !IsBuildOutput(Path.GetRelativePath(root, f))).Order(StringComparer.Ordinal).ToList();
        var projects = Directory.EnumerateFiles(root, "*.csproj", SearchOption.AllDirectories).Where(f => !IsBuildOutput(Path.GetRelativePath(root, f))).Order(StringComparer.Ordinal).ToList();
        var byProject = files.ToLookup(file => NearestProject(file, projects));
        foreach (var group in byProject.OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            // The projects that it needs, each once, however deep.
            var settings = new ProjectFile(group.Key, root);
            var all = group.Concat(settings.References().SelectMany(reference => byProject[reference])).Distinct().ToList();
            var parse = new CSharpParseOptions(LanguageVersion.Preview, DocumentationMode.None, preprocessorSymbols: _symbols);
            var trees = all.Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file), parse, Path.GetRelativePath(root, file))).ToList();
            var usings = settings.Usings().ToList();
            if (ProjectFile.IsTrue(settings.Property("ImplicitUsings")))
                usings.AddRange(_implicitUsings);
            trees.Add(CSharpSyntaxTree.ParseText(string.Concat(usings.Select(u => $"global using {u};\n")), parse, "ImplicitUsings.cs"));
            var nullable = ProjectFile.IsTrue(settings.Property("Nullable")) ? NullableContextOptions.Enable : NullableContextOptions.Disable;
            yield return new SourceProject(
                group.Key is null ? "." : Path.GetRelativePath(root, group.Key),
                group.Select(file => Path.GetRelativePath(root, file)).ToHashSet(),
                trees,
                new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, nullableContextOptions: nullable),
                settings.Note);
        }
    }

    private static bool IsBuildOutput(string path) => path.Split(Path.DirectorySeparatorChar).Any(folder => folder is "bin" or "obj");

    private static string? NearestProject(string file, List<string> projects)
    {
        for (var folder = Path.GetDirectoryName(file); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (projects.FirstOrDefault(p => Path.GetDirectoryName(p) == folder) is { } project)
                return project;
        }

        return null;
    }

    /// <summary>What is simple to read in a project file and in the Directory.Build.props above it.</summary>
    private sealed class ProjectFile
    {
        private readonly string? _path;
        private readonly List<XDocument> _documents = [];

        public ProjectFile(string? path, string root)
        {
            _path = path;
            if (path is null)
                return;
            Read(path);
            for (var folder = Path.GetDirectoryName(path); folder is not null && folder.StartsWith(root, StringComparison.Ordinal); folder = Path.GetDirectoryName(folder))
            {
                if (Path.Combine(folder, "Directory.Build.props") is var props && File.Exists(props))
                    Read(props);
            }
        }

        /// <summary>Which file is no XML, and where; null where all are.</summary>
        public string? Note { get; private set; }

        // MSBuild takes its words in any case.
        public static bool IsTrue(string? value) => value is not null && (value.Equals("true", StringComparison.OrdinalIgnoreCase) || value.Equals("enable", StringComparison.OrdinalIgnoreCase));

        public string? Property(string name) => Elements(name).FirstOrDefault()?.Value.Trim();

        public IEnumerable<string> Usings() => Elements("Using").Where(u => u.Attribute("Include") is not null).Select(u =>
            (u.Attribute("Alias") is { } alias ? alias.Value + " = " : IsTrue(u.Attribute("Static")?.Value) ? "static " : "") + u.Attribute("Include")!.Value);

        public IReadOnlyCollection<string> References()
        {
            var found = new HashSet<string>();
            if (_path is not null)
                Collect(_path, found);
            return found;
        }

        private void Collect(string path, HashSet<string> found)
        {
            foreach (var include in Read(path).Descendants().Where(e => e.Name.LocalName == "ProjectReference").Select(e => e.Attribute("Include")?.Value))
            {
                if (include is null)
                    continue;
                var project = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, include.Replace('\\', '/')));
                if (File.Exists(project) && found.Add(project))
                    Collect(project, found);
            }
        }

        private XContainer Read(string path)
        {
            try
            {
                var document = XDocument.Load(path);
                if (path == _path || Path.GetFileName(path) == "Directory.Build.props")
                    _documents.Add(document);
                return document;
            }
            catch (System.Xml.XmlException e)
            {
                Note = $"{Path.GetFileName(path)} is not read: {e.Message}";
                return new XElement("Project");
            }
        }

        private IEnumerable<XElement> Elements(string name) => _documents.SelectMany(d => d.Descendants()).Where(e => e.Name.LocalName == name);
    }
}
