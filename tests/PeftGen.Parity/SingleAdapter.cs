using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The checks of a case with one adapter: start, outputs, gradients, steps, merge, files.</summary>
internal sealed class SingleAdapter(GoldenCase golden, ExpectedTensors expected, HostCompiler compiler, RandomStart starts, string hostClass, string? emit)
{
    public void Check()
    {
        var config = golden.Configuration ?? Configurations.Read(golden.AdapterFolder);
        Configurations.RequireSame(config, Configurations.Read(golden.AdapterFolder), "adapter_config.json against case.json");
        var host = new CompiledHost(compiler.Compile(hostClass, Configurations.Declaration(config).ToString(), emit), golden.HostFolder);
        using var scope = NewDisposeScope();
        var inputs = new Inputs(expected);
        var before = BaseState.Of(host.Model);
        using (no_grad())
            expected.Compare("base_logits", host.Run(inputs), golden.Tolerance);

        CheckStart(host);
        var adapter = host.Load(golden.AdapterFolder);
        before.RequireSameBits(host.Model, "loading an adapter");
        CheckCounts(adapter);
        CheckTraining(host, adapter, inputs);
        CheckMerge(host, host.Load(golden.AdapterFolder), inputs, before);
        CheckSaved(host.Load(golden.AdapterFolder));
    }

    private FileFormat Format => golden.Settings["library"]?.GetValue<string>() == "AdapterHub" ? FileFormat.AdapterHub : FileFormat.HuggingFace;

    private string AdapterName => golden.Settings["adapters"] is JsonObject { Count: 1 } adapters ? adapters.First().Key : "default";

    private Dictionary<string, Tensor> Stored(AdapterNode adapter) =>
        adapter.Slots().SelectMany(slot => slot.Stored(Format)).DistinctBy(s => s.Key).ToDictionary(s => s.Key.Replace("{name}", AdapterName, StringComparison.Ordinal), s => s.Value);

    private void CheckStart(CompiledHost host)
    {
        const ulong Seed = 20_000, OtherSeed = 20_001;
        var (stored, other) = (Stored(host.Create(Seed)), Stored(host.Create(OtherSeed)));
        foreach (var key in expected.Keys("init."))
        {
            var start = Find(stored, key, "init.");
            if (start.bytes.SequenceEqual(Find(other, key, "init.").bytes))
                expected.Compare(key, start, golden.Tolerance);
            else
                expected.CompareBy(key, recorded => starts.Compare(key, recorded, start, Seed));
        }
    }

    private void CheckCounts(AdapterNode adapter)
    {
        var stored = Stored(adapter);
        RequireCount("trained", adapter.parameters().Sum(p => p.numel()), "trainable", "trained_parameters");
        RequireCount("stored", stored.Values.Sum(t => t.numel()), "stored", "stored_parameters");
        if (golden.Settings["modules"] is not JsonArray modules)
            return;
        // Layers of which only a bias trains are not replaced in the reference.
        var paths = adapter.Slots().SelectMany(slot => slot.Stored(Format).Select(s => (s.Key, path: ModuleOf(slot, s.Key))))
            .GroupBy(s => s.path).Where(g => g.Any(s => s.Key != $"base_model.model.{g.Key}.bias")).Select(g => g.Key).ToHashSet();
        var recorded = modules.Select(m => m!.GetValue<string>()).ToHashSet();
        if (!paths.SetEquals(recorded))
            throw new ParityException($"modules: adapted {string.Join(", ", paths.Except(recorded).DefaultIfEmpty("none"))} besides, left out {string.Join(", ", recorded.Except(paths).DefaultIfEmpty("none"))}");
    }

    private static string ModuleOf(Slot slot, string key) => slot is ParameterSlot ? slot.Path[..slot.Path.LastIndexOf('.')] : slot.Path;

    private void RequireCount(string what, long actual, params string[] fields)
    {
        if (fields.Select(f => golden.Settings[f]).FirstOrDefault(f => f is not null) is { } count && count.GetValue<long>() != actual)
            throw new ParityException($"{what} parameters: {actual}, expected {count}");
    }

    private void CheckTraining(CompiledHost host, AdapterNode adapter, Inputs inputs)
    {
        var records = new Dictionary<string, Tensor>();
        var logits = host.Run(adapter, inputs, new ForwardOptions { Records = records });
        expected.Compare("logits", logits, golden.Tolerance);
        Gates.Compare(records, AdapterName, expected, golden.Tolerance);
        if (!expected.Has("loss"))
            return;
        var loss = CompiledHost.Loss(logits, inputs.Labels);
        expected.Compare("loss", loss, golden.Tolerance);
        loss.backward();
        var stored = Stored(adapter);
        foreach (var key in expected.Keys("grad."))
            expected.Compare(key, Find(stored, key, "grad.").grad ?? throw new ParityException($"{key}: no gradient reached it"), golden.TrainingTolerance);
        if (!expected.Has("loss_after"))
            return;
        Train(host, adapter, inputs);
        foreach (var key in expected.Keys("after."))
            expected.Compare(key, Find(stored, key, "after."), golden.TrainingTolerance);
        using (no_grad())
            expected.Compare("loss_after", CompiledHost.Loss(host.Run(adapter, inputs), inputs.Labels), golden.TrainingTolerance);
    }

    private void Train(CompiledHost host, AdapterNode adapter, Inputs inputs)
    {
        var settings = golden.Settings["optimizer"]!;
        if (settings["name"]!.GetValue<string>() != "AdamW")
            throw new UnsupportedException($"the optimizer {settings["name"]} is not known");
        double Value(JsonNode? node) => double.Parse(node!.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture);
        using var optimizer = optim.AdamW(adapter.parameters(), Value(settings["lr"]), Value(settings["betas"]![0]), Value(settings["betas"]![1]), Value(settings["eps"]), Value(settings["weight_decay"]));
        for (var step = 0; step < settings["steps"]!.GetValue<int>(); step++)
        {
            if (step > 0)
            {
                optimizer.zero_grad();
                CompiledHost.Loss(host.Run(adapter, inputs), inputs.Labels).backward();
            }

            optimizer.step();
        }
    }

    private void CheckMerge(CompiledHost host, AdapterNode adapter, Inputs inputs, BaseState before)
    {
        var recorded = golden.Settings["mergeable"]?.GetValue<bool>();
        if (recorded == false && host.CanMerge(adapter))
            throw new ParityException("the reference cannot merge this adapter, and ours can");
        if (recorded == true && !host.CanMerge(adapter))
            throw new ParityException("the reference can merge this adapter, and ours has no MergeInto");
        if (!host.CanMerge(adapter) || golden.Settings["faulty_merge"] is JsonValue faulty && faulty.GetValueKind() == System.Text.Json.JsonValueKind.String)
            return;
        MergeCheck.Run(host, adapter, inputs, expected, golden.Tolerance, before);
    }

    private void CheckSaved(AdapterNode adapter)
    {
        if (Format != FileFormat.HuggingFace || adapter is not IAdapter)
            return;
        var folder = Directory.CreateTempSubdirectory("peftgen-parity-").FullName;
        try
        {
            SavedFile.Save(adapter, folder);
            Configurations.RequireSame(Configurations.Read(golden.AdapterFolder), Configurations.Read(folder), "our adapter_config.json");
            SavedFile.RequireSame(Path.Combine(golden.AdapterFolder, "adapter_model.safetensors"), Path.Combine(folder, "adapter_model.safetensors"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Tensor Find(Dictionary<string, Tensor> stored, string key, string prefix) =>
        stored.GetValueOrDefault(key[prefix.Length..]) ?? throw new ParityException($"{key}: the adapter has no such tensor; it has {string.Join(", ", stored.Keys.Take(5))}, …");
}
