using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>T5 with its head: the next output token's logits, given an input (https://arxiv.org/abs/1910.10683).</summary>
public partial class T5ForConditionalGeneration : nn.Module<Tensor, Tensor, Tensor?, Tensor?, T5Cache?, Tensor>
{
    // The embedding stands first: .to() then moves it before the head that may share its weight, which keeps them one.
    private readonly Embedding shared;
    private readonly T5Stack encoder;
    private readonly T5Stack decoder;
    private readonly Linear lm_head;
    private readonly double outputScale;

    public T5ForConditionalGeneration(T5Config config) : base(nameof(T5ForConditionalGeneration))
    {
        shared = nn.Embedding(config.VocabSize, config.ModelSize);
        encoder = new T5Stack(config, isDecoder: false);
        decoder = new T5Stack(config, isDecoder: true);
        lm_head = nn.Linear(config.ModelSize, config.VocabSize, hasBias: false);
        if (config.TieWordEmbeddings) lm_head.weight = shared.weight!;
        outputScale = config.ScaleDecoderOutputs ? 1 / Math.Sqrt(config.ModelSize) : 1;
        Config = config;
        RegisterComponents();
    }

    /// <summary>The model's sizes.</summary>
    public T5Config Config { get; }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no T5, or its weights do not fit its configuration.</exception>
    public static T5ForConditionalGeneration FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var t5 = new T5ForConditionalGeneration(ConfigOf(files)).to(dtype);
        files.Load(t5);
        t5.eval();
        return t5;
    }

    /// <summary>The output tokens moved one to the right, behind the token that the decoder begins with: what it is fed in training.</summary>
    /// <param name="labels">Output tokens, −100 where the loss leaves one out: <c>[batch, output tokens]</c>.</param>
    /// <returns><c>[batch, output tokens]</c>.</returns>
    public Tensor ShiftedRight(Tensor labels)
    {
        using var scope = NewDisposeScope();
        var start = full([labels.shape[0], 1], Config.DecoderStartToken, labels.dtype, labels.device);
        var moved = cat([start, labels.narrow(1, 0, labels.shape[1] - 1)], 1);
        return moved.masked_fill(moved.eq(-100), Config.PadToken).MoveToOuterDisposeScope();
    }

    /// <param name="input_ids"><c>[batch, input tokens]</c>; not looked at where <paramref name="encoded"/> is given.</param>
    /// <param name="decoder_input_ids"><c>[batch, output tokens]</c>: <see cref="ShiftedRight"/> in training, the new ones in generation.</param>
    /// <param name="attention_mask">1 at real input tokens, 0 at padding, <c>[batch, input tokens]</c>; null: all are real.</param>
    /// <param name="encoded">What <see cref="encode"/> returned for the input; null: it is encoded here.</param>
    /// <param name="cache">The output tokens before, to which these are added; null: there are none.</param>
    /// <returns>Logits <c>[batch, output tokens, vocabulary]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor decoder_input_ids, Tensor? attention_mask = null, Tensor? encoded = null, T5Cache? cache = null)
    {
        using var scope = NewDisposeScope();
        var read = encoded ?? encode(input_ids, attention_mask);
        var past = cache?.Length ?? 0;
        var tokens = decoder_input_ids.shape[1];
        var visible = ones([1, 1, tokens, past + tokens], ScalarType.Bool, read.device).tril(past);
        using var streams = new T5Streams { Mask = Additive(visible, read.dtype), Encoded = read, EncodedMask = Seen(attention_mask, read.dtype), Cache = cache };
        var hidden_states = decoder.forward(shared.forward(decoder_input_ids), streams);
        return lm_head.forward(outputScale == 1 ? hidden_states : hidden_states * outputScale).MoveToOuterDisposeScope();
    }

    /// <summary>Reads the input, once for a whole generation.</summary>
    /// <inheritdoc cref="forward" path="/param"/>
    /// <returns><c>[batch, input tokens, d_model]</c>.</returns>
    public Tensor encode(Tensor input_ids, Tensor? attention_mask = null)
    {
        using var scope = NewDisposeScope();
        var embedded = shared.forward(input_ids);
        using var streams = new T5Streams { Mask = Seen(attention_mask, embedded.dtype) ?? zeros([1, 1, 1, 1], embedded.dtype, embedded.device) };
        return encoder.forward(embedded, streams).MoveToOuterDisposeScope();
    }

    private static Tensor? Seen(Tensor? attention_mask, ScalarType dtype) => attention_mask is null ? null : Additive(attention_mask.to(ScalarType.Bool).unsqueeze(1).unsqueeze(1), dtype);

    // Not −∞: a row of padding that sees nothing would become NaN.
    private static Tensor Additive(Tensor visible, ScalarType dtype) => zeros(visible.shape, dtype, visible.device).masked_fill_(visible.logical_not(), finfo(dtype).min);

    /// <summary>The configuration, but a head that the folder has with values of its own is not tied, whatever the configuration says: T5 1.1 is saved so.</summary>
    private static T5Config ConfigOf(HuggingFaceFolder files)
    {
        const string Head = "lm_head.weight", Shared = "shared.weight";
        var config = T5Config.FromJson(files.Config);
        if (!config.TieWordEmbeddings || !files.Names.Contains(Head) || !files.Names.Contains(Shared))
            return config;
        using var head = files.Read(Head);
        using var shared = files.Read(Shared);
        return config with { TieWordEmbeddings = head.shape.SequenceEqual(shared.shape) && head.allclose(shared, 0, 0) };
    }
}
