using System.Diagnostics;
using System.Globalization;
using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Hostile;

/// <summary>
/// Folders of every method and form with one file changed at random, by a seed: each loads, or is refused by an error that names it, quickly, with the model unchanged and nothing left in memory.
/// <c>PEFTGEN_MUTATIONS</c> is how many there are for each folder; default: 100, 5,900 in all.
/// </summary>
public sealed class DamagedFolderTests
{
    private static readonly int Count = int.Parse(Environment.GetEnvironmentVariable("PEFTGEN_MUTATIONS") ?? "100", CultureInfo.InvariantCulture);

    /// <summary>A load that takes longer is a fault. Generous, for machines that do much else.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static TheoryData<string> Groups => [.. typeof(EveryMethodModel).GetMethods().Where(IsCreation).Select(method => GroupOf(method.Name))];

    [Theory]
    [MemberData(nameof(Groups))]
    public void Folders_of_every_method(string group)
    {
        using var folder = new TempFolder();
        using var model = new EveryMethodModel();
        var create = typeof(EveryMethodModel).GetMethods().First(method => IsCreation(method) && GroupOf(method.Name) == group);
        using (var adapter = (AdapterNode)create.Invoke(model, [.. create.GetParameters().Select(_ => Type.Missing)])!)
            Save(adapter, folder[Path.Combine("good", group)]);
        var load = typeof(EveryMethodModel).GetMethod($"Load{group}Adapter")!;
        Damage(folder, folder["good"], model, path => (AdapterNode)load.Invoke(model, [Path.Combine(path, group), .. load.GetParameters().Skip(1).Select(_ => Type.Missing)])!, group);
    }

    [Theory]
    [InlineData("lora/llama-patterns")]
    [InlineData("lora/llama-modules-to-save")]
    [InlineData("lora/llama-trainable-tokens")]
    [InlineData("lora/llama-regex")]
    [InlineData("lora/llama-layers-to-transform")]
    [InlineData("lora/llama-bias-all")]
    [InlineData("lora/bert-query-value-classifier")]
    [InlineData("ia3/bert")]
    [InlineData("ln_tuning/llama")]
    [InlineData("trainable_tokens/llama")]
    [InlineData("adapterhub_lora/bert_leave_out")]
    [InlineData("adapterhub_lora/bert_mtl")]
    [InlineData("adapterhub_ia3/bert_gated")]
    [InlineData("unipelt/bert_flat")]
    [InlineData("compacter/bert_shared_w")]
    [InlineData("compacter/bert_full_w")]
    public void Folders_that_other_libraries_wrote(string name)
    {
        using var folder = new TempFolder();
        using var host = TreeHost.Of(TestData.Path("hosts", name[(name.IndexOf('/') + 1)..].Split('-', '_')[0]));
        var declared = AdapterDeclaration.Read(TestData.Path("cases", name, "adapter")).Methods;
        Damage(folder, TestData.Path("cases", name, "adapter"), host, path => host.Load(path, declared), name);
        // What a file asks for is read without a model, too.
        Damage(folder, TestData.Path("cases", name, "adapter"), host, path =>
        {
            AdapterDeclaration.Read(path);
            return null;
        }, name + " declared");
    }

    [Fact]
    public void Folders_of_models()
    {
        using var folder = new TempFolder();
        using var model = nn.Sequential(("a", nn.Linear(3, 4)), ("b", nn.Linear(4, 2)));
        HuggingFaceFolder.Save(folder["single"], model, new() { ["model_type"] = "x", ["dtype"] = "float32" });
        Directory.CreateDirectory(folder["shards"]);
        File.Copy(folder["single/config.json"], folder["shards/config.json"]);
        SafetensorsWriter.Write(folder["shards/1.safetensors"], model.state_dict().Take(2).Select(p => (p.Key, p.Value)));
        SafetensorsWriter.Write(folder["shards/2.safetensors"], model.state_dict().Skip(2).Select(p => (p.Key, p.Value)));
        File.WriteAllText(folder["shards/model.safetensors.index.json"], """{"metadata":{"total_size":100},"weight_map":{"a.weight":"1.safetensors","a.bias":"1.safetensors","b.weight":"2.safetensors","b.bias":"2.safetensors"}}""");
        foreach (var form in (string[])["single", "shards"])
            Damage(folder, folder[form], null, path =>
            {
                using var opened = HuggingFaceFolder.Open(path);
                opened.Load(model);
                return null;
            }, form);
    }

    [Fact]
    public void States_of_training()
    {
        using var folder = new TempFolder();
        using var model = new TinyModel();
        using var adapter = model.CreateAdapter(1, new Delta("up", scale: 0.1, dropout: 0.5));
        using (var x = randn([2, 4, TinyModel.Dim]))
            model.forward(adapter, x).Dispose();
        Directory.CreateDirectory(folder["good"]);
        adapter.SaveTrainingState(folder["good/state.safetensors"]);
        Damage(folder, folder["good"], model, path =>
        {
            adapter.LoadTrainingState(Path.Combine(path, "state.safetensors"));
            return null;
        }, "state");
    }

    /// <summary>Changes a copy of a folder again and again, and loads it.</summary>
    private static void Damage(TempFolder work, string good, nn.Module? model, Func<string, AdapterNode?> load, string name)
    {
        // The seed of a name is the same in every process.
        var seed = name.Aggregate(17, (hash, c) => unchecked((hash * 31) + c));
        var path = work["damaged"];
        Copy(good, path);
        load(path)?.Dispose();
        var bits = model is null ? "" : BitsOf(model);
        var refused = 0;
        for (var round = 0; round < Count; round++)
        {
            var random = new Random(seed + round);
            Copy(good, path);
            var files = Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Where(file => file.EndsWith(".json", StringComparison.Ordinal) || file.EndsWith(".safetensors", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
            var file = files[random.Next(files.Count)];
            var what = $"{name}, round {round}: {Path.GetRelativePath(path, file)}, {FileDamage.Apply(file, random)}";
            var before = Live();
            var clock = Stopwatch.StartNew();
            try
            {
                Unwrapped(() => load(path))?.Dispose();
            }
            catch (Exception e) when (e is CheckpointException or AdapterException)
            {
                refused++;
                Assert.True(e.Message.Length < 8000, $"{what}: the message has {e.Message.Length} characters");
                Assert.True(e.Message.Contains(path, StringComparison.Ordinal), $"{what}: the message names no file: {e.Message}");
                // What our own code did not foresee does not hide behind an error that looks meant.
                for (var inner = e.InnerException; inner is not null; inner = inner.InnerException)
                    Assert.True(inner is not (NullReferenceException or InvalidCastException or IndexOutOfRangeException or KeyNotFoundException or OverflowException or ArgumentNullException or ArgumentOutOfRangeException), $"{what}: {e}");
                Assert.True(Live() <= before, $"{what}: {Live() - before} tensors are left of what failed: {e.Message}");
            }
            catch (Exception e)
            {
                Assert.Fail($"{what}: {e}");
            }

            Assert.True(clock.Elapsed < Limit, $"{what}: took {clock.Elapsed}");
        }

        Assert.True(refused > Count / 10, $"{name}: only {refused} of {Count} were refused, so the changes change nothing");
        if (model is not null)
            Assert.Equal(bits, BitsOf(model));
    }

    /// <summary>Reflection wraps what a call throws.</summary>
    private static AdapterNode? Unwrapped(Func<AdapterNode?> load)
    {
        try
        {
            return load();
        }
        catch (System.Reflection.TargetInvocationException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException!);
            throw;
        }
    }

    private static void Copy(string from, string to)
    {
        if (Directory.Exists(to))
            Directory.Delete(to, recursive: true);
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private static void Save(AdapterNode adapter, string folder) =>
        typeof(AdapterFiles).GetMethod(nameof(AdapterFiles.Save))!.MakeGenericMethod(adapter.GetType()).Invoke(null, [adapter, folder, null]);

    private static bool IsCreation(System.Reflection.MethodInfo method) =>
        method.Name.StartsWith("Create", StringComparison.Ordinal) && method.Name.EndsWith("Adapter", StringComparison.Ordinal) && method.GetParameters().All(parameter => parameter.IsOptional);

    private static string GroupOf(string creation) => creation["Create".Length..^"Adapter".Length];

    private static string BitsOf(nn.Module model)
    {
        using var scope = NewDisposeScope();
        return string.Concat(model.parameters().Select(parameter => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(parameter.detach().cpu().contiguous().bytes))));
    }

    private static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
