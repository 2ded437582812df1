using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Models;

namespace PeftGen.Tests.Models;

public sealed class ModelConfigTests
{
    private const string Llama = """
        {"model_type":"llama","vocab_size":97,"hidden_size":32,"intermediate_size":88,"num_hidden_layers":2,"num_attention_heads":4}
        """;

    private const string Bert = """
        {"model_type":"bert","vocab_size":97,"hidden_size":32,"intermediate_size":72,"num_hidden_layers":2,"num_attention_heads":4}
        """;

    private const string ViT = """
        {"model_type":"vit","hidden_size":32,"intermediate_size":72,"num_hidden_layers":2,"num_attention_heads":4}
        """;

    private const string CLIP = """
        {"model_type":"clip","text_config":{},"vision_config":{}}
        """;

    [Fact]
    public void What_an_old_llama_file_does_not_say_is_as_in_the_first_llama()
    {
        var config = LlamaConfig.FromJson(Parse(Llama));
        Assert.Equal(
            new LlamaConfig { VocabSize = 97, HiddenSize = 32, IntermediateSize = 88, NumHiddenLayers = 2, NumAttentionHeads = 4, NumKeyValueHeads = 4, HeadDim = 8 },
            config);
    }

    [Theory]
    [InlineData("rope_theta", "500000.0")]
    [InlineData("rope_parameters", """{"rope_type":"default","rope_theta":500000}""")]
    public void The_rotary_base_stands_in_either_place(string name, string value)
    {
        Assert.Equal(new RopeParameters(500_000), LlamaConfig.FromJson(With(Llama, name, value)).Rope);
    }

    [Theory]
    [InlineData("type")]
    [InlineData("rope_type")]
    public void Llama_3_scaling_is_read(string field)
    {
        var json = With(Llama, "rope_scaling", $$"""{"{{field}}":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}""");
        Assert.Equal(new RopeParameters(10_000, new Llama3Scaling(8, 1, 4, 8192)), LlamaConfig.FromJson(json).Rope);
    }

    /// <summary>Values of transformers' own computation for Llama 3.1: base 500 000, head 64 wide.</summary>
    [Fact]
    public void Llama_3_scaling_is_the_reference_one()
    {
        float[] expected = [1f, 0.6636013f, 0.4403666f, 0.2922278f, 0.1939228f, 0.1286874f, 0.0853971f, 0.05666962f, 0.03760603f, 0.02495541f, 0.01656044f, 0.01098953f, 0.007292665f, 0.004839421f, 0.003211446f, 0.001371894f, 0.000524846f, 0.0001785078f, 7.784655e-05f, 5.165907e-05f, 3.428102e-05f, 2.274893e-05f, 1.509622e-05f, 1.001787e-05f, 6.64787e-06f, 4.411535e-06f, 2.9275e-06f, 1.942693e-06f, 1.289173e-06f, 8.554969e-07f, 5.677088e-07f, 3.767323e-07f];
        var frequencies = new RopeParameters(500_000, new Llama3Scaling(8, 1, 4, 8192)).Frequencies(64);
        Assert.Equal(expected.Length, frequencies.Length);
        for (var i = 0; i < expected.Length; i++) Assert.InRange(frequencies[i] / expected[i], 1 - 1e-5f, 1 + 1e-5f);
    }

    [Theory]
    [InlineData("model_type", "\"gpt2\"", "model_type is gpt2, expected llama")]
    [InlineData("model_type", "null", "model_type is absent, expected llama")]
    [InlineData("vocab_size", "null", "the field 'vocab_size' is absent")]
    [InlineData("hidden_size", "\"32\"", "'hidden_size' is \"32\", expected a whole number above 0")]
    [InlineData("num_hidden_layers", "0", "'num_hidden_layers' is 0, expected a whole number above 0")]
    [InlineData("num_key_value_heads", "3", "'num_key_value_heads' is 3, expected a divisor of num_attention_heads, 4")]
    [InlineData("head_dim", "7", "'head_dim' is 7, expected an even number")]
    [InlineData("hidden_act", "\"gelu\"", "'hidden_act' is \"gelu\", expected \"silu\"")]
    [InlineData("attention_bias", "1", "'attention_bias' is 1, expected true or false")]
    [InlineData("rms_norm_eps", "\"1e-5\"", "'rms_norm_eps' is \"1e-5\", expected a number")]
    [InlineData("rope_scaling", "[]", "'rope_scaling' is [], expected an object")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\"}", "rope_scaling: 'type' is \"yarn\", expected \"default\" or \"llama3\"")]
    [InlineData("rope_parameters", "{\"rope_type\":\"linear\",\"factor\":2}", "rope_parameters: 'rope_type' is \"linear\"")]
    [InlineData("rope_parameters", "{\"rope_type\":\"llama3\"}", "rope_parameters: the field 'factor' is absent")]
    public void A_llama_that_cannot_be_computed_is_refused(string name, string value, string expected) =>
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => LlamaConfig.FromJson(With(Llama, name, value))).Message);

    [Theory]
    [InlineData("model_type", "\"roberta\"", "model_type is roberta, expected bert")]
    [InlineData("hidden_act", "\"relu\"", "'hidden_act' is \"relu\", expected \"gelu\"")]
    [InlineData("num_attention_heads", "5", "'num_attention_heads' is 5, expected a divisor of hidden_size, 32")]
    [InlineData("position_embedding_type", "\"relative_key\"", "'position_embedding_type' is \"relative_key\"")]
    [InlineData("is_decoder", "true", "'is_decoder' is true, expected false")]
    [InlineData("id2label", "3", "'id2label' is 3, expected an object")]
    public void A_bert_that_cannot_be_computed_is_refused(string name, string value, string expected) =>
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => BertConfig.FromJson(With(Bert, name, value))).Message);

    [Theory]
    [InlineData("model_type", "\"deit\"", "model_type is deit, expected vit")]
    [InlineData("hidden_act", "\"relu\"", "'hidden_act' is \"relu\", expected \"gelu\"")]
    [InlineData("num_attention_heads", "5", "'num_attention_heads' is 5, expected a divisor of hidden_size, 32")]
    [InlineData("image_size", "[224,224]", "'image_size' is [224,224], expected a whole number above 0")]
    [InlineData("patch_size", "256", "'patch_size' is 256, expected at most image_size, 224")]
    public void A_vit_that_cannot_be_computed_is_refused(string name, string value, string expected) =>
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => ViTConfig.FromJson(With(ViT, name, value))).Message);

    [Theory]
    [InlineData("model_type", "\"siglip\"", "model_type is siglip, expected clip")]
    [InlineData("text_config", "null", "'text_config' is absent, expected an object")]
    [InlineData("vision_config", "3", "'vision_config' is 3, expected an object")]
    [InlineData("text_config", "{\"hidden_act\":\"relu\"}", "text_config: 'hidden_act' is \"relu\", expected \"quick_gelu\" or \"gelu\"")]
    [InlineData("text_config", "{\"num_attention_heads\":5}", "text_config: 'num_attention_heads' is 5, expected a divisor of hidden_size, 512")]
    [InlineData("vision_config", "{\"patch_size\":256}", "vision_config: 'patch_size' is 256, expected at most image_size, 224")]
    public void A_clip_that_cannot_be_computed_is_refused(string name, string value, string expected) =>
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => CLIPConfig.FromJson(With(CLIP, name, value))).Message);

    [Fact]
    public void What_a_clip_file_does_not_say_is_as_in_ViT_B_32()
    {
        var config = CLIPConfig.FromJson(Parse(CLIP));
        Assert.Equal((512, 2048, 12, 8), Sizes(config.Text.Encoder));
        Assert.Equal((768, 3072, 12, 12), Sizes(config.Vision.Encoder));
        Assert.Equal((49408, 77, 49407, 512), (config.Text.VocabSize, config.Text.MaxPositionEmbeddings, config.Text.EosTokenId, config.ProjectionDim));
        Assert.Equal(49, config.Vision.Patches);

        static (long, long, long, long) Sizes(CLIPEncoderConfig tower) => (tower.HiddenSize, tower.IntermediateSize, tower.NumHiddenLayers, tower.NumAttentionHeads);
    }

    [Fact]
    public void Labels_are_counted()
    {
        Assert.Equal(2, BertConfig.FromJson(Parse(Bert)).NumLabels);
        Assert.Equal(3, BertConfig.FromJson(With(Bert, "id2label", """{"0":"a","1":"b","2":"c"}""")).NumLabels);
        Assert.Equal(3, ViTConfig.FromJson(With(ViT, "id2label", """{"0":"a","1":"b","2":"c"}""")).NumLabels);
    }

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();

    private static JsonObject With(string json, string name, string value)
    {
        var config = Parse(json);
        config[name] = JsonNode.Parse(value);
        return config;
    }
}
