using PeftGen.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

public sealed class SafetensorsRoundTripTests : IDisposable
{
    private static readonly ScalarType[] AllTypes =
    [
        ScalarType.Int64, ScalarType.Float64, ScalarType.Float32, ScalarType.Int32, ScalarType.BFloat16,
        ScalarType.Float16, ScalarType.Int16, ScalarType.Int8, ScalarType.Byte, ScalarType.Bool,
    ];

    private readonly TempFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    [Fact]
    public void Every_type_and_rank_comes_back_bit_for_bit()
    {
        var path = _folder["x.safetensors"];
        var tensors = new List<(string name, Tensor tensor)>();
        foreach (var type in AllTypes)
        {
            tensors.Add(($"{type}.scalar", torch.tensor(1).to(type)));
            tensors.Add(($"{type}.empty", torch.empty([3, 0], type)));
            tensors.Add(($"{type}.odd", torch.randint(0, 100, [5]).to(type)));
            tensors.Add(($"{type}.cube", torch.randint(0, 100, [2, 3, 4]).to(type)));
        }
        SafetensorsWriter.Write(path, tensors);

        using var file = SafetensorsFile.Open(path);
        Assert.Equal(tensors.Select(pair => pair.name).Order(), file.Names.Order());
        Assert.Equal("pt", file.Metadata["format"]);
        foreach (var (name, tensor) in tensors)
        {
            Assert.Equal(tensor.dtype, file.Entry(name).DType);
            Assert.Equal(tensor.shape, file.Entry(name).Shape);
            using var read = file.Read(name);
            Assert.Equal(tensor.dtype, read.dtype);
            TensorAssert.Same(tensor, read, name);
        }
    }

    [Fact]
    public void What_the_reference_wrote_is_written_byte_for_byte_the_same()
    {
        var original = TestData.Path("hosts", "llama", "model.safetensors");
        using var file = SafetensorsFile.Open(original);
        SafetensorsWriter.Write(_folder["copy.safetensors"], file.Names.Reverse().Select(name => (name, file.Read(name))), file.Metadata);
        Assert.Equal(File.ReadAllBytes(original), File.ReadAllBytes(_folder["copy.safetensors"]));
    }

    [Fact]
    public void Views_are_written_as_they_look()
    {
        var whole = torch.arange(12).reshape(3, 4);
        SafetensorsWriter.Write(_folder["x.safetensors"], [("turned", whole.t()), ("part", whole.narrow(0, 1, 2)), ("trained", new TorchSharp.Modules.Parameter(whole.@float()))]);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        TensorAssert.Same(whole.t(), file.Read("turned"));
        TensorAssert.Same(whole.narrow(0, 1, 2), file.Read("part"));
        TensorAssert.Same(whole.@float(), file.Read("trained"));
    }

    [Fact]
    public void Tensors_larger_than_one_piece_come_back_whole()
    {
        var large = torch.arange(0, (1 << 25) + 3, dtype: ScalarType.Int32);   // 128 MiB and a bit
        SafetensorsWriter.Write(_folder["x.safetensors"], [("large", large)]);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        TensorAssert.Same(large, file.Read("large"));
    }

    [Fact]
    public void Data_begins_at_a_multiple_of_eight_whatever_the_names()
    {
        for (var length = 1; length <= 8; length++)
        {
            SafetensorsWriter.Write(_folder["x.safetensors"], [(new string('n', length), torch.ones(1))]);
            Assert.Equal(0, BitConverter.ToInt64(File.ReadAllBytes(_folder["x.safetensors"])) % 8);
        }
    }

    [Fact]
    public void A_read_tensor_outlives_scope_and_file()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", torch.ones(2))]);
        Tensor read;
        using (torch.NewDisposeScope())
        using (var file = SafetensorsFile.Open(_folder["x.safetensors"]))
            read = file.Read("a");
        using (read) Assert.Equal(2f, read.sum().item<float>());
    }

    [Fact]
    public void Reading_into_a_parameter_converts_and_keeps_the_parameter()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", torch.tensor(new[] { 1.5f, 2.5f }))]);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16, ScalarType.Float64 })
        {
            var target = new TorchSharp.Modules.Parameter(torch.zeros(2, type));
            file.ReadInto("a", target);
            Assert.Equal(type, target.dtype);
            Assert.True(target.requires_grad);
            Assert.Equal(4f, target.sum().@float().item<float>());
        }
        var column = torch.zeros(2, 3);
        file.ReadInto("a", column.select(1, 1));
        Assert.Equal([0f, 1.5f, 0f, 0f, 2.5f, 0f], column.data<float>().ToArray());
    }

    [Fact]
    public void Reading_into_another_shape_is_refused_even_where_it_would_broadcast()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", torch.ones(1, 2))]);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        var message = Assert.Throws<CheckpointException>(() => file.ReadInto("a", torch.zeros(2, 2))).Message;
        Assert.Contains("tensor 'a' has shape [1, 2], expected [2, 2]", message);
    }

    [Fact]
    public void An_unknown_name_is_refused_with_the_known_ones()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], Enumerable.Range(0, 12).Select(i => ($"t{i:00}", torch.ones(1))));
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        Assert.Contains("there is no tensor 'u'. The file has 12 (t00, t01, t02, t03, t04, t05, t06, t07, t08, t09, … and 2 more)", Assert.Throws<CheckpointException>(() => file.Read("u")).Message);
    }

    [Fact]
    public void A_closed_file_says_so()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", torch.ones(2))]);
        var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Read("a"));
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }
}
