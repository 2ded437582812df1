using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The prefixes of all layers for one kind of attention: by position, then layer, then key and value, each <c>kv_heads · head_dim</c> wide.</summary>
internal sealed class PrefixTable : Slot
{
    /// <summary>What an attention has one of in a group: all are parts of one table.</summary>
    public const string Kind = "prefix";

    private const string Values = "control_trans", HuggingFaceValues = "prompt_embeddings", EncoderName = "encoder";
    private readonly PrefixTuning _values;
    private readonly AttentionPlace _place;
    private readonly string _name;
    private PrefixEncoder? _encoder;
    private int _layers;
    private long _width;

    public PrefixTable(AttentionPlace place, PrefixTuning values) : base(place.PrefixName)
    {
        _place = place;
        _values = values;
        _name = $"{place.Base}prefix_tuning.prefix_tunings.{{name}}.{place.PrefixName}";
    }

    /// <summary>The number of layers that have a prefix here.</summary>
    public int Layers => _layers;

    /// <summary>The size of the keys, <c>kv_heads · head_dim</c>.</summary>
    public long Width => _width;

    /// <summary>The number of heads of keys and values, which only a call shows; 0: there was none yet.</summary>
    public long Heads { get; private set; }

    /// <summary>Whether the prefix is learned as it is, without an encoder.</summary>
    public bool IsFlat => _encoder is null;

    /// <summary>Whether all that a file has to hold is what HF PEFT has a form for.</summary>
    public bool IsHuggingFace => _values.IsHuggingFace && _place.InEncoderDecoder == (_values.Slices == PrefixSlices.AsHuggingFaceT5);

    /// <summary>Whether the host has an encoder and a decoder.</summary>
    public bool InEncoderDecoder => _place.InEncoderDecoder;

    /// <summary>Takes in one more attention.</summary>
    /// <param name="site">It.</param>
    /// <param name="values">The method that wants it.</param>
    /// <returns>Its place among the layers.</returns>
    /// <exception cref="AdapterException">It does not fit the layers before.</exception>
    public int Add(Site site, PrefixTuning values)
    {
        var (inputs, width) = KeySizes.Of(site, values.KeyWidth, values);
        if (values != _values || (_layers > 0 && width != _width))
            throw new AdapterException(
                $"{site.Path}: found keys {width} wide and a prefix of {values.Length}, expected {(_layers > 0 ? _width : width)} and {_values.Length} as in the layers before, since one table holds all prefixes. " +
                "Put layers that differ into groups of their own.");
        _width = width;
        if (_layers == 0)
            site.WhenComplete(() => Complete(site, inputs));
        return _layers++;
    }

    private void Complete(Site site, long inputs)
    {
        var numbers = _layers * 2 * _width;
        if (_values.Projection > 0 && !(site.IsForFile && IsHuggingFace))
            register_module(EncoderName, _encoder = new PrefixEncoder(site, _values.Length, _values.ProjectionInput > 0 ? _values.ProjectionInput : inputs, _values.Projection, numbers));
        else
            Learn(Values, Shaped(Start.Normal(site, 1, _values.Length, numbers)));
    }

    /// <summary>HF PEFT keeps the table as a matrix, AdapterHub as a vector of the same numbers.</summary>
    private Tensor Shaped(Tensor table) => IsHuggingFace ? table : table.view(-1);

    /// <summary>The prefix of keys or values of a layer.</summary>
    /// <param name="context">The call, in which an encoder runs once for all layers.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="value">0 for keys, 1 for values.</param>
    /// <param name="own">The keys or values of the tokens, <c>[batch, heads, keys, head_dim]</c>; where queries share heads, each may be there as often as there are queries for it.</param>
    /// <returns><c>[1, heads, length, head_dim]</c>; the caller owns it.</returns>
    public Tensor Of(ForwardContext context, int layer, int value, Tensor own)
    {
        var (heads, size) = (own.shape[1], own.shape[3]);
        Heads = _width / size;
        if (Heads == 0 || _width % size != 0 || heads % Heads != 0)
            throw new AdapterException($"{Path}: the prefix is {_width} wide, and the keys have {heads} heads of {size} numbers. Create or load the adapter on this model, or say the width: [PrefixTuning(KeyWidth = {heads * size})].");
        var numbers = _encoder is null ? (Tensor)this[Values] : context.Share(this, _encoder.forward);
        var slice = _values.Slices == PrefixSlices.Own ? (2 * layer) + value : ((4 * layer) + value) % (2 * _layers);
        using var table = numbers.view(_values.Length, 2 * _layers, Heads, size);
        using var part = table.select(1, slice);
        using var byHead = part.transpose(0, 1);
        using var repeated = heads == Heads ? null : byHead.repeat_interleave(heads / Heads, 0);
        return (repeated ?? byHead).unsqueeze(0);
    }

    public override void Eject()
    {
        if (_encoder is not { } encoder)
            return;
        using var quiet = no_grad();
        using var output = encoder.forward();
        Learn(Values, Shaped(output.clone()));
        _encoder = null;
        register_module(EncoderName, null!);
        encoder.Dispose();
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        if (format == FileFormat.HuggingFace && IsHuggingFace)
            return [new(HuggingFaceValues, _encoder is null ? this[Values] : Output(_encoder))];
        var root = format == FileFormat.AdapterHub ? _name : $"{HuggingFaceKeys.Prefix}{_place.Base}{_place.PrefixName}";
        return _encoder?.StoredAs($"{root}.wte", $"{root}.{Values}") ?? [new($"{root}.{Values}", this[Values])];
    }

    public override IEnumerable<StoredTensor> LeftOut(FileFormat format) =>
        format == FileFormat.HuggingFace && IsHuggingFace && _encoder is not null
            ? _encoder.StoredAs("prompt_encoder.default.embedding", "prompt_encoder.default.transform") : [];

    private static Tensor Output(PrefixEncoder encoder)
    {
        using var quiet = no_grad();
        return encoder.forward();
    }

    public override void Describe(System.Text.Json.Nodes.JsonObject config, FileFormat format) => PrefixConfig.Describe(config, _values, this, format);
}
