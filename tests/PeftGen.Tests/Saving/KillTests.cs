using System.Diagnostics;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Tiny;

namespace PeftGen.Tests.Saving;

/// <summary>A writer that is killed leaves a folder that holds one save whole, for every reader of names, and the next save leaves nothing of it.</summary>
public sealed class KillTests
{
    private const string Area = ".peftgen-save";

    [Fact]
    public void Killed_at_any_time_the_folder_holds_one_save_and_the_next_one_sweeps()
    {
        var random = new Random(18);
        var (left, rolledBack, rolledForward) = (0, 0, 0);
        Parallel.For(0, 3, _ =>
        {
            using var folder = new TempFolder();
            File.WriteAllText(folder["README.md"], "the user's");
            for (var round = 0; round < 20; round++)
            {
                int wait;
                lock (random)
                    wait = random.Next(3000);
                using var writer = Start(folder.Path, SaveLoop.OfFiles);
                WaitFor(writer, () => File.Exists(folder[SaveLoop.Config]) && !Directory.Exists(folder[Area]), () => Directory.Exists(folder[Area]));
                // Microseconds, and every other time as soon as a certain state is to be seen.
                var seen = Stopwatch.StartNew();
                while (round % 2 == 0 ? seen.Elapsed.TotalMicroseconds < wait : !StateIsThere(folder, round) && seen.Elapsed.TotalSeconds < 2)
                {
                }

                Kill(writer);
                var side = new FileInfo(folder[$"{Area}/current"]).LinkTarget;
                Interlocked.Add(ref left, Directory.Exists(folder[Area]) ? 1 : 0);
                Interlocked.Add(ref rolledBack, side == "old" ? 1 : 0);
                Interlocked.Add(ref rolledForward, side == "new" ? 1 : 0);
                var number = SaveLoop.NumberIn(folder.Path);
                SaveLoop.SaveFiles(folder.Path, number + 1);
                Assert.Equal(number + 1, SaveLoop.NumberIn(folder.Path));
                Assert.DoesNotContain(folder.FileNames, name => name.Contains("peftgen", StringComparison.Ordinal));
                Assert.Equal("the user's", File.ReadAllText(folder["README.md"]));
            }
        });
        Assert.True(left > 20 && rolledBack + rolledForward > 3, $"too few kills met a save at work: {left} in all, {rolledBack} before its commit, {rolledForward} after");
    }

    [Theory]
    [InlineData(SaveLoop.OfAdapters)]
    [InlineData(SaveLoop.OfTasks)]
    public void A_killed_adapter_loads_as_one_of_two(string what)
    {
        var random = new Random(5);
        using var folder = new TempFolder();
        using var model = new TinyModel();
        using var host = TreeHost.Of(TestData.Path("hosts/bert"));
        (what == SaveLoop.OfAdapters ? (Action<string, int>)SaveLoop.SaveAdapter : SaveLoop.SaveTasks)(folder.Path, 0);
        for (var round = 0; round < 4; round++)
        {
            using var writer = Start(folder.Path, what);
            WaitFor(writer, () => Directory.Exists(folder[Area]));
            Thread.Sleep(random.Next(40));
            Kill(writer);
            if (what == SaveLoop.OfAdapters)
                SaveLoop.AdapterIn(folder.Path, model);
            else
                SaveLoop.TasksIn(folder.Path, host);
        }
    }

    /// <summary>States between the first and the last step of a save.</summary>
    private static bool StateIsThere(TempFolder folder, int round) => (round / 2 % 5) switch
    {
        0 => File.Exists(folder[$"{Area}/new/{SaveLoop.Config}"]),
        1 => Directory.Exists(folder[$"{Area}/old"]),
        2 => new FileInfo(folder[$"{Area}/current"]).LinkTarget == "old",
        3 => new FileInfo(folder[SaveLoop.Config]).LinkTarget is not null,
        _ => new FileInfo(folder[$"{Area}/current"]).LinkTarget == "new",
    };

    private static Process Start(string folder, string what)
    {
        // Beside this assembly lies its program, whichever runs the tests.
        var program = Path.Combine(AppContext.BaseDirectory, typeof(KillTests).Assembly.GetName().Name!);
        return Process.Start(new ProcessStartInfo(program, [SaveLoop.Command, folder, what]) { RedirectStandardError = true })!;
    }

    /// <summary>Waits until a first save has been and another is at work.</summary>
    private static void WaitFor(Process writer, params Func<bool>[] states)
    {
        var clock = Stopwatch.StartNew();
        foreach (var state in states)
            while (!state())
            {
                Assert.False(writer.HasExited, writer.HasExited ? writer.StandardError.ReadToEnd() : "");
                Assert.True(clock.Elapsed.TotalSeconds < 60, "the writer does not write");
            }
    }

    private static void Kill(Process writer)
    {
        writer.Kill();
        writer.WaitForExit();
    }
}
