using PeftGen.Generators.Model;

namespace PeftGen.Generators.Emission;

/// <summary>Prints the nested <c>Adapter</c>: what an adapter puts beside one instance of the class.</summary>
internal static class NodeEmitter
{
    public static void Emit(SourceWriter writer, ClassModel model)
    {
        writer.Line($"global::PeftGen.AdapterNode global::PeftGen.IAdaptable.NewAdapterNode() => new {model.Node}();").Line();
        foreach (var abstraction in model.Abstractions)
            EmitAbstraction(writer, model, abstraction);

        writer.Line($"/// <summary>What an adapter puts beside a <see cref=\"{Cref(model.Name)}\"/>: a slot for each place that can be adapted.</summary>");
        writer.Line("[global::System.CodeDom.Compiler.GeneratedCode(\"PeftGen\", \"0.1.0\")]");
        writer.Open(model.BaseAdapter is { } inherited ? $"public new class {model.Node} : {inherited}" : $"public class {model.Node} : global::PeftGen.AdapterOf<{model.Name}>");
        foreach (var member in model.Members.Where(m => m.Kind != "Plain"))
            EmitProperty(writer, member);
        writer.Line("/// <inheritdoc/>");
        writer.Line($"protected override global::PeftGen.AdapterNode New() => new {model.Node}();").Line();
        if (model.IsCheckpointed)
            writer.Line("/// <inheritdoc/>").Line("protected override bool IsCheckpointed => true;").Line();
        if (model.OtherSums is { } sums)
            writer.Line("/// <inheritdoc/>").Line($"protected override string? OtherSums => {Microsoft.CodeAnalysis.CSharp.SymbolDisplay.FormatLiteral(sums, quote: true)};").Line();
        EmitMembers(writer, model);
        writer.Close();
    }

    private static void EmitAbstraction(SourceWriter writer, ClassModel model, AbstractionModel abstraction)
    {
        var names = abstraction.Parameters.Select((_, i) => $"input{i + 1}").ToList();
        var parameters = string.Concat(abstraction.Parameters.Select((type, i) => $", {type} {names[i]}"));
        foreach (var (verb, name) in new[] { ("forward", abstraction.Forward), ("call", abstraction.Call) })
        {
            writer.Line($"{abstraction.Result} global::PeftGen.IAdapted<{abstraction.Interface}>.{verb}(");
            writer.Indented($"global::PeftGen.AdapterNode adapter, {ClassEmitter.Context} context{parameters}) =>");
            writer.Indented($"{name}(({model.Node})adapter, context, {string.Join(", ", names)});").Line();
        }
    }

    private static void EmitProperty(SourceWriter writer, MemberModel member)
    {
        var summary = member.Kind switch
        {
            "Residual" => member.Path.Length == 0 ? "Where the output meets its residual." : $"Where the output of <c>{member.Path}</c> meets its residual.",
            "Output" => "What the class's forward returns.",
            "Input" => "The inputs of a call, before the model sees them.",
            "Attention" => "Where keys and values enter attention.",
            "Parameter" => $"In place of <c>{member.Name}</c>; null where it is not adapted.",
            "Layer" => $"Beside <c>{member.Name}</c>; null where it is not adapted.",
            "Layers" or "Children" => $"Beside the elements of <c>{member.Name}</c>.",
            _ => $"Beside <c>{member.Name}</c>.",
        };
        writer.Line($"/// <summary>{summary}</summary>");
        writer.Line(member.Kind is "Layers" or "Children"
            ? $"{member.Access} global::PeftGen.AdapterList<{member.Type}> {member.Property} => ListAt<{member.Type}>(\"{member.Name}\");"
            : $"{member.Access} {member.Type}{(member.IsOptional ? "?" : "")} {member.Property} => At<{member.Type}>(\"{member.Name}\"){(member.IsOptional ? "" : "!")};");
        writer.Line();
    }

    private static void EmitMembers(SourceWriter writer, ClassModel model)
    {
        const string Member = "global::PeftGen.Member";
        writer.Line("/// <inheritdoc/>");
        writer.Open($"protected override global::System.Collections.Generic.IEnumerable<{Member}> Members(global::TorchSharp.torch.nn.Module host)");
        writer.Line($"var self = ({model.Name})host;");
        if (model.BaseAdapter is not null)
            writer.Line("foreach (var member in base.Members(host))").Indented("yield return member;");
        foreach (var member in model.Members)
            writer.Line($"yield return {Member}.{member.Kind}({string.Join(", ", Arguments(member))}){Fused(member)};");
        if (model.BaseAdapter is null && model.Members.Count == 0)
            writer.Line("yield break;");
        writer.Close();
    }

    private static string Fused(MemberModel member) =>
        member.Fused is { } parts ? $".Fused({string.Join(", ", parts.Select(part => $"\"{part}\""))})" : "";

    private static IEnumerable<string> Arguments(MemberModel member)
    {
        yield return $"\"{member.Name}\"";
        if (member.Host is not null)
            yield return $"self.{member.Host}";
        var isInCode = member.Kind is "Residual" or "Attention" or "Output" or "Input";
        if (member.Path != (isInCode ? "" : member.Name))
            yield return $"{(isInCode ? "path: " : "")}\"{member.Path}\"";
    }

    private static string Cref(string name) => name.Replace('<', '{').Replace('>', '}');
}
