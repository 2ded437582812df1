using PeftGen.Generators.Model;

namespace PeftGen.Generators.Emission;

/// <summary>Prints what a root has besides its bodies: factories, entries, <c>With</c>, and an adapter type for each group.</summary>
internal static class RootEmitter
{
    private const string Node = "global::PeftGen.AdapterNode";
    private const string Options = "global::PeftGen.ForwardOptions";
    private const string Generator = "global::TorchSharp.torch.Generator";

    public static void Emit(SourceWriter writer, ClassModel model, RootModel root)
    {
        writer.Line("// Remembers what is frozen and merged; no module, parameter or tensor, so the state_dict stays as it was.");
        writer.Line($"private readonly global::PeftGen.BaseRecord {root.Record} = new();").Line();
        foreach (var group in root.Groups)
            EmitFactories(writer, root, group);
        writer.Line("/// <summary>Restores the <c>requires_grad</c> flags that the base had before its first adapter.</summary>");
        writer.Line($"public void Unfreeze() => {root.Record}.Unfreeze(this);").Line();
        foreach (var entry in root.Entries)
            EmitEntry(writer, model, root, entry);
        EmitWith(writer, model, root);
        foreach (var group in root.Groups)
            EmitGroupType(writer, model, root, group);
    }

    private static void EmitFactories(SourceWriter writer, RootModel root, GroupModel group)
    {
        var methods = group.Methods;
        var values = string.Join(", ", methods.Select(m => $"{m.Parameter} ?? {m.Creation}"));
        var declared = string.Join(", ", methods.Select(m => m.Creation));
        writer.Line($"/// <summary>Makes a new adapter and freezes the base: {Escape(string.Join(" ", methods.Select(m => m.Summary)))}.</summary>");
        foreach (var method in methods)
            writer.Line($"/// <param name=\"{method.Parameter}\">Other values than the declared ones.</param>");
        writer.Line("/// <param name=\"generator\">For random starts and dropout; null: seeded from torch's own generator.</param>");
        writer.Line($"public {group.Type} Create{group.Infix}Adapter({string.Join(", ", methods.Select(m => $"{m.Type}? {m.Parameter} = null"))}, {Generator}? generator = null) =>");
        writer.Indented($"{root.Record}.Create(this, new {group.Type}(), new global::PeftGen.AdaptAttribute[] {{ {values} }}, generator);").Line();
        writer.Line("/// <summary>Loads a saved adapter and freezes the base. The file brings its own values.</summary>");
        writer.Line("/// <param name=\"directory\">The folder with adapter_config.json and the weights.</param>");
        writer.Line($"public {group.Type} Load{group.Infix}Adapter(string directory) =>");
        writer.Indented($"{root.Record}.Load(this, new {group.Type}(), new global::PeftGen.AdaptAttribute[] {{ {declared} }}, directory);").Line();
    }

    private static void EmitEntry(SourceWriter writer, ClassModel model, RootModel root, EntryModel entry)
    {
        var adapter = model.Names.Adapter;
        var context = model.Names.Context;
        var rest = entry.Parameters.Length == 0 ? "" : ", " + entry.Parameters;
        var arguments = entry.Arguments.Length == 0 ? "" : ", " + entry.Arguments;
        writer.Line($"/// <summary><c>{entry.Name}</c>, run through an adapter. Once it is merged, this is the base's own <c>{entry.Name}</c>.</summary>");
        writer.Line($"{entry.Access} {entry.ReturnType} {entry.Name}(Adapter {adapter}{rest}) => {entry.Name}({adapter}, ({Options}?)null{arguments});").Line();
        writer.Line($"/// <summary><c>{entry.Name}</c>, run through an adapter, with options for this call.</summary>");
        writer.Open($"{entry.Access} {entry.ReturnType} {entry.Name}(Adapter {adapter}, {Options}? options{rest})");
        writer.Line($"if ({root.Record}.RunsBase({adapter}))");
        writer.Indented(entry.Returns ? $"return {entry.Name}({entry.Arguments});" : $"{{ {entry.Name}({entry.Arguments}); return; }}");
        writer.Line($"using var {context} = new {ClassEmitter.Context}(options);");
        foreach (var input in entry.Inputs)
            writer.Line($"{context}[global::PeftGen.InputRole.{input.Role}] = {input.Expression};");
        writer.Line($"{(entry.Returns ? "return " : "")}{entry.Name}({adapter}, {context}{arguments});");
        writer.Close().Line();
    }

    private static void EmitWith(SourceWriter writer, ClassModel model, RootModel root)
    {
        writer.Line("/// <summary>The model with an adapter, as an ordinary module. <c>.to</c>, <c>train</c> and <c>eval</c> reach both; disposing it disposes neither.</summary>");
        writer.Line("/// <param name=\"adapter\">The adapter; it can be used without this module, too.</param>");
        writer.Line($"public Adapted With(Adapter adapter) => new(this, adapter);").Line();
        writer.Line($"/// <summary>A <see cref=\"{model.Name.Replace('<', '{').Replace('>', '}')}\"/> with an adapter, as an ordinary module.</summary>");
        writer.Line("[global::System.CodeDom.Compiler.GeneratedCode(\"PeftGen\", \"0.1.0\")]");
        writer.Open($"public sealed class Adapted : {root.ModuleBase}");
        writer.Line($"private readonly {model.Name} model;");
        writer.Line("private readonly Adapter adapter;").Line();
        writer.Open($"internal Adapted({model.Name} model, Adapter adapter) : base(nameof(Adapted))");
        writer.Line("this.model = model;").Line("this.adapter = adapter;");
        writer.Line("register_module(nameof(model), model);").Line("register_module(nameof(adapter), adapter);");
        writer.Close().Line();
        foreach (var entry in root.Entries)
        {
            var arguments = entry.Arguments.Length == 0 ? "" : ", " + entry.Arguments;
            writer.Line("/// <inheritdoc/>");
            writer.Line($"{entry.Access} {(entry.IsForward ? "override " : "")}{entry.ReturnType} {entry.Name}({entry.Parameters}) => model.{entry.Name}(adapter{arguments});").Line();
        }

        writer.Line("/// <inheritdoc/>");
        writer.Line("protected override void RegisterComponents() { }").Line();
        writer.Line("/// <inheritdoc/>");
        writer.Open("protected override void Dispose(bool disposing)");
        writer.Line("ClearModules();").Line("base.Dispose(disposing);");
        writer.Close();
        writer.Close().Line();
    }

    private static void EmitGroupType(SourceWriter writer, ClassModel model, RootModel root, GroupModel group)
    {
        writer.Line($"/// <summary>An adapter of {Escape(string.Join(" ", group.Methods.Select(m => m.Summary)))}.</summary>");
        writer.Line("[global::System.CodeDom.Compiler.GeneratedCode(\"PeftGen\", \"0.1.0\")]");
        writer.Open($"public sealed class {group.Type} : Adapter, global::PeftGen.IAdapter");
        if (group.Merges)
        {
            writer.Line("/// <summary>Adds what the adapter does to the base's weights. From then on forward with it runs the base.</summary>");
            writer.Line($"public void MergeInto({model.Name} model) => model.{root.Record}.Merge(model, this);").Line();
            writer.Line("/// <summary>Gives the base back the bits that it had before merging.</summary>");
            writer.Line($"public void UnmergeFrom({model.Name} model) => model.{root.Record}.Unmerge(model, this);").Line();
        }

        writer.Line("/// <inheritdoc/>");
        writer.Line($"protected override {Node} New() => new {group.Type}();");
        writer.Close().Line();
    }

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\r", "").Replace("\n", " ");
}
