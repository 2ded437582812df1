using PeftGen.Generators.Model;

namespace PeftGen.Generators.Emission;

/// <summary>Prints a compiled method: the user's body, with adapted places run through their slots.</summary>
internal static class BodyEmitter
{
    public static void Emit(SourceWriter writer, ClassModel model, BodyModel body)
    {
        var node = $"Adapter {model.Names.Adapter}, {ClassEmitter.Context} {model.Names.Context}";
        var rest = body.Parameters.Length == 0 ? "" : ", " + body.Parameters;
        writer.Line($"/// <summary><c>{body.Documentation}</c>, run through an adapter.</summary>");
        var signature = $"{body.Modifiers}{body.ReturnType} {body.Name}({node}{rest}){body.Constraints}";
        if (body.Body is null)
        {
            writer.Line(signature + ";").Line();
        }
        else
        {
            writer.Line(signature);
            writer.Raw($"#line {body.Line} \"{body.File}\"\n");
            writer.Raw(new string(' ', body.Column)).Raw(body.Body).Raw("\n");
            writer.Raw("#line hidden\n").Line();
        }

        var handedOn = string.Join(", ", new[] { $"(Adapter){model.Names.Adapter}", model.Names.Context, body.Arguments }.Where(a => a.Length > 0));
        foreach (var overridden in body.Overrides)
        {
            writer.Line("/// <inheritdoc/>");
            writer.Line($"{AccessOf(body)} override {body.ReturnType} {body.Name}({overridden} {model.Names.Adapter}, {ClassEmitter.Context} {model.Names.Context}{rest}) =>");
            writer.Indented($"{body.Name}({handedOn});").Line();
        }

        if (body.WithHooks)
            EmitCall(writer, model, body, node, rest);
    }

    private static string AccessOf(BodyModel body) => body.Modifiers.Substring(0, body.Modifiers.IndexOf(' ')) is "protected" ? "protected" : body.Modifiers.Split(' ')[0];

    /// <summary>TorchSharp's <c>call</c>: the module's own hooks around forward.</summary>
    private static void EmitCall(SourceWriter writer, ClassModel model, BodyModel body, string node, string rest)
    {
        var names = body.Arguments.Split([", "], StringSplitOptions.None);
        writer.Line($"/// <summary><c>call</c>, run through an adapter: forward between the module's own hooks.</summary>");
        writer.Open($"public {body.ReturnType} call({node}{rest})");
        writer.Line("foreach (var hook in module_pre_hooks.Values)").Indented("hook(this);");
        writer.Open("foreach (var hook in pre_hooks.Values)");
        writer.Open($"if (hook(this, {body.Arguments}) is {{ }} changed)");
        if (names.Length == 1)
            writer.Line($"{names[0]} = changed;");
        else
            writer.Line($"({body.Arguments}) = changed;");
        writer.Close().Close();
        writer.Line($"var result = forward({model.Names.Adapter}, {model.Names.Context}, {body.Arguments});");
        writer.Line("foreach (var hook in post_hooks.Values)").Indented($"result = hook(this, {body.Arguments}, result) is {{ }} changed ? changed : result;");
        writer.Line("foreach (var hook in module_post_hooks.Values)").Indented("hook(this);");
        writer.Line("return result;");
        writer.Close().Line();
    }
}
