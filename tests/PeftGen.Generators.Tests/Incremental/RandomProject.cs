using System.Globalization;
using System.Text;

namespace PeftGen.Generators.Tests;

/// <summary>A project of models in many files that is edited at random.</summary>
internal sealed class RandomProject
{
    private static readonly string[] _layers = ["q_proj", "k_proj", "v_proj", "up_proj"];
    private static readonly string[] _targets = ["q_proj", "v_proj", "k_proj,up_proj", "q,v", "q_prj", "all-linear", "parts.*", "**", "q..v"];

    private readonly Random _random;
    private readonly List<ClassFile> _files = [];
    private int _names;

    public RandomProject(int seed, int files)
    {
        _random = new Random(seed);
        for (var i = 0; i < files; i++)
            _files.Add(NewClass());
    }

    /// <summary>The files by path.</summary>
    public IEnumerable<(string path, string text)> Files => _files.Select(f => (f.Path, f.Write()));

    /// <summary>Makes one edit: the path of the file with its new text.</summary>
    public (string what, string path, string text) Edit()
    {
        var file = _files[_random.Next(_files.Count)];
        var what = _random.Next(10);
        switch (what)
        {
            case 0:
                file.Methods.Add(NewMethod(file));
                break;
            case 1 when file.Methods.Count > 0:
                file.Methods.RemoveAt(_random.Next(file.Methods.Count));
                break;
            case 2:
                file.Local = NewName("h");
                break;
            case 3:
                file.Targets = file.Targets is null || _random.Next(3) > 0 ? _targets[_random.Next(_targets.Length)] : null;
                break;
            case 4:
                file.More.Add(NewClass());
                break;
            case 5:
                file.Child = PickChild(file);
                break;
            case 6:
                file.IsPartial = !file.IsPartial || _random.Next(3) > 0;
                break;
            case 7:
                file.Layer = _layers[_random.Next(_layers.Length)];
                break;
            case 8:
                file.Comment = NewName("note ");
                break;
            default:
                file.CallsHooks = !file.CallsHooks;
                break;
        }

        return (what.ToString(CultureInfo.InvariantCulture), file.Path, file.Write());
    }

    private ClassFile NewClass()
    {
        var name = NewName("C");
        var file = new ClassFile(name) { Layer = _layers[_random.Next(_layers.Length)] };
        file.Child = PickChild(file);
        if (_random.Next(4) == 0)
            file.Targets = "q_proj";
        return file;
    }

    // Only of an earlier class: a class that holds itself would never be built.
    private string? PickChild(ClassFile file)
    {
        var earlier = _files.TakeWhile(f => f != file).ToList();
        return earlier.Count == 0 ? null : earlier[_random.Next(earlier.Count)].Name;
    }

    private string NewMethod(ClassFile file)
    {
        var name = NewName("Helper");
        return _random.Next(2) == 0
            ? $"    public Tensor {name}(Tensor x) => {file.Layer}.forward(x);"
            : $"    private Tensor {name}(Tensor x) => x + {_names};";
    }

    private string NewName(string prefix) => prefix + (++_names).ToString(CultureInfo.InvariantCulture);

    private sealed class ClassFile(string name)
    {
        public string Name { get; } = name;

        public string Path => $"{Name}.cs";

        public string Layer { get; set; } = "";

        public string? Child { get; set; }

        public string? Targets { get; set; }

        public string Local { get; set; } = "h";

        public string Comment { get; set; } = "";

        public bool IsPartial { get; set; } = true;

        public bool CallsHooks { get; set; }

        public List<string> Methods { get; } = [];

        public List<ClassFile> More { get; } = [];

        public string Write()
        {
            var text = new StringBuilder();
            Write(text);
            foreach (var other in More)
                other.Write(text);
            return text.ToString();
        }

        private void Write(StringBuilder text)
        {
            var verb = CallsHooks ? "call" : "forward";
            if (Targets is not null)
                text.Append(CultureInfo.InvariantCulture, $"[Scale(targets: \"{Targets}\")]\n");
            text.Append(CultureInfo.InvariantCulture, $"public {(IsPartial ? "partial " : "")}class {Name} : Module<Tensor, Tensor>\n{{\n    // {Comment}\n");
            text.Append(CultureInfo.InvariantCulture, $"    private readonly Linear {Layer} = Linear(4, 4);\n");
            if (Child is not null)
                text.Append(CultureInfo.InvariantCulture, $"    private readonly {Child} child = new();\n    private readonly ModuleList<{Child}> parts = ModuleList(new {Child}());\n");
            text.Append(CultureInfo.InvariantCulture, $"\n    public {Name}() : base(\"{Name}\") => RegisterComponents();\n\n");
            text.Append(CultureInfo.InvariantCulture, $"    public override Tensor forward(Tensor x)\n    {{\n        var {Local} = {Layer}.{verb}(x);\n");
            if (Child is not null)
                text.Append(CultureInfo.InvariantCulture, $"        foreach (var part in parts)\n            {Local} = part.{verb}({Local});\n        {Local} = child.{verb}({Local});\n");
            foreach (var method in Methods)
                text.Append(CultureInfo.InvariantCulture, $"        {Local} = {method.Split(' ', '(').First(word => word.StartsWith("Helper", StringComparison.Ordinal))}({Local});\n");
            text.Append(CultureInfo.InvariantCulture, $"        return {Local};\n    }}\n");
            foreach (var method in Methods)
                text.Append(CultureInfo.InvariantCulture, $"\n{method}\n");
            text.Append("}\n\n");
        }
    }
}
