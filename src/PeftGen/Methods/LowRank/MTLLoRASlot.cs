using System.Globalization;
using PeftGen.Methods;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen;

/// <summary>MTL-LoRA beside one linear layer; the formula is <see cref="MTLLoRA"/>'s.</summary>
internal sealed class MTLLoRASlot : LayerSlot
{
    private readonly MTLLoRA _values;
    private readonly DropoutSource _masks;

    public MTLLoRASlot(Site site, MTLLoRA values) : base(site.Path)
    {
        _values = values;
        _masks = site.Dropout;
        var host = HostLinear.Of(site.Host.Module, site.Path, "MTL-LoRA");
        Learn("lora_A", Start.Matrix(site, values.Rank, host.Inputs, LoRAInit.Kaiming));
        Learn("lora_B", site.Zeros(values.Projections, host.Outputs, values.Rank));
        for (var task = 0; task < values.Tasks; task++)
        {
            Learn(Lambda(task), site.Ones(values.Rank));
            Learn(Mix(task), site.Ones(values.Projections));
        }
    }

    public override bool ActsOnOutput => true;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        var y = layer.forward(x);
        var (a, b) = (this["lora_A"], this["lora_B"]);
        using var typed = x.dtype == a.dtype ? null : x.to(a.dtype);
        using var dropped = IsTraining(layer.Context) && _values.Dropout > 0 ? _masks.Drop(typed ?? x, _values.Dropout) : null;
        using var h = linear(dropped ?? typed ?? x, a);
        using var factors = Factors(layer.Context, x);
        // Each row's h once for each B, weighted, so that all B are one matrix: [batch, …, projections · rank].
        using var wide = h.unsqueeze(-2);
        using var mixed = wide * factors;
        using var flat = mixed.flatten(-2);
        using var turned = b.permute(1, 0, 2);
        using var all = turned.reshape(b.shape[1], -1);
        using var product = linear(flat, all);
        using (y)
        {
            using var exact = y.dtype == a.dtype ? null : y.to(a.dtype);
            var sum = (exact ?? y).add(product, alpha: _values.Alpha / _values.Rank);
            if (sum.dtype == y.dtype)
                return sum;
            using (sum)
                return sum.to(y.dtype);
        }
    }

    /// <summary>softmax(w_t / τ)ⱼ·Λ_t for each row, shaped for the input: <c>[batch, …, projections, rank]</c>.</summary>
    private Tensor Factors(ForwardContext context, Tensor x)
    {
        var lambdas = Enumerable.Range(0, _values.Tasks).Select(task => (Tensor)this[Lambda(task)]).ToList();
        var mixes = Enumerable.Range(0, _values.Tasks).Select(task => (Tensor)this[Mix(task)]).ToList();
        using var lambda = stack(lambdas, 0);
        using var mix = stack(mixes, 0);
        using var sharp = mix / _values.Sharpness;
        using var weights = sharp.softmax(-1);
        using var column = weights.unsqueeze(-1);
        using var row = lambda.unsqueeze(1);
        using var factors = column * row;
        long[] between = [.. Enumerable.Repeat(1L, (int)x.dim() - 2)];
        if (_values.Tasks == 1)
            return factors.view([1, .. between, _values.Projections, _values.Rank]);
        using var ofRows = factors.index_select(0, TasksOf(context, x));
        return ofRows.view([x.shape[0], .. between, _values.Projections, _values.Rank]);
    }

    /// <summary>The rows' tasks, checked once in a call.</summary>
    private Tensor TasksOf(ForwardContext context, Tensor x)
    {
        var ids = context[InputRole.TaskIds] ?? throw new AdapterException(
            $"{Path}: MTL-LoRA of {_values.Tasks} tasks has to know each row's, and this call does not say. Pass new ForwardOptions {{ TaskIds = … }}, [batch], or give the model an argument task_ids.");
        if (ids.dim() != 1 || ids.shape[0] != x.shape[0])
            throw new AdapterException($"{Path}: the task ids are [{string.Join(", ", ids.shape)}], expected [{x.shape[0]}], one for each row of the batch.");
        return context.Share((ids, x.device.ToString(), _values.Tasks), () =>
        {
            using var whole = ids.to(ScalarType.Int64);
            using var least = whole.min();
            using var most = whole.max();
            var (low, high) = (least.item<long>(), most.item<long>());
            return low >= 0 && high < _values.Tasks ? whole.to(ScalarType.Int64, x.device, copy: true) : throw new AdapterException(
                $"{Path}: the task ids go from {low} to {high}, expected 0 to {_values.Tasks - 1}. Declare the number of tasks, or number them from 0.");
        });
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        // AdapterHub keeps each task as an adapter of its own, in which what is shared is repeated.
        if (format == FileFormat.AdapterHub)
            return Enumerable.Range(0, _values.Tasks).SelectMany(task => (StoredTensor[])[
                new($"{Path}.loras.{{name.{Number(task)}}}.lora_A", this["lora_A"]), new($"{Path}.loras.{{name.{Number(task)}}}.lora_B", this["lora_B"]),
                new($"{Path}.loras.{{name.{Number(task)}}}.task_specific.values", this[Lambda(task)]), new($"{Path}.loras.{{name.{Number(task)}}}.weights", this[Mix(task)])]);
        var root = $"{HuggingFaceKeys.Prefix}{Path}";
        return [
            new($"{root}.lora_A.weight", this["lora_A"]), new($"{root}.lora_B", this["lora_B"]),
            .. Enumerable.Range(0, _values.Tasks).SelectMany(task => (StoredTensor[])[
                new($"{root}.lora_lambda.{Number(task)}", this[Lambda(task)]), new($"{root}.lora_mix.{Number(task)}", this[Mix(task)])])];
    }

    private static string Lambda(int task) => $"lora_lambda_{Number(task)}";

    private static string Mix(int task) => $"lora_mix_{Number(task)}";

    private static string Number(int task) => task.ToString(CultureInfo.InvariantCulture);
}
