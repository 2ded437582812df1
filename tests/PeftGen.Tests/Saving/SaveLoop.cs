using PeftGen.Checkpoints;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Saving;

/// <summary>A writer that saves in one folder again and again until it is killed, each time what differs from the time before in every file.</summary>
internal static class SaveLoop
{
    public const string Command = "save-until-killed", OfFiles = "files", OfAdapters = "adapters", OfTasks = "tasks";

    public const string Config = "adapter_config.json", Weights = "adapter_model.safetensors", Below = "below/more.bin", Sometimes = "sometimes.txt";

    public static int Run(string folder, string what)
    {
        for (var number = 1; ; number++)
            switch (what)
            {
                case OfAdapters:
                    SaveAdapter(folder, number % 2);
                    break;
                case OfTasks:
                    SaveTasks(folder, number % 2);
                    break;
                default:
                    SaveFiles(folder, number);
                    break;
            }
    }

    /// <summary>Four files that say the same number; the fourth is there at every other time.</summary>
    public static void SaveFiles(string folder, int number)
    {
        using var files = new StagedFiles(folder);
        foreach (var (file, length) in new[] { (Weights, 20_000), (Config, 1), (Below, 10) })
            files.Add(file, stream => Enumerable.Repeat(BitConverter.GetBytes(number), length).ToList().ForEach(bytes => stream.Write(bytes)));
        if (number % 2 == 0)
            files.Add(Sometimes, stream => stream.Write(BitConverter.GetBytes(number)));
        else
            files.Remove(Sometimes);
        files.Commit();
    }

    /// <summary>The number that all files of a folder say; fails where they differ, or one is not whole.</summary>
    public static int NumberIn(string folder)
    {
        var numbers = new HashSet<int>();
        foreach (var (file, length) in new[] { (Weights, 20_000), (Config, 1), (Below, 10) })
        {
            var bytes = File.ReadAllBytes(Path.Combine(folder, file));
            Assert.Equal(4 * length, bytes.Length);
            for (var i = 0; i < length; i++)
                numbers.Add(BitConverter.ToInt32(bytes, 4 * i));
        }

        var number = Assert.Single(numbers);
        // What a reader of names sees: a link to nowhere is no file.
        var sometimes = new FileInfo(Path.Combine(folder, Sometimes));
        var there = sometimes.LinkTarget is null ? sometimes.Exists : sometimes.ResolveLinkTarget(returnFinalTarget: true)!.Exists;
        Assert.Equal(number % 2 == 0, there);
        if (there)
            Assert.Equal(number, BitConverter.ToInt32(File.ReadAllBytes(sometimes.FullName)));
        return number;
    }

    /// <summary>An adapter whose weights are all what its configuration says in another field.</summary>
    public static void SaveAdapter(string folder, int which)
    {
        using var model = new TinyModel();
        using var adapter = model.CreateAdapter(1, new Delta("up,dense", ScaleOf(which)));
        using (no_grad())
            foreach (var parameter in adapter.parameters())
                parameter.fill_(ScaleOf(which));
        adapter.Save(folder);
    }

    public static double ScaleOf(int which) => which == 0 ? 0.25 : 0.5;

    /// <summary>Which of the adapters it is; fails for a mixture of both.</summary>
    public static int AdapterIn(string folder, TinyModel model)
    {
        using var loaded = model.LoadAdapter(folder, new Delta("up"));
        var scale = Assert.Single(loaded.Slots().OfType<DeltaSlot>().Select(slot => slot.Scale).Distinct());
        Assert.All(loaded.parameters(), parameter => Assert.Equal(scale, parameter.mean().item<float>(), 1e-6));
        return scale == ScaleOf(0) ? 0 : 1;
    }

    /// <summary>An adapter that AdapterHub keeps as two folders and a setup.</summary>
    public static void SaveTasks(string folder, int which)
    {
        using var host = TreeHost.Of(TestData.Path("hosts/bert"));
        using var adapter = host.Create(new MTLLoRA(2, 2 + which));
        using (no_grad())
            foreach (var parameter in adapter.parameters())
                parameter.fill_(which);
        adapter.SaveAsAdapterHub(folder, "task");
    }

    /// <summary>Which of the adapters of tasks it is; fails for a mixture.</summary>
    public static int TasksIn(string folder, TreeHost host)
    {
        using var loaded = host.Load(folder, [new MTLLoRA()]);
        var which = (int)loaded.named_parameters().First(p => p.name.EndsWith("lora_A", StringComparison.Ordinal)).parameter.shape[0] - 2;
        Assert.All(loaded.parameters(), parameter => Assert.Equal(which, parameter.mean().item<float>(), 1e-6));
        return which;
    }
}
