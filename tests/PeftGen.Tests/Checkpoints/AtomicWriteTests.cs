using PeftGen.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

public sealed class AtomicWriteTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    [Fact]
    public void A_failing_enumeration_leaves_the_old_file_and_nothing_else()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", torch.ones(2))]);
        var before = File.ReadAllBytes(_folder["x.safetensors"]);
        Assert.Throws<InvalidDataException>(() => SafetensorsWriter.Write(_folder["x.safetensors"], OneThenFail()));
        Assert.Equal(before, File.ReadAllBytes(_folder["x.safetensors"]));
        Assert.Equal(["x.safetensors"], _folder.FileNames);

        static IEnumerable<(string, Tensor)> OneThenFail()
        {
            yield return ("b", torch.zeros(1));
            throw new InvalidDataException("the source broke");
        }
    }

    [Fact]
    public void A_tensor_that_fails_while_it_is_written_leaves_the_old_file_and_nothing_else()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", torch.ones(2))]);
        var before = File.ReadAllBytes(_folder["x.safetensors"]);
        // A sparse tensor has no memory that could be written: it fails after the header is out.
        using var sparse = torch.sparse_coo_tensor(torch.zeros([1, 1], ScalarType.Int64), torch.ones(1), [2]);
        Assert.ThrowsAny<Exception>(() => SafetensorsWriter.Write(_folder["x.safetensors"], [("b", torch.zeros(1)), ("c", sparse)]));
        Assert.Equal(before, File.ReadAllBytes(_folder["x.safetensors"]));
        Assert.Equal(["x.safetensors"], _folder.FileNames);
    }

    [Fact]
    public void Names_and_types_that_the_format_lacks_are_refused_before_anything_is_written()
    {
        var path = _folder["x.safetensors"];
        Assert.Contains("the name 'a' was given twice", Refused([("a", torch.ones(1)), ("a", torch.ones(1))]));
        Assert.Contains("the name '__metadata__' was given twice or is reserved", Refused([("__metadata__", torch.ones(1))]));
        Assert.Contains("tensor 'c' has element type ComplexFloat32", Refused([("c", torch.zeros([1], ScalarType.ComplexFloat32))]));
        Assert.Empty(_folder.FileNames);

        string Refused((string, Tensor)[] tensors) => Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(path, tensors)).Message;
    }

    [Fact]
    public void Text_replaces_what_was_there_as_a_whole()
    {
        AtomicFile.WriteText(_folder["sub/a.json"], "old and longer");
        AtomicFile.WriteText(_folder["sub/a.json"], "nöw");
        Assert.Equal("nöw", File.ReadAllText(_folder["sub/a.json"]));
        Assert.Throws<InvalidDataException>(() => AtomicFile.Write(_folder["sub/a.json"], stream =>
        {
            stream.WriteByte(1);
            throw new InvalidDataException("the source broke");
        }));
        Assert.Equal("nöw", File.ReadAllText(_folder["sub/a.json"]));
        Assert.Equal([Path.Combine("sub", "a.json")], _folder.FileNames);
    }

    [Fact]
    public void Staged_files_appear_together_or_not_at_all()
    {
        using (var files = new StagedFiles(_folder.Path))
        {
            files.Add("a", stream => stream.WriteByte(1));
            Assert.Throws<InvalidDataException>(() => files.Add("b", _ => throw new InvalidDataException("the source broke")));
            Assert.False(File.Exists(_folder["a"]));
        }
        Assert.Empty(_folder.FileNames);

        using (var files = new StagedFiles(_folder.Path))
        {
            files.Add("a", stream => stream.WriteByte(1));
            files.Add("b", stream => stream.WriteByte(2));
            files.Commit();
        }
        Assert.Equal(["a", "b"], _folder.FileNames);
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }
}
