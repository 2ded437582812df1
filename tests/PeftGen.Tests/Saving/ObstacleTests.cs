using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Tiny;

namespace PeftGen.Tests.Saving;

/// <summary>What stands in a save's way: the error names it, nothing is replaced before, and nothing is left behind.</summary>
public sealed class ObstacleTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TinyModel _model = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(SaveLoop.Config)]
    [InlineData(SaveLoop.Weights)]
    public void A_folder_in_a_file_s_place_leaves_the_other_file_as_it_was(string name)
    {
        SaveLoop.SaveAdapter(_folder.Path, 0);
        File.Delete(_folder[name]);
        Directory.CreateDirectory(_folder[name]);
        var before = Content();
        Refused($"{_folder[name]}: found a folder where a file is to be saved", () => SaveLoop.SaveAdapter(_folder.Path, 1));
        Assert.Equal(before, Content());
    }

    [Fact]
    public void A_file_in_the_folder_s_place_is_refused()
    {
        File.WriteAllText(_folder["taken"], "text");
        Refused($"{_folder["taken"]}: cannot be written", () => SaveLoop.SaveAdapter(_folder["taken"], 0));
        Refused($"{_folder["taken"]}/below: cannot be written", () => SaveLoop.SaveAdapter(_folder["taken/below"], 0));
        Assert.Equal("text", File.ReadAllText(_folder["taken"]));
    }

    [Theory]
    [InlineData("", "the folder's path is empty", typeof(AdapterException))]
    [InlineData("  ", "the folder's path is empty", typeof(AdapterException))]
    [InlineData("a\0b", "is no folder to save in", typeof(CheckpointException))]
    public void No_path_is_refused(string path, string message, Type refusal)
    {
        Assert.Contains(message, Assert.Throws(refusal, () => SaveLoop.SaveAdapter(path, 0)).Message, StringComparison.Ordinal);
        using var adapter = _model.CreateAdapter(1, new Delta("up"));
        Refused("names no file", () => adapter.SaveTrainingState(path));
    }

    [Fact]
    public void A_disk_that_is_full_or_read_only_changes_nothing()
    {
        // A device that is always full, where there is one.
        Assert.SkipUnless(File.Exists("/dev/full"), "there is no /dev/full here");
        SaveLoop.SaveAdapter(_folder.Path, 0);
        var before = Content();
        Refused($"{_folder[SaveLoop.Weights]}: cannot be written", () =>
        {
            using var files = new StagedFiles(_folder.Path);
            files.Add(SaveLoop.Config, stream => stream.WriteByte(1));
            files.Add(SaveLoop.Weights, _ =>
            {
                using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write);
                full.Write(new byte[10_000]);
                full.Flush();
            });
            files.Commit();
        });
        Assert.Equal(before, Content());
        Refused("/proc/adapter: cannot be written", () => SaveLoop.SaveAdapter("/proc/adapter", 0));
    }

    [Fact]
    public void A_second_commit_point_that_fails_takes_the_first_back()
    {
        SaveLoop.SaveFiles(_folder.Path, 1);
        // The last of the places cannot be taken, which shows when the others are links already.
        Directory.Delete(_folder["below"], recursive: true);
        File.WriteAllText(_folder["below"], "a file where a folder has to be");
        var before = Content();
        Refused("cannot be written", () => SaveLoop.SaveFiles(_folder.Path, 2));
        Assert.Equal(before, Content());
    }

    [Fact]
    public void Links_and_other_files_survive_as_they_are()
    {
        File.WriteAllText(_folder["README.md"], "the user's");
        Directory.CreateDirectory(_folder["real"]);
        File.CreateSymbolicLink(_folder["linked"], "real");
        SaveLoop.SaveFiles(_folder["linked"], 1);
        // A cache of models keeps its files as links to others, which belong to somebody else.
        File.Move(_folder[$"real/{SaveLoop.Weights}"], _folder["blob"]);
        File.CreateSymbolicLink(_folder[$"real/{SaveLoop.Weights}"], "../blob");
        var blob = File.ReadAllBytes(_folder["blob"]);
        Assert.Equal(1, SaveLoop.NumberIn(_folder["linked"]));
        SaveLoop.SaveFiles(_folder["linked"], 3);
        Assert.Equal(3, SaveLoop.NumberIn(_folder["real"]));
        Assert.Equal(blob, File.ReadAllBytes(_folder["blob"]));
        Assert.Null(new FileInfo(_folder[$"real/{SaveLoop.Weights}"]).LinkTarget);
        Assert.Equal("the user's", File.ReadAllText(_folder["README.md"]));
    }

    [Fact]
    public void A_subfolder_that_is_a_link_is_saved_into()
    {
        Directory.CreateDirectory(_folder["elsewhere"]);
        Directory.CreateDirectory(_folder["a"]);
        File.CreateSymbolicLink(_folder["a/below"], "../elsewhere");
        SaveLoop.SaveFiles(_folder["a"], 1);
        SaveLoop.SaveFiles(_folder["a"], 2);
        Assert.Equal(2, SaveLoop.NumberIn(_folder["a"]));
        Assert.Equal(["more.bin"], Directory.EnumerateFiles(_folder["elsewhere"]).Select(Path.GetFileName));
    }

    [Fact]
    public void An_adapter_of_several_tasks_replaces_one_that_was_saved_in_the_same_folder()
    {
        using var host = TreeHost.Of(TestData.Path("hosts/bert"));
        using (var single = host.Create(new LoRA(2)))
            single.SaveAsAdapterHub(_folder.Path);
        SaveLoop.SaveTasks(_folder.Path, 1);
        Assert.Equal(1, SaveLoop.TasksIn(_folder.Path, host));
    }

    [Theory]
    [InlineData("../out.txt")]
    [InlineData("/out.txt")]
    [InlineData("a/../../out.txt")]
    [InlineData("a\\..\\..\\out.txt")]
    [InlineData("")]
    public void Files_lie_within_the_folder(string file)
    {
        using var files = new StagedFiles(_folder["in"]);
        Refused("is no file within", () => files.Add(file, stream => stream.WriteByte(1)));
    }

    [Fact]
    public void A_failed_save_leaves_no_folder()
    {
        Assert.Throws<InvalidDataException>(() =>
        {
            using var files = new StagedFiles(_folder["new"]);
            files.Add("a", _ => throw new InvalidDataException("the source broke"));
        });
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    private string[] Content() => [.. _folder.FileNames.Select(name => $"{name}: {Convert.ToHexString(File.ReadAllBytes(_folder[name]))}")];

    private static void Refused(string expected, Action save) => Assert.Contains(expected, Assert.Throws<CheckpointException>(save).Message, StringComparison.Ordinal);
}
