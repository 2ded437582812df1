using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The checks of a case with several adapters on one base: each alone, together, mixed by rows, merged.</summary>
internal sealed class SeveralAdapters(GoldenCase golden, ExpectedTensors expected, HostCompiler compiler, string hostClass, string? emit)
{
    public void Check()
    {
        if (golden.Settings["together"] is not JsonArray && golden.Settings["adapter_names"] is not JsonArray)
            throw new UnsupportedException("the case's composition is not known");
        var names = golden.AdapterNames;
        var declared = names.ToDictionary(n => n, DeclarationOf);
        var host = new CompiledHost(compiler.Compile(hostClass, string.Join("\n", declared.Values), emit), golden.HostFolder);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var inputs = new Inputs(expected);
        var before = BaseState.Of(host.Model);
        expected.Compare("base_logits", host.Run(inputs), golden.Tolerance);

        // Sites are compiled for all groups; an adapter of the same methods can be loaded into the first group that has them, and then composes with its like.
        var adapters = names.ToDictionary(n => n, n => host.Load(Path.Combine(golden.AdapterFolder, n), names.First(other => SameMethods(declared[other], declared[n]))));
        foreach (var (name, adapter) in adapters)
            expected.Compare($"logits.{name}", host.Run(adapter, inputs), golden.Tolerance);
        if (expected.Has("logits.disabled"))
            expected.Compare("logits.disabled", host.Run(inputs), golden.Tolerance);
        if (golden.Settings["adapter_names"] is JsonArray rows)
            expected.Compare("logits.mixed", host.Run(Compose("Rows", rows.Select(r => adapters.GetValueOrDefault(r!.GetValue<string>())).ToArray()), inputs), golden.Tolerance);
        if (golden.Settings["together"] is JsonArray together)
            CheckTogether(host, together.Select(t => t!.GetValue<string>()).ToList(), adapters, inputs, before);
    }

    private void CheckTogether(CompiledHost host, IReadOnlyList<string> together, Dictionary<string, AdapterNode> adapters, Inputs inputs, BaseState before)
    {
        var stack = Compose("Stack", together.Select(t => adapters[t]).ToArray());
        expected.Compare($"logits.{string.Join("+", together)}", host.Run(stack, inputs), golden.Tolerance);
        if (expected.Has("merged_logits"))
            MergeCheck.Run(host, stack, inputs, expected, golden.Tolerance, before);
    }

    private AdapterDeclaration DeclarationOf(string name)
    {
        var config = Configurations.Read(Path.Combine(golden.AdapterFolder, name));
        if (golden.Settings["adapters"]?[name] is JsonObject recorded)
            Configurations.RequireSame(recorded, config, $"adapter/{name}/adapter_config.json against case.json");
        var declaration = Configurations.Declaration(config);
        foreach (var method in declaration.Methods)
            method.Group = name;
        return declaration;
    }

    private static bool SameMethods(AdapterDeclaration a, AdapterDeclaration b) => a.Methods.Select(m => m.PeftType).SequenceEqual(b.Methods.Select(m => m.PeftType));

    /// <summary>Stack.Of or Rows.Of, with the adapters' common type as its argument.</summary>
    private static AdapterNode Compose(string how, AdapterNode?[] parts)
    {
        var present = parts.OfType<AdapterNode>().ToList();
        var type = present.All(p => p.GetType() == present[0].GetType()) ? present[0].GetType() : present[0].GetType().BaseType!;
        var list = Array.CreateInstance(type, parts.Length);
        for (var i = 0; i < parts.Length; i++)
            list.SetValue(parts[i], i);
        var method = typeof(AdapterNode).Assembly.GetType($"PeftGen.{how}")!.GetMethod("Of")!.MakeGenericMethod(type);
        return (AdapterNode)method.Invoke(null, System.Reflection.BindingFlags.DoNotWrapExceptions, null, [list], null)!;
    }
}
