using System.Collections;
using System.Text;
using Microsoft.Build.Framework;

namespace PeftGen.Packaging.Tests;

public sealed class RelaxLibstdcxxVersionTests(PackedLibrary packed)
{
    private readonly string folder = Directory.CreateDirectory(Path.Combine(packed.Root, Guid.NewGuid().ToString("N"))).FullName;

    private string Adapted => Path.Combine(folder, "adapted", "libLibTorchSharp.so");

    [Fact]
    public void Changes_one_symbol_and_one_flag_in_place()
    {
        var (written, errors) = Run(BuildFacts.TorchLibrary);

        Assert.True(written, string.Join("\n", errors));
        var before = File.ReadAllBytes(BuildFacts.TorchLibrary);
        var after = File.ReadAllBytes(Adapted);
        Assert.Equal(before.Length, after.Length);
        // 28 bytes of the symbol's name, less those that happen to agree; the low byte of its version; the low byte of the flags.
        Assert.InRange(before.Zip(after).Count(pair => pair.First != pair.Second), 3, 30);
        Assert.Equal(CountOf(before, "_ZSt21ios_base_library_initv") - 1, CountOf(after, "_ZSt21ios_base_library_initv"));
    }

    [Fact]
    public void Leaves_an_adapted_file_alone()
    {
        Run(BuildFacts.TorchLibrary);
        var first = File.ReadAllBytes(Adapted);
        var mark = new FileInfo(Adapted).LastWriteTimeUtc;

        var (written, _) = Run(BuildFacts.TorchLibrary);

        Assert.True(written);
        Assert.Equal(first, File.ReadAllBytes(Adapted));
        Assert.Equal(new FileInfo(BuildFacts.TorchLibrary).LastWriteTimeUtc, mark);

        var (again, errors) = Run(Adapted, Path.Combine(folder, "twice.so"));
        Assert.False(again);
        Assert.Empty(errors);
    }

    [Fact]
    public void Names_what_it_found_where_the_file_is_no_library()
    {
        var text = Write("it is a text");

        var (written, errors) = Run(text);

        Assert.False(written);
        var error = Assert.Single(errors);
        Assert.Equal("PEFTGENB01", error.Code);
        Assert.Contains("it is not a 64-bit x86 ELF file", error.Message);
        Assert.Contains("Ubuntu 24.04", error.Message);
        Assert.False(File.Exists(Adapted));
    }

    [Fact]
    public void Refuses_another_symbol_of_the_new_version()
    {
        var other = File.ReadAllBytes(BuildFacts.TorchLibrary);
        other[Find(other, "_ZSt21ios_base_library_initv") + 5] = (byte)'x';

        var (written, errors) = Run(Write(other));

        Assert.False(written);
        Assert.Contains("expected _ZSt21ios_base_library_initv alone", Assert.Single(errors).Message);
    }

    /// <summary>Also a damaged file ends in a message: cut short, or with a number of its header overwritten.</summary>
    [Fact]
    public void Reports_a_damaged_file()
    {
        var whole = File.ReadAllBytes(BuildFacts.TorchLibrary);
        foreach (var length in new[] { 0, 3, 63, 64, 4096, whole.Length / 2 })
        {
            Assert.Equal("PEFTGENB01", Assert.Single(Run(Write(whole[..length])).Errors).Code);
        }

        // In the header: where the table of sections starts, the size of its entries, and their number.
        foreach (var (field, value) in new[] { (40, 0xff), (58, 0xff), (60, 0) })
        {
            var damaged = (byte[])whole.Clone();
            damaged[field] = damaged[field + 1] = (byte)value;
            Assert.Equal("PEFTGENB01", Assert.Single(Run(Write(damaged)).Errors).Code);
        }
    }

    private (bool Written, List<BuildErrorEventArgs> Errors) Run(string source, string? destination = null)
    {
        var engine = new RecordingEngine();
        var task = new RelaxLibstdcxxVersion { Source = source, Destination = destination ?? Adapted, Always = true, BuildEngine = engine };
        var succeeded = task.Execute();
        Assert.Equal(engine.Errors.Count == 0, succeeded);
        return (task.Written, engine.Errors);
    }

    private string Write(string text) => Write(Encoding.ASCII.GetBytes(text));

    private string Write(byte[] image)
    {
        var path = Path.Combine(folder, Guid.NewGuid().ToString("N") + ".so");
        File.WriteAllBytes(path, image);
        return path;
    }

    private static int Find(byte[] image, string text) => image.AsSpan().IndexOf(Encoding.ASCII.GetBytes(text));

    private static int CountOf(byte[] image, string text) => image.AsSpan().Count(Encoding.ASCII.GetBytes(text));

    private sealed class RecordingEngine : IBuildEngine
    {
        public List<BuildErrorEventArgs> Errors { get; } = [];

        public bool ContinueOnError => false;

        public int LineNumberOfTaskNode => 0;

        public int ColumnNumberOfTaskNode => 0;

        public string ProjectFileOfTaskNode => "test.csproj";

        public bool BuildProjectFile(string projectFileName, string[] targetNames, IDictionary globalProperties, IDictionary targetOutputs) =>
            throw new NotSupportedException("The task builds nothing.");

        public void LogCustomEvent(CustomBuildEventArgs e) => throw new NotSupportedException("The task logs errors alone.");

        public void LogErrorEvent(BuildErrorEventArgs e) => Errors.Add(e);

        public void LogMessageEvent(BuildMessageEventArgs e) => throw new NotSupportedException("The task logs errors alone.");

        public void LogWarningEvent(BuildWarningEventArgs e) => throw new NotSupportedException("The task logs errors alone.");
    }
}
