using System.Reflection;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The checks of a case with several adapters on one base: each alone, together, mixed by rows, merged.</summary>
internal sealed class SeveralAdapters(GoldenCase golden, ExpectedTensors expected, HostCompiler compiler, string hostClass, string? emit)
{
    private const string Base = "__base__";

    public void Check()
    {
        if (golden.Settings["together"] is not JsonArray && golden.Settings["adapter_names"] is not JsonArray)
            throw new UnsupportedException("the case's composition is not known");
        var folders = golden.AdapterFolders;
        CheckConfigurations(folders);
        var declared = folders.ToDictionary(f => f.Key, f => DeclarationOf(f.Key, f.Value));
        var host = new CompiledHost(compiler.Compile(hostClass, string.Join("\n", declared.Values), emit), golden.HostFolder);
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        var inputs = new Inputs(expected, golden.HostConfiguration);
        var baseLogits = host.Run(inputs);
        expected.Compare("base_logits", baseLogits, golden.Tolerance);
        var before = new BaseState(host, inputs, baseLogits);

        // Sites are compiled for all groups; an adapter of the same methods can be loaded into the first group that has them, and then composes with its like.
        var adapters = folders.ToDictionary(f => f.Key, f => host.Load(f.Value, declared.Keys.First(other => SameMethods(declared[other], declared[f.Key]))));
        before.RequireSameBits("loading adapters");
        foreach (var (name, adapter) in adapters)
        {
            expected.Compare($"logits.{name}", host.Run(adapter, inputs), golden.Tolerance);
            SavedFile.RequireSameAs(folders[name], adapter);
        }

        if (expected.Has("logits.disabled"))
            expected.Compare("logits.disabled", host.Run(inputs), golden.Tolerance);
        if (golden.Settings["adapter_names"] is JsonArray rows)
            expected.Compare("logits.mixed", host.Run(Compose("Rows", Named(rows, adapters)), inputs), golden.Tolerance);
        if (golden.Settings["together"] is JsonArray together)
            CheckTogether(host, together, adapters, inputs, before);
    }

    private void CheckTogether(CompiledHost host, JsonArray together, Dictionary<string, AdapterNode> adapters, Inputs inputs, BaseState before)
    {
        var stack = Compose("Stack", Named(together, adapters));
        expected.Compare($"logits.{string.Join("+", together.Select(t => t!.GetValue<string>()))}", host.Run(stack, inputs), golden.Tolerance);
        if (expected.Has("merged_logits"))
            MergeCheck.Run(host, stack, inputs, expected, golden.Tolerance, before);
    }

    private void CheckConfigurations(IReadOnlyDictionary<string, string> folders)
    {
        var configs = folders.ToDictionary(f => f.Key, f => Configurations.Read(f.Value));
        var recorded = golden.Settings["adapters"] as JsonObject ?? throw new ParityException("case.json: 'adapters' does not say what the adapters are");
        foreach (var (name, config) in configs)
            Configurations.RequireSame(
                recorded[name] as JsonObject ?? throw new ParityException($"case.json: 'adapters' has no '{name}'"), config, $"adapter_config.json of {name} against case.json");
        Configurations.RequireSameDefaults(configs, recorded);
    }

    private static AdapterDeclaration DeclarationOf(string name, string folder)
    {
        var declaration = Configurations.Declaration(Configurations.Read(folder));
        foreach (var method in declaration.Methods)
            method.Group = name;
        return declaration;
    }

    private static bool SameMethods(AdapterDeclaration a, AdapterDeclaration b) => a.Methods.Select(m => m.PeftType).SequenceEqual(b.Methods.Select(m => m.PeftType));

    /// <summary>Adapters by name; null for the base.</summary>
    private static AdapterNode?[] Named(JsonArray names, Dictionary<string, AdapterNode> adapters) => names.Select(n => n!.GetValue<string>()).Select(name =>
        name == Base ? null : adapters.GetValueOrDefault(name) ?? throw new ParityException($"case.json: there is no adapter '{name}'")).ToArray();

    /// <summary>Stack.Of or Rows.Of, with the adapters' common type as its argument.</summary>
    private static AdapterNode Compose(string how, AdapterNode?[] parts)
    {
        var present = parts.OfType<AdapterNode>().ToList();
        var type = present.All(p => p.GetType() == present[0].GetType()) ? present[0].GetType() : present[0].GetType().BaseType!;
        var list = Array.CreateInstance(type, parts.Length);
        for (var i = 0; i < parts.Length; i++)
            list.SetValue(parts[i], i);
        var method = typeof(AdapterNode).Assembly.GetType($"PeftGen.{how}")!.GetMethod("Of")!.MakeGenericMethod(type);
        return (AdapterNode)method.Invoke(null, BindingFlags.DoNotWrapExceptions, null, [list], null)!;
    }
}
