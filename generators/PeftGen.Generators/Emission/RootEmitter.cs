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
        writer.Line($"/// <summary>Makes a new adapter and freezes the base: {Escape(string.Join(" ", group.Methods.Select(m => m.Summary)))}.</summary>");
        foreach (var method in group.Methods)
            writer.Line($"/// <param name=\"{method.Parameter}\">Other values than the declared ones.</param>");
        writer.Line("/// <param name=\"generator\">For random starts and dropout; null: seeded from torch's own generator.</param>");
        writer.Line($"{group.Access} {group.Type} Create{group.Infix}Adapter(");
        writer.Indented($"{string.Join(", ", group.Methods.Select(m => $"{m.Type}? {m.Parameter} = null"))}, {Generator}? generator = null) =>");
        EmitRecordCall(writer, root, group, "Create", group.Methods.Select(m => $"{m.Parameter} ?? {m.Creation}"), "generator");
        writer.Line("/// <summary>Loads a saved adapter and freezes the base. The file brings its own values. The adapter is in evaluation mode: call its <c>train()</c> to train it on.</summary>");
        writer.Line("/// <param name=\"directory\">The folder with adapter_config.json and the weights.</param>");
        writer.Line($"public {group.Type} Load{group.Infix}Adapter(string directory) =>");
        EmitRecordCall(writer, root, group, "Load", group.Methods.Select(m => m.Creation), "directory");
    }

    private static void EmitRecordCall(SourceWriter writer, RootModel root, GroupModel group, string verb, IEnumerable<string> methods, string last)
    {
        var list = methods.ToList();
        if (list.Count == 1)
        {
            writer.Indented($"{root.Record}.{verb}(this, new {group.Type}(), [{list[0]}], {last});").Line();
            return;
        }

        writer.Indented($"{root.Record}.{verb}(this, new {group.Type}(),");
        writer.Indented("[");
        foreach (var method in list)
            writer.Indented($"    {method},");
        writer.Indented($"], {last});").Line();
    }

    private static void EmitEntry(SourceWriter writer, ClassModel model, RootModel root, EntryModel entry)
    {
        var adapter = model.Names.Adapter;
        var context = model.Names.Context;
        var rest = entry.Parameters.Length == 0 ? "" : ", " + entry.Parameters;
        var arguments = entry.Arguments.Length == 0 ? "" : ", " + entry.Arguments;
        writer.Line($"/// <summary><c>{entry.Name}</c>, run through an adapter. Once it is merged, this is the base's own <c>{entry.Name}</c>.</summary>");
        // The model's own arguments come first to mind where null stands for one of either.
        var shared = $"{entry.Name}<{model.Names.Model}>(global::PeftGen.AdapterOf<{model.Names.Model}> {adapter}";
        var constraint = $"where {model.Names.Model} : {root.Constraint}";
        EmitPriority(writer, root, 2 * entry.Rank + 1);
        writer.Line($"{entry.Access} {entry.ReturnType} {shared}{rest})").Indented($"{constraint} =>");
        writer.Indented($"{entry.Name}({adapter}, {model.Names.Options}: null{arguments});").Line();
        writer.Line($"/// <summary><c>{entry.Name}</c>, run through an adapter, with options for this call.</summary>");
        EmitPriority(writer, root, 2 * entry.Rank);
        var isAsync = entry.Form is EntryForm.Task or EntryForm.TaskOfValue or EntryForm.AsyncItems;
        writer.Line($"{entry.Access} {(isAsync ? "async " : "")}{entry.ReturnType} {shared}, {Options}? {model.Names.Options}{rest})");
        writer.Open($"    {constraint}");
        var atBase = $"{entry.Base}({entry.Arguments})";
        writer.Line($"var {model.Names.Node} = {root.Record}.Own<{model.Node}>(this, {adapter});");
        writer.Line($"using var {context} = {root.Record}.Open(this, {model.Names.Node}, {model.Names.Options}{(entry.Form is EntryForm.Value or EntryForm.Nothing ? "" : ", isSuspendable: true")});");
        if (entry.Form is EntryForm.Value or EntryForm.TaskOfValue)
        {
            writer.Line($"if ({context}.RunsBase)").Indented($"return {(isAsync ? "await " : "")}{atBase};");
        }
        else
        {
            writer.Open($"if ({context}.RunsBase)");
            EmitReturn(writer, model, entry, atBase, isLast: false);
            writer.Close();
        }

        writer.Line();
        foreach (var input in entry.Inputs)
            writer.Line($"{context}[global::PeftGen.InputRole.{input.Role}] = {input.Expression};");
        if (entry.Cache is { } cache)
            writer.Line($"{context}.PastTokens = {cache}?.Length ?? 0;");
        EmitReturn(writer, model, entry, root.Input is { } slot ? WithInput(writer, model, entry, slot) : $"{entry.Through}({model.Names.Node}, {context}{arguments})", isLast: true);
        writer.Close().Line();
    }

    private static void EmitPriority(SourceWriter writer, RootModel root, int priority)
    {
        if (root.HasPriorities && priority > 0)
            writer.Line($"[global::System.Runtime.CompilerServices.OverloadResolutionPriority({priority})]");
    }

    /// <summary>A call that runs with the inputs that the adapter's slot left in the context.</summary>
    private static string WithInput(SourceWriter writer, ClassModel model, EntryModel entry, string input)
    {
        var (node, context) = (model.Names.Node, model.Names.Context);
        writer.Line($"{node}.{input}.begin({context});");
        var replaced = entry.Inputs.ToDictionary(i => i.Expression, i => $"{context}[global::PeftGen.InputRole.{i.Role}]{(i.IsNullable ? "" : "!")}");
        var arguments = entry.Arguments.Split([", "], System.StringSplitOptions.RemoveEmptyEntries).Select(a => replaced.TryGetValue(a, out var kept) ? kept : a);
        var call = $"{entry.Through}({string.Join(", ", [node, context, .. arguments])})";
        return entry is { IsForward: true, ReturnsTensor: true } ? $"{node}.{input}.end({context}, {call})" : call;
    }

    private static void EmitReturn(SourceWriter writer, ClassModel model, EntryModel entry, string call, bool isLast)
    {
        switch (entry.Form)
        {
            case EntryForm.Value:
                writer.Line($"return {call};");
                return;
            case EntryForm.TaskOfValue:
                writer.Line($"return await {call};");
                return;
            case EntryForm.Items or EntryForm.AsyncItems:
                writer.Line($"{(entry.Form == EntryForm.Items ? "" : "await ")}foreach (var {model.Names.Result} in {call})").Indented($"yield return {model.Names.Result};");
                break;
            default:
                writer.Line($"{(entry.Form == EntryForm.Task ? "await " : "")}{call};");
                break;
        }

        if (!isLast)
            writer.Line(entry.Form is EntryForm.Items or EntryForm.AsyncItems ? "yield break;" : "return;");
    }

    private static void EmitWith(SourceWriter writer, ClassModel model, RootModel root)
    {
        writer.Line("/// <summary>The model with an adapter, as an ordinary module. <c>.to</c>, <c>train</c> and <c>eval</c> reach both; disposing it disposes neither.</summary>");
        writer.Line("/// <param name=\"adapter\">The adapter; it can be used without this module, too.</param>");
        writer.Line($"public Adapted With({model.Node} adapter) => new(this, {root.Record}.Checked(this, adapter));").Line();
        writer.Line($"/// <summary>A <see cref=\"{model.Name.Replace('<', '{').Replace('>', '}')}\"/> with an adapter, as an ordinary module.</summary>");
        writer.Line("[global::System.CodeDom.Compiler.GeneratedCode(\"PeftGen\", \"0.1.0\")]");
        writer.Open($"public sealed class Adapted : {root.ModuleBase}");
        writer.Line($"private readonly {model.Name} model;");
        writer.Line($"private readonly {model.Node} adapter;").Line();
        writer.Open($"internal Adapted({model.Name} model, {model.Node} adapter) : base(nameof(Adapted))");
        writer.Line("this.model = model;").Line("this.adapter = adapter;");
        writer.Line("register_module(nameof(model), model);").Line("register_module(nameof(adapter), adapter);");
        writer.Close().Line();
        foreach (var entry in root.Entries)
        {
            var arguments = entry.Arguments.Length == 0 ? "" : ", " + entry.Arguments;
            writer.Line("/// <inheritdoc/>");
            writer.Line($"{entry.Access} {(entry.IsForward ? "override " : "")}{entry.ReturnType} {entry.Name}({entry.Parameters}) =>");
            writer.Indented($"this.model.{entry.Name}(this.adapter{arguments});").Line();
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
        writer.Open($"public sealed class {group.Type} : {model.Node}, global::PeftGen.IAdapter");
        if (group.Merges)
        {
            writer.Line("/// <summary>Adds what the adapter does to the base's weights. From then on forward with it runs the base. Waits for calls that run through an adapter; that none runs the base meanwhile is the caller's to see to.</summary>");
            writer.Line("/// <param name=\"model\">The model.</param>");
            writer.Line("/// <param name=\"keepBase\">Whether to keep a copy of the weights that it changes, for <see cref=\"UnmergeFrom\"/>.</param>");
            writer.Line($"public void MergeInto({model.Name} model, bool keepBase = true) => model.{root.Record}.Merge(model, this, keepBase);").Line();
            writer.Line("/// <summary>Gives the base back the bits that it had before merging. Waits for calls that run through an adapter; that none runs the base meanwhile is the caller's to see to.</summary>");
            writer.Line($"public void UnmergeFrom({model.Name} model) => model.{root.Record}.Unmerge(model, this);").Line();
        }

        writer.Line("/// <inheritdoc/>");
        writer.Line($"protected override {Node} New() => new {group.Type}();");
        writer.Close().Line();
    }

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\r", "").Replace("\n", " ");
}
