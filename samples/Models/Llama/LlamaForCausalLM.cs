using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Llama with its head: the next token's logits at every token (https://arxiv.org/abs/2302.13971).</summary>
public partial class LlamaForCausalLM : nn.Module<Tensor, Tensor?, KeyValueCache?, Tensor>
{
    // The model stands first: .to() then moves the embedding before the head that may share its weight, which keeps them one.
    private readonly LlamaModel model;
    private readonly FastLinear lm_head;

    public LlamaForCausalLM(LlamaConfig config) : base(nameof(LlamaForCausalLM))
    {
        model = new LlamaModel(config);
        lm_head = new FastLinear(config.HiddenSize, config.VocabSize, hasBias: false);
        if (config.TieWordEmbeddings) lm_head.weight = model.embed_tokens.weight!;
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no Llama, or its weights do not fit its configuration.</exception>
    public static LlamaForCausalLM FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var llama = new LlamaForCausalLM(LlamaConfig.FromJson(files.Config)).to(dtype);
        files.Load(llama);
        llama.eval();
        return llama;
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens before + tokens]</c>; null: all are real.</param>
    /// <param name="cache">The tokens before, to which these are added; null: there are none.</param>
    /// <returns>Logits <c>[batch, tokens, vocabulary]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, KeyValueCache? cache = null)
    {
        using var hidden_states = model.forward(input_ids, attention_mask, cache);
        return lm_head.forward(hidden_states);
    }
}
