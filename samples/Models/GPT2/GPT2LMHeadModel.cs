using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>GPT-2 with its head: the next token's logits at every token (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019).</summary>
public partial class GPT2LMHeadModel : nn.Module<Tensor, Tensor?, Tensor?, KeyValueCache?, Tensor>
{
    // The model stands first: .to() then moves the embedding before the head that shares its weight, which keeps them one.
    private readonly GPT2Model transformer;
    private readonly Linear lm_head;

    public GPT2LMHeadModel(GPT2Config config) : base(nameof(GPT2LMHeadModel))
    {
        transformer = new GPT2Model(config);
        lm_head = nn.Linear(config.HiddenSize, config.VocabSize, hasBias: false);
        if (config.TieWordEmbeddings) lm_head.weight = transformer.wte.weight!;
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no GPT-2, or its weights do not fit its configuration.</exception>
    public static GPT2LMHeadModel FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var gpt2 = new GPT2LMHeadModel(GPT2Config.FromJson(files.Config)).to(dtype);
        // The published files are older than the head's class: they name the decoder alone, and have the causal mask as buffers.
        const string Decoder = "transformer.";
        var isDecoder = files.Names.Contains("wte.weight");
        files.Load(
            gpt2, name => isDecoder && name.StartsWith(Decoder, StringComparison.Ordinal) ? name[Decoder.Length..] : name,
            mayBeSurplus: files.Names.Where(name => name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal)).ToHashSet());
        gpt2.eval();
        return gpt2;
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens before + tokens]</c>; null: all are real.</param>
    /// <param name="position_ids"><c>[batch, tokens]</c>; null: counted from each row's first real token.</param>
    /// <param name="cache">The tokens before, to which these are added; null: there are none.</param>
    /// <returns>Logits <c>[batch, tokens, vocabulary]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, Tensor? position_ids = null, KeyValueCache? cache = null)
    {
        using var hidden_states = transformer.forward(input_ids, attention_mask, position_ids, cache);
        return lm_head.forward(hidden_states);
    }
}
