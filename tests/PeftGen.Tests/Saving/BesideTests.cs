using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Saving;

/// <summary>Readers and writers of one folder at a time: every reader gets one save whole.</summary>
public sealed class BesideTests
{
    [Fact]
    public void Two_thousand_reads_beside_a_writer_neither_fail_nor_mix()
    {
        using var folder = new TempFolder();
        using var model = new TinyModel();
        SaveLoop.SaveAdapter(folder.Path, 0);
        var seen = new int[2];
        Beside(folder.Path, SaveLoop.SaveAdapter, 2000, () => seen[SaveLoop.AdapterIn(folder.Path, model)]++);
        Assert.True(seen[0] > 0 && seen[1] > 0, $"the reader met {seen[0]} and {seen[1]} saves of the two");
        Assert.Equal([SaveLoop.Config, SaveLoop.Weights], folder.FileNames);
    }

    [Fact]
    public void A_reader_of_one_name_finds_it_at_any_time()
    {
        using var folder = new TempFolder();
        var config = File.ReadAllBytes(TestData.Path("cases/lora/llama-q-v/adapter", SaveLoop.Config));
        void Save(string path, int which)
        {
            using var files = new StagedFiles(path);
            files.Add(SaveLoop.Config, stream => stream.Write(config));
            files.Add(SaveLoop.Weights, stream => stream.WriteByte((byte)which));
            files.Commit();
        }

        Save(folder.Path, 0);
        Beside(folder.Path, Save, 3000, () => AdapterDeclaration.Read(folder[SaveLoop.Config]));
    }

    [Fact]
    public void Several_folders_of_one_adapter_change_together()
    {
        using var folder = new TempFolder();
        using var host = TreeHost.Of(TestData.Path("hosts/bert"));
        SaveLoop.SaveTasks(folder.Path, 0);
        Beside(folder.Path, SaveLoop.SaveTasks, 100, () => SaveLoop.TasksIn(folder.Path, host));
    }

    [Fact]
    public void A_model_s_weights_and_configuration_change_together()
    {
        using var folder = new TempFolder();
        void SaveModel(string path, int which)
        {
            using var model = nn.Linear(2, 3);
            using (no_grad())
                model.weight.fill_(which);
            HuggingFaceFolder.Save(path, model, new System.Text.Json.Nodes.JsonObject { ["which"] = which });
        }

        SaveModel(folder.Path, 0);
        Beside(folder.Path, SaveModel, 500, () =>
        {
            using var opened = HuggingFaceFolder.Open(folder.Path);
            using var weight = opened.Read("weight");
            Assert.Equal((int)opened.Config["which"]!, weight[0, 0].item<float>());
        });
    }

    [Fact]
    public void Writers_of_one_folder_take_turns()
    {
        using var folder = new TempFolder();
        Parallel.For(0, 4, writer =>
        {
            for (var save = 0; save < 25; save++)
                SaveLoop.SaveFiles(folder.Path, (100 * (writer + 1)) + save);
        });
        SaveLoop.NumberIn(folder.Path);
        Assert.DoesNotContain(folder.FileNames, name => name.Contains("peftgen", StringComparison.Ordinal));
    }

    [Fact]
    public void What_is_open_stays_what_it_was()
    {
        using var folder = new TempFolder();
        SafetensorsWriter.Write(folder["x.safetensors"], [("a", ones(5))]);
        using var file = SafetensorsFile.Open(folder["x.safetensors"]);
        SafetensorsWriter.Write(folder["x.safetensors"], [("b", zeros(2))]);
        using var read = file.Read("a");
        TensorAssert.Same(ones(5), read);
    }

    /// <summary>Saves the one and the other in turn while somebody reads: as often as is asked, and until there were enough saves.</summary>
    private static void Beside(string folder, Action<string, int> save, int reads, Action read)
    {
        var (saves, stop) = (0, false);
        Exception? failure = null;
        var writer = new Thread(() =>
        {
            try
            {
                for (; !Volatile.Read(ref stop); Interlocked.Increment(ref saves))
                    save(folder, saves % 2);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        writer.Start();
        try
        {
            for (var done = 0; done < reads || Volatile.Read(ref saves) < 12; done++)
            {
                Assert.Null(Volatile.Read(ref failure));
                read();
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            writer.Join();
        }

        Assert.Null(failure);
    }
}
