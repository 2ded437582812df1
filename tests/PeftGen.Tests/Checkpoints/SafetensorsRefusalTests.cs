using System.Buffers.Binary;
using System.Text;
using PeftGen.Checkpoints;

namespace PeftGen.Tests.Checkpoints;

/// <summary>Files that must not be opened. Each is good but for one thing, and the message must say which.</summary>
public sealed class SafetensorsRefusalTests : IDisposable
{
    private const string GoodHeader = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""";
    private readonly TempFolder _folder = new();

    [Fact]
    public void The_file_that_the_others_are_made_from_is_opened()
    {
        using var file = SafetensorsFile.Open(Write(GoodHeader, 12));
        Assert.Equal(["a", "b"], file.Names);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "within 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "within 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}""", 16, "4 bytes between 'a' and 'b' belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "4 bytes between 'the header' and 'a' belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 12, "4 bytes follow the last tensor")]
    [InlineData("{}", 4, "4 bytes follow the last tensor")]
    [InlineData(GoodHeader, 11, "cut off: it holds 11 bytes of data, expected 12")]
    [InlineData(GoodHeader, 0, "cut off: it holds 0 bytes of data, expected 12")]
    public void Layouts_that_do_not_fill_the_file_are_refused(string header, int dataBytes, string expected) => AssertRefused(Write(header, dataBytes), expected);

    [Theory]
    [InlineData("[]", "JSON StartArray, expected an object")]
    [InlineData("\"text\"", "JSON String, expected an object")]
    [InlineData("{\"a\":", "not valid JSON")]
    [InlineData("", "not valid JSON")]
    [InlineData("{} {}", "not valid JSON")]
    [InlineData("{} x", "not valid JSON")]
    [InlineData("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", "not valid JSON")]
    [InlineData("{\"a\":[]}", "tensor 'a' is JSON StartArray")]
    [InlineData("{\"__metadata__\":{\"n\":1}}", "__metadata__ 'n' is JSON Number")]
    [InlineData("{\"__metadata__\":[]}", "__metadata__ is JSON StartArray")]
    [InlineData("{\"__metadata__\":{\"n\":\"1\",\"n\":\"2\"}}", "__metadata__ names 'n' twice")]
    [InlineData("{\"__metadata__\":{},\"__metadata__\":{}}", "names '__metadata__' twice")]
    public void Headers_that_are_no_header_are_refused(string header, string expected) => AssertRefused(Write(header, 0), expected);

    [Theory]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}""", "names 'a' twice")]
    [InlineData("""{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}""", "two dtypes")]
    [InlineData("""{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}""", "two shapes")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}""", "two data_offsets")]
    [InlineData("""{"dtype":"F32","shape":[2]}""", "lacks dtype, shape or data_offsets")]
    [InlineData("""{"shape":[2],"data_offsets":[0,8]}""", "lacks dtype, shape or data_offsets")]
    [InlineData("""{"dtype":"F32","data_offsets":[0,8]}""", "lacks dtype, shape or data_offsets")]
    [InlineData("""{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}""", "dtype F8_E4M3, expected one of I64, F64")]
    [InlineData("""{"dtype":"f32","shape":[2],"data_offsets":[0,8]}""", "dtype f32")]
    [InlineData("""{"dtype":6,"shape":[2],"data_offsets":[0,8]}""", "dtype is JSON Number")]
    [InlineData("""{"dtype":"F32","shape":[3],"data_offsets":[0,8]}""", "data_offsets for 8 bytes, expected 12 for F32 of shape [3]")]
    [InlineData("""{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}""", "data_offsets for 8 bytes, expected 4 for BF16")]
    [InlineData("""{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}""", "shape holds -2")]
    [InlineData("""{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}""", "shape holds 2.5")]
    [InlineData("""{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}""", "shape holds 99999999999999999999")]
    [InlineData("""{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}""", "shape holds 2")]
    [InlineData("""{"dtype":"F32","shape":2,"data_offsets":[0,8]}""", "shape is JSON Number")]
    [InlineData("""{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}""", "more bytes than any file")]
    [InlineData("""{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}""", "more bytes than any file")]   // 8 bytes, modulo 2⁶⁴
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[8,0]}""", "data_offsets [8, 0]")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[0,4,8]}""", "data_offsets [0, 4, 8]")]
    [InlineData("""{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}""", "data_offsets holds -8")]
    public void Entries_that_lie_are_refused(string entry, string expected) => AssertRefused(Write($$"""{"a":{{entry}}}""", 8), expected);

    [Theory]
    [InlineData(0, "the file has 0 bytes")]
    [InlineData(7, "the file has 7 bytes")]
    public void Files_without_room_for_a_length_are_refused(int bytes, string expected)
    {
        File.WriteAllBytes(_folder["x.safetensors"], new byte[bytes]);
        AssertRefused(_folder["x.safetensors"], expected);
    }

    [Theory]
    [InlineData(ulong.MaxValue, "claims 18446744073709551615 bytes, expected at most 100000000")]
    [InlineData(100_000_001ul, "claims 100000001 bytes, expected at most 100000000")]
    [InlineData(100_000_000ul, "claims 100000000 bytes, but only 2 follow")]
    [InlineData(3ul, "claims 3 bytes, but only 2 follow")]
    public void Header_lengths_beyond_the_file_are_refused(ulong length, string expected)
    {
        var bytes = new byte[10];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        "{}"u8.CopyTo(bytes.AsSpan(8));
        File.WriteAllBytes(_folder["x.safetensors"], bytes);
        AssertRefused(_folder["x.safetensors"], expected);
    }

    [Theory]
    [InlineData("{\"__metadata__\":null,\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"stride\":[1],\"more\":{\"a\":[{}]}}}")]
    public void What_the_reference_implementation_passes_over_is_passed_over(string header)
    {
        using var file = SafetensorsFile.Open(Write(header, 8));
        Assert.Equal([2], file.Entry("a").Shape);
    }

    [Fact]
    public void A_shape_of_more_dimensions_than_torch_has_is_refused()
    {
        var shape = string.Join(",", Enumerable.Repeat("1", 100_000));
        var path = Write($$$"""{"a":{"dtype":"F32","shape":[{{{shape}}}],"data_offsets":[0,4]}}""", 4);
        AssertRefused(path, "shape holds more than 64 numbers");
        AssertRefused(Write("""{"a":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[0,0]}}""", 0), "more bytes than any file");
    }

    [Fact]
    public void A_file_that_is_not_there_is_refused() => AssertRefused(_folder["none.safetensors"], "there is no such file");

    [Fact]
    public void A_refused_file_is_closed_again()
    {
        AssertRefused(Write("[]", 0), "expected an object");
        using var exclusive = new FileStream(_folder["x.safetensors"], FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    public void Dispose() => _folder.Dispose();

    private static void AssertRefused(string path, string expected)
    {
        var message = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path)).Message;
        Assert.StartsWith(path + ": ", message);
        Assert.Contains(expected, message);
    }

    private string Write(string header, int dataBytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)json.Length);
        json.CopyTo(bytes, 8);
        File.WriteAllBytes(_folder["x.safetensors"], bytes);
        return _folder["x.safetensors"];
    }
}
