using PeftGen.Generators.Model;

namespace PeftGen.Generators.Emission;

/// <summary>Prints a compiled method: the user's body, with adapted places run through their slots.</summary>
internal static class BodyEmitter
{
    public static void Emit(SourceWriter writer, ClassModel model, BodyModel body)
    {
        var node = $"{model.Node} {model.Names.Adapter}, {ClassEmitter.Context} {model.Names.Context}";
        var rest = body.Parameters.Length == 0 ? "" : ", " + body.Parameters;
        if (body.Body is not null && (body.Checkpointed is not null || body.Output is not null))
        {
            EmitOuter(writer, model, body, $"{node}{rest}");
            writer.Line($"private {body.Unsafe}{body.ReturnType} {model.Names.Once}({node}{rest}){(body.Body!.IsExpression ? " =>" : "")}");
            EmitText(writer, body.Body);
        }
        else
        {
            EmitBody(writer, body, $"{node}{rest}");
        }

        writer.Line();

        var handedOn = string.Join(", ", new[] { $"{model.Names.Adapter}.As<{model.Node}>()", model.Names.Context, body.Arguments }.Where(a => a.Length > 0));
        foreach (var overridden in body.Overrides)
        {
            writer.Line("/// <inheritdoc/>");
            writer.Line($"{body.Access} {body.Unsafe}override {body.ReturnType} {body.Name}({overridden} {model.Names.Adapter}, {ClassEmitter.Context} {model.Names.Context}{rest}) =>");
            writer.Indented($"{body.Name}({handedOn});").Line();
        }

        if (body.Call is { } call)
            EmitCall(writer, model, body, call, node, rest);
    }

    private static void EmitBody(SourceWriter writer, BodyModel body, string parameters)
    {
        writer.Line($"/// <summary><c>{body.Documentation}</c>, run through an adapter.</summary>");
        writer.Line($"{body.Access} {body.Unsafe}{body.Modifiers}{body.ReturnType} {body.Name}({parameters}){body.Constraints}{(body.Body is null ? ";" : body.Body.IsExpression ? " =>" : "")}");
        if (body.Body is not null)
            EmitText(writer, body.Body);
    }

    /// <summary>A forward in two: one with the user's text, and one around it, which may keep nothing but the inputs, and runs the output through its slot.</summary>
    private static void EmitOuter(SourceWriter writer, ClassModel model, BodyModel body, string parameters)
    {
        var names = model.Names;
        var (open, close) = body.Output is { } output ? ($"{names.Adapter}.{output}.leave({names.Context}, ", ")") : ("", "");
        if (body.Checkpointed is not { } checkpointed)
        {
            writer.Line($"/// <summary><c>{body.Documentation}</c>, run through an adapter.</summary>");
            writer.Line($"{body.Access} {body.Unsafe}{body.Modifiers}{body.ReturnType} {body.Name}({parameters}) =>");
            writer.Indented($"{open}{names.Once}({names.Adapter}, {names.Context}, {body.Arguments}){close};").Line();
            return;
        }

        var arguments = checkpointed.ToList();
        var tensors = arguments.Where(a => a.IsTensor).ToList();
        var given = arguments.Select(a => a.IsTensor ? $"{names.Inputs}[{tensors.IndexOf(a)}]{(model.Nullable && !a.IsNullable ? "!" : "")}" : a.Name);
        writer.Line($"/// <summary><c>{body.Documentation}</c>, run through an adapter; computed again in the backward pass where the adapter has gradient checkpointing.</summary>");
        writer.Line($"{body.Access} {body.Unsafe}{body.Modifiers}{body.ReturnType} {body.Name}({parameters}) =>");
        writer.Indented($"{open}{names.Adapter}.GradientCheckpointing{string.Concat(arguments.Where(a => a.IsAbsent).Select(a => $" && {a.Name} is null"))}");
        writer.Indented($"    ? global::PeftGen.Compiled.GradientCheckpoint.Run(this, {names.Adapter}, {names.Context}, ({names.Again}, {names.Inputs}) => {names.Once}({names.Adapter}, {names.Again}, {string.Join(", ", given)}),");
        writer.Indented($"        {string.Join(", ", tensors.Select(t => t.Name))})");
        writer.Indented($"    : {names.Once}({names.Adapter}, {names.Context}, {body.Arguments}){close};").Line();
    }

    /// <summary>Prints the user's text so that each of its lines is known to the debugger as the line that it was copied from.</summary>
    private static void EmitText(SourceWriter writer, BodyText body)
    {
        if (body.Origin is not { } origin)
        {
            writer.Indented(body.Text);
            return;
        }

        // Text that begins its line is copied with its indentation, so characters agree too. Other text is put on a line of its own.
        var indentation = origin.Indentation ?? writer.Indentation(further: body.IsExpression ? 1 : 0);
        var file = origin.File.Replace("\"", "");
        writer.Raw(origin.Indentation is not null
            ? $"#line {origin.Line} \"{file}\"\n"
            : $"#line ({origin.Line}, {origin.Character}) - ({origin.EndLine}, {origin.EndCharacter}) {Math.Max(indentation.Length, 1)} \"{file}\"\n");
        writer.Raw(indentation).Raw(body.Text).Raw("\n");
        writer.Raw("#line hidden\n");
    }

    /// <summary>TorchSharp's <c>call</c>: the module's own hooks around forward.</summary>
    private static void EmitCall(SourceWriter writer, ClassModel model, BodyModel body, string call, string node, string rest)
    {
        var names = body.Arguments.Split([", "], StringSplitOptions.None);
        writer.Line($"/// <summary><c>call</c>, run through an adapter: forward between the module's own hooks.</summary>");
        writer.Open($"public {body.ReturnType} {call}({node}{rest})");
        var (hook, changed, result) = (model.Names.Hook, model.Names.Changed, model.Names.Result);
        var inputs = names.Length == 1 ? names[0] : $"({body.Arguments})";
        writer.Line($"foreach (var {hook} in module_pre_hooks.Values)").Indented($"{hook}(this);");
        writer.Line($"foreach (var {hook} in pre_hooks.Values)").Indented($"{inputs} = {hook}(this, {body.Arguments}) is {{ }} {changed} ? {changed} : {inputs};").Line();
        writer.Line($"var {result} = {body.Name}({model.Names.Adapter}, {model.Names.Context}, {body.Arguments});").Line();
        writer.Line($"foreach (var {hook} in post_hooks.Values)").Indented($"{result} = {hook}(this, {body.Arguments}, {result}) is {{ }} {changed} ? {changed} : {result};");
        writer.Line($"foreach (var {hook} in module_post_hooks.Values)").Indented($"{hook}(this);");
        writer.Line($"return {result};");
        writer.Close().Line();
    }
}
