using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>
/// Beside a convolution: A <c>[rank, in, kernel…]</c> has the layer's stride, padding and dilation, B <c>[out, rank / groups, 1…]</c> its groups.
/// </summary>
/// <remarks>A sees all inputs, as in HF PEFT, so beside a layer with groups the update is no change of the layer's own weight and cannot be merged.</remarks>
internal sealed class ConvolutionForm : LowRankForm
{
    private readonly string _path;
    private readonly long _inputs, _groups;
    private readonly long[] _kernel, _stride, _padding, _dilation;

    public ConvolutionForm(Convolution host, string path)
    {
        _path = path;
        (_inputs, Outputs, _groups) = (host.in_channels, host.out_channels, host.groups);
        (_kernel, _stride, _dilation) = (host.kernel_size, host.stride, host.dilation);
        _padding = PaddingOf(host, path);
    }

    public override (string a, string b) FileNames => ("lora_A.weight", "lora_B.weight");

    public override long Outputs { get; }

    /// <summary>Whether a convolution is of one, two or three dimensions and not transposed.</summary>
    public static bool Is(nn.Module module) => module is Conv1d or Conv2d or Conv3d;

    public override (Tensor a, Tensor b) Start(Site site, int rank, LoRAInit init)
    {
        if (rank % _groups != 0)
            throw new AdapterException($"{_path}: rank is {rank} and the layer has {_groups} groups, expected a multiple. Change rank, give the layer its own in RankPattern, or leave it out of the targets.");
        using var flat = Methods.Start.Matrix(site, rank, _kernel.Aggregate(_inputs, (size, k) => size * k), init);
        return (flat.view([rank, _inputs, .. _kernel]).clone(), site.Zeros([Outputs, rank / _groups, .. Ones]));
    }

    public override Tensor Down(Tensor x, Tensor a) => Convolve(x, a, null, _stride, _padding, _dilation, 1);

    public override Tensor Up(Tensor h, Tensor b, Tensor? bias) => Convolve(h, b, bias, Ones, [.. _kernel.Select(_ => 0L)], Ones, _groups);

    public override void RequireDelta()
    {
        if (_groups > 1)
            throw new AdapterException($"{_path}: the layer has {_groups} groups, and the update sees all inputs, so it is no change of the layer's weight. Run the model with its adapter instead, or leave the layer out of the targets.");
    }

    public override Tensor Delta(Tensor a, Tensor b)
    {
        RequireDelta();
        using var down = a.flatten(1);
        using var up = b.flatten(1);
        using var product = up.matmul(down);
        return product.view([Outputs, _inputs, .. _kernel]);
    }

    public override (Parameter weight, Parameter? bias) ParametersOf(nn.Module host) => (((Convolution)host).weight!, ((Convolution)host).bias);

    private long[] Ones => [.. _kernel.Select(_ => 1L)];

    private static Tensor Convolve(Tensor x, Tensor weight, Tensor? bias, long[] stride, long[] padding, long[] dilation, long groups) => stride.Length switch
    {
        1 => nn.functional.conv1d(x, weight, bias, stride[0], padding[0], dilation[0], groups),
        2 => nn.functional.conv2d(x, weight, bias, stride, padding, dilation, groups),
        _ => nn.functional.conv3d(x, weight, bias, stride, padding, dilation, groups),
    };

    private static long[] PaddingOf(Convolution host, string path)
    {
        if (host.padding_mode != PaddingModes.Zeros)
            throw new AdapterException($"{path}: the layer pads with {host.padding_mode}, and LoRA beside a convolution pads with zeros alone. Leave the layer out of the targets.");
        if (host.padding_type is not { } type)
            return host.padding!;
        var total = host.kernel_size.Zip(host.dilation, (k, d) => type == Padding.Same ? d * (k - 1) : 0).ToArray();
        return total.All(t => t % 2 == 0) ? [.. total.Select(t => t / 2)] : throw new AdapterException(
            $"{path}: the layer keeps its input's size with a kernel of [{string.Join(", ", host.kernel_size)}], so it pads its two sides differently, which LoRA beside a convolution does not. Leave the layer out of the targets.");
    }
}
