using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The checks of a case with one adapter: start, outputs, gradients, steps, merge, files.</summary>
internal sealed class SingleAdapter(GoldenCase golden, ExpectedTensors expected, HostCompiler compiler, RandomStart starts, string hostClass, string? emit)
{
    public void Check()
    {
        RequireSoundReference();
        var type = compiler.Compile(hostClass, Declaration().ToString(), emit);
        var host = new CompiledHost(type, golden.HostFolder, golden.HostType);
        using var scope = NewDisposeScope();
        var inputs = new Inputs(expected, golden.HostConfiguration);
        var exact = new ExactRun(type, golden, inputs);
        var before = CheckBase(host, inputs, exact);

        CheckStart(host);
        before.RequireSameBits("creating an adapter");
        var adapter = Load(host);
        before.RequireSameBits("loading an adapter");
        CheckCounts(adapter);
        Extras.Compare(adapter, golden, expected);
        CheckTraining(host, InTraining(host, adapter, inputs), inputs, () => ExactGradients(type, inputs), exact);
        before.RequireSameBits("training an adapter");
        CheckMerge(host, Load(host), inputs, before);
        CheckSaved(host);
        CheckEjected(host, inputs);
        if (expected.Has("logits_fp32"))
            CheckWide(new CompiledHost(type, golden.HostFolder), inputs);
    }

    /// <summary>What to declare, of a configuration that case.json and the adapter's file agree on.</summary>
    private AdapterDeclaration Declaration()
    {
        if (golden.IsJoint)
        {
            foreach (var (name, folder) in golden.AdapterFolders)
            {
                Configurations.RequireSame(golden.Settings["adapters"]![name]!.AsObject(), Configurations.Read(folder), $"adapter_config.json of {name} against case.json");
                Configurations.RequireOfHost(folder, golden.HostConfiguration, hostClass);
            }

            return Configurations.DeclarationOf(golden.AdapterFolder);
        }

        var saved = Configurations.Read(golden.AdapterFolder);
        if (golden.Settings["settings"] is JsonObject settings)
            Configurations.RequireSame(settings, saved, "adapter_config.json against case.json");
        if (golden.Configuration is not { } recorded)
            return Configurations.Declaration(saved);
        // Only if neither can be read is the method one that does not exist here; if one can, a value of the other is wrong.
        if (Configurations.IsSupported(recorded) || Configurations.IsSupported(saved))
            Configurations.RequireSaved(recorded, saved);
        // HF PEFT's file tells what trains whole; AdapterHub's may have lost a value, which the method that is asked for has.
        var declaration = golden.Format == FileFormat.HuggingFace ? Configurations.DeclarationOf(golden.AdapterFolder) : Configurations.Declaration(recorded);
        Configurations.RequireOfHost(golden.AdapterFolder, golden.HostConfiguration, hostClass);
        return declaration;
    }

    /// <summary>A reference that disagrees with itself proves nothing.</summary>
    private void RequireSoundReference()
    {
        RequireSmall("reload_error");
        if (!IsMergeFaulty)
            RequireSmall("merge_error");
    }

    private void RequireSmall(string field)
    {
        if (golden.Number(field) is { } error && !(error <= golden.Tolerance))
            throw new ParityException($"case.json: '{field}' is {error:0.0e+00}, expected at most {golden.Tolerance:0e+00}");
    }

    private bool IsMergeFaulty => golden.Settings["faulty_merge"] is JsonValue faulty && faulty.GetValueKind() is JsonValueKind.String or JsonValueKind.True;

    private BaseState CheckBase(CompiledHost host, Inputs inputs, ExactRun exact)
    {
        using var quiet = no_grad();
        var logits = host.Run(inputs);
        expected.Compare("base_logits", logits, golden.Tolerance, excuses: exact.Of("base_logits", golden.Tolerance, Trained));
        return new BaseState(host, inputs, logits);
    }

    private AdapterNode Load(CompiledHost host)
    {
        var adapter = host.Load(golden.AdapterFolder);
        return golden.AdapterType == golden.HostType ? adapter.to(golden.AdapterType) : adapter;
    }

    private void CheckWide(CompiledHost host, Inputs inputs)
    {
        using var quiet = no_grad();
        // An adapter that was rounded for its file is not the one that these logits were computed with.
        expected.Compare("logits_fp32", host.Run(host.Load(golden.AdapterFolder), inputs), golden.AdapterType == ScalarType.Float32 ? 1e-5 : golden.Tolerance);
    }

    /// <summary>What an adapter holds without the networks that serve training alone, and that it gives the same.</summary>
    private void CheckEjected(CompiledHost host, Inputs inputs)
    {
        var adapter = Load(host).Eject();
        var stored = Stored(adapter);
        var keys = Names("extra.").Where(stored.ContainsKey).ToList();
        foreach (var key in keys)
            expected.Compare($"extra.{key}", stored[key], golden.Tolerance);
        if (keys.Count == 0)
            return;
        using var quiet = no_grad();
        expected.Compare("logits", host.Run(adapter, inputs), golden.Tolerance);
        SavedFile.RequireRoundTrip(adapter, folder => host.Load(folder));
    }

    private Dictionary<string, Tensor> Stored(AdapterNode adapter) =>
        adapter.Slots().SelectMany(slot => slot.Stored(golden.Format)).DistinctBy(s => s.Key)
            .ToDictionary(s => golden.KeyOf(s.Key), s => s.Value);

    private void CheckStart(CompiledHost host)
    {
        const ulong Seed = 20_000, OtherSeed = 20_001;
        var (stored, other) = (Stored(host.Create(Seed)), Stored(host.Create(OtherSeed)));
        foreach (var key in expected.Keys("init."))
        {
            if (IsBaseCopy(key))
            {
                var path = key["init.base_model.model.".Length..].Replace(".base_layer", "", StringComparison.Ordinal);
                expected.Compare(key, host.Model.named_parameters().First(p => p.name == path).parameter, golden.Tolerance);
                continue;
            }

            var start = Find(stored, key, "init.");
            if (start.bytes.SequenceEqual(Find(other, key, "init.").bytes))
                expected.Compare(key, start, golden.Tolerance);
            else
                expected.CompareBy(key, recorded => starts.Compare(key, recorded, start, Seed));
        }
    }

    /// <summary>Whether a tensor is the base's own embedding, which HF PEFT saves beside LoRA on it.</summary>
    public static bool IsBaseCopy(string key) => key.EndsWith(".base_layer.weight", StringComparison.Ordinal);

    private void CheckCounts(AdapterNode adapter)
    {
        RequireCount("trained", adapter.parameters().Sum(p => p.numel()), "trainable", "trained_parameters");
        // The reference counts its copy of the base's embedding.
        var copies = expected.Keys("init.").Where(IsBaseCopy).Sum(key =>
        {
            using var copy = expected.Peek(key);
            return copy.numel();
        });
        RequireCount("stored", Stored(adapter).Values.Sum(t => t.numel()) + copies, "stored", "stored_parameters");
        if (golden.Settings["modules"] is not JsonArray modules)
            return;
        // Layers of which only a bias trains are not replaced in the reference, and a module that trains whole counts as one.
        var recorded = modules.Select(m => m!.GetValue<string>()).ToHashSet();
        // A head that is tied to an embedding has no tensors of its own.
        var paths = adapter.Slots().SelectMany(slot => slot.Stored(golden.Format).Select(s => (s.Key, path: ModuleOf(slot))).DefaultIfEmpty((Key: "", path: ModuleOf(slot))))
            .GroupBy(s => s.path).Where(g => g.Any(s => s.Key != $"base_model.model.{g.Key}.bias"))
            .Select(g => recorded.FirstOrDefault(module => g.Key.StartsWith(module + ".", StringComparison.Ordinal)) ?? g.Key).ToHashSet();
        if (!paths.SetEquals(recorded))
            throw new ParityException($"modules: adapted {string.Join(", ", paths.Except(recorded).DefaultIfEmpty("none"))} besides, left out {string.Join(", ", recorded.Except(paths).DefaultIfEmpty("none"))}");
    }

    private static string ModuleOf(Slot slot) => slot is ParameterSlot ? slot.Path[..slot.Path.LastIndexOf('.')] : slot.Path;

    private void RequireCount(string what, long actual, params string[] fields)
    {
        foreach (var field in fields)
            if (golden.Number(field) is { } count && count != actual)
                throw new ParityException($"{what} numbers: {actual}, expected {count} ('{field}' of case.json)");
    }

    /// <summary>The adapter to train: the one that was loaded, or where the reference trains what its files leave out, a new one with the recorded values.</summary>
    private AdapterNode InTraining(CompiledHost host, AdapterNode loaded, Inputs inputs)
    {
        var recorded = Names("trained.").ToList();
        var stored = Stored(loaded);
        foreach (var key in recorded.Where(stored.ContainsKey))
            expected.Compare($"trained.{key}", stored[key], 0);
        if (recorded.All(stored.ContainsKey))
            return loaded;
        using var quiet = no_grad();
        expected.Compare("logits", host.Run(loaded, inputs), golden.Tolerance);
        var adapter = host.Create(0);
        var trained = Trained(adapter);
        foreach (var key in recorded)
            Find(trained, key, "").copy_(expected.Take($"trained.{key}"));
        return adapter;
    }

    /// <summary>What the reference knows by name while it trains: what files hold, and what they leave out.</summary>
    private Dictionary<string, Tensor> Trained(AdapterNode adapter) =>
        adapter.Slots().SelectMany(slot => slot.LeftOut(golden.Format)).Select(s => KeyValuePair.Create(s.Key, s.Value)).Concat(Stored(adapter)).ToDictionary();

    /// <summary>The gradients of the first step in float64, which is as good as exact beside float32.</summary>
    private Dictionary<string, Tensor> ExactGradients(Type type, Inputs inputs)
    {
        var host = new CompiledHost(type, golden.HostFolder, ScalarType.Float64);
        var adapter = InTraining(host, host.Load(golden.AdapterFolder), inputs);
        CompiledHost.Loss(host.Run(adapter, inputs), inputs).backward();
        return GradientsOf(Trained(adapter));
    }

    private static Dictionary<string, Tensor> GradientsOf(Dictionary<string, Tensor> trained) =>
        trained.Where(s => s.Value.grad is not null).ToDictionary(s => s.Key, s => s.Value.grad!.detach().clone());

    private void CheckTraining(CompiledHost host, AdapterNode adapter, Inputs inputs, Func<Dictionary<string, Tensor>> exactGradients, ExactRun narrow)
    {
        var records = new Dictionary<string, Tensor>();
        var logits = host.Run(adapter, inputs, new ForwardOptions { Records = records });
        expected.Compare("logits", logits, golden.Tolerance, excuses: narrow.Of("logits", golden.Tolerance, Trained));
        Gates.Compare(records, golden.AdapterName, expected, golden.Tolerance);
        if (!expected.Has("loss"))
            return;
        var loss = CompiledHost.Loss(logits, inputs);
        expected.Compare("loss", loss, golden.Tolerance, excuses: narrow.Of("loss", golden.Tolerance, Trained));
        loss.backward();
        var trained = Trained(adapter);
        var rounding = new Rounding(expected);
        var gradients = GradientsOf(trained);
        var exact = new Lazy<Dictionary<string, Tensor>>(exactGradients);
        foreach (var key in Names("grad."))
            expected.Compare(
                $"grad.{key}", gradients.GetValueOrDefault(key) ?? NoGradient(trained, key), golden.TrainingTolerance, rounding.OfGradientOf(key),
                narrow.Of($"grad.{key}", golden.TrainingTolerance, Trained) ?? ((recorded, ours) => exact.Value.GetValueOrDefault(key) is { } g && rounding.IsOfTheReference(recorded, ours, g)));
        if (!expected.Has("loss_after"))
            return;
        var settings = OptimizerSettings.Read(golden.Settings["optimizer"]);
        Train(host, adapter, inputs, settings);
        trained = Trained(adapter);
        foreach (var key in Names("after."))
            expected.Compare($"after.{key}", Find(trained, key, ""), golden.TrainingTolerance, gradients.GetValueOrDefault(key) is { } g ? rounding.OfTraining(key, g, settings) : null);
        using (no_grad())
            expected.Compare("loss_after", CompiledHost.Loss(host.Run(adapter, inputs), inputs), golden.TrainingTolerance);
    }

    /// <summary>Where ours has none, the recorded gradient has to be zero: of weights that the outputs do not depend on.</summary>
    private static Tensor NoGradient(Dictionary<string, Tensor> stored, string key) => zeros_like(Find(stored, key, "").detach());

    private IEnumerable<string> Names(string prefix) => expected.Keys(prefix).Select(key => key[prefix.Length..]);

    /// <summary>The recorded steps; the gradients of the first are there already.</summary>
    private static void Train(CompiledHost host, AdapterNode adapter, Inputs inputs, OptimizerSettings settings)
    {
        using var optimizer = settings.Over(adapter.parameters());
        for (var step = 0; step < settings.Steps; step++)
        {
            if (step > 0)
            {
                optimizer.zero_grad();
                CompiledHost.Loss(host.Run(adapter, inputs), inputs).backward();
            }

            optimizer.step();
        }
    }

    private void CheckMerge(CompiledHost host, AdapterNode adapter, Inputs inputs, BaseState before)
    {
        var recorded = golden.Settings["mergeable"]?.GetValue<bool>();
        if (recorded == false)
            MergeCheck.RequireRefusal(host, adapter, before);
        else if (host.CanMerge(adapter) && IsMergeFaulty)
            MergeCheck.RequireRight(host, adapter, inputs, expected, golden.Tolerance, before);
        else if (host.CanMerge(adapter))
            MergeCheck.Run(host, adapter, inputs, expected, golden.Tolerance, before);
        else if (recorded == true && !host.CanMerge(adapter))
            throw new ParityException("the reference can merge this adapter, and ours has no MergeInto");
    }

    private void CheckSaved(CompiledHost host)
    {
        if (golden.Format == FileFormat.HuggingFace)
        {
            SavedFile.RequireSameAs(golden.AdapterFolder, Load(host));
            return;
        }

        SavedFile.RequireSameAsHub(golden.AdapterFolder, golden.AdapterFolders, host.Load(golden.AdapterFolder));
        SavedFile.RequireRoundTrip(host.Load(golden.AdapterFolder), folder => host.Load(folder));
    }

    private static Tensor Find(Dictionary<string, Tensor> tensors, string key, string prefix) =>
        tensors.GetValueOrDefault(key[prefix.Length..]) ?? throw new ParityException($"{key}: the adapter has no such tensor, or no gradient reached it; there are {string.Join(", ", tensors.Keys.Take(5))}, …");
}
