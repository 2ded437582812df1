namespace PeftGen.Generators.Tests;

/// <summary>The methods with their defaults on models whose names are nobody's but their authors': each role finds what it means, and an adapter is made, learns and merges.</summary>
public class SpellingTests
{
    private static readonly Dictionary<string, string> _models = new()
    {
        ["Underscores"] = SpelledModels.Underscores, ["Pascal"] = SpelledModels.Pascal, ["BareWords"] = SpelledModels.BareWords, ["Terse"] = SpelledModels.Terse,
    };

    [Theory]
    [InlineData("Underscores", "_attn._qkv")]
    [InlineData("Pascal", "Attention.Wq Attention.Wv")]
    [InlineData("BareWords", "selfAttn.query selfAttn.value")]
    [InlineData("Terse", "mha.to_q mha.to_v")]
    public void QueriesAndValues(string model, string sites) => Check("LoRA(2, targets: \"q,v\")", model, sites);

    [Theory]
    [InlineData("Underscores", "_attn._qkv _attn._proj _ffwd._expand _ffwd._contract")]
    [InlineData("Pascal", "Attention.Wq Attention.Wk Attention.Wv Attention.Wo FeedForward.W1 FeedForward.W2 FeedForward.W3")]
    [InlineData("BareWords", "selfAttn.query selfAttn.key selfAttn.value selfAttn.fc_out feed_forward.0 feed_forward.2")]
    [InlineData("Terse", "mha.to_q mha.to_k mha.to_v mha.to_out.0 ff.a ff.b")]
    public void AllLinearButTheHead(string model, string sites) => Check("LoRA(2, targets: \"all-linear\")", model, sites);

    [Theory]
    [InlineData("Underscores", "_attn._proj _ffwd._expand")]
    [InlineData("Pascal", "Attention.Wo FeedForward.W1 FeedForward.W3")]
    [InlineData("BareWords", "selfAttn.fc_out feed_forward.0")]
    [InlineData("Terse", "mha.to_out.0 ff.a")]
    public void OutputsOfAttentionAndFirstLayersOfNetworks(string model, string sites) => Check("LoRA(2, targets: \"o,ffn_in\")", model, sites);

    [Theory]
    [InlineData("Underscores", "_attn._qkv _ffwd._contract")]
    [InlineData("Pascal", "Attention.Wk Attention.Wv FeedForward.W2")]
    [InlineData("BareWords", "selfAttn.key selfAttn.value feed_forward.2")]
    [InlineData("Terse", "mha.to_k mha.to_v ff.b")]
    public void Ia3(string model, string sites) => Check("IA3", model, sites);

    [Theory]
    [InlineData("Underscores", "_ffwd")]
    [InlineData("Pascal", "FeedForward")]
    [InlineData("BareWords", "feed_forward")]
    [InlineData("Terse", "ff")]
    public void BottleneckAfterNetworks(string model, string sites) => Check("Bottleneck(2)", model, sites, isIdentity: false);

    [Theory]
    [InlineData("Underscores", "_attn _ffwd")]
    [InlineData("Pascal", "Attention FeedForward")]
    [InlineData("BareWords", "selfAttn feed_forward")]
    [InlineData("Terse", "mha ff")]
    public void BottleneckAfterBoth(string model, string sites) => Check("Houlsby(2)", model, sites, isIdentity: false);

    [Theory]
    [InlineData("Underscores", "_attn")]
    [InlineData("Pascal", "Attention")]
    [InlineData("BareWords", "selfAttn")]
    [InlineData("Terse", "mha")]
    public void Prefix(string model, string sites)
    {
        var run = Declared.Check("PrefixTuning(3)", _models[model], isIdentity: false);
        Assert.Equal(InBlocks(model, sites), run.Sites.Where(site => site.Contains('.')));
    }

    [Theory]
    [InlineData("Underscores", "_tokenEmbedding")]
    [InlineData("Pascal", "TokEmbeddings")]
    [InlineData("BareWords", "embedding")]
    [InlineData("Terse", "wte")]
    public void Prompt(string model, string site)
    {
        var run = Declared.Check("PromptTuning(3)", _models[model], isIdentity: false);
        Assert.Contains(site, run.Sites);
        Assert.Equal(8, run.Adapted().shape[1]);
    }

    [Theory]
    [InlineData("Underscores", "_blocks.0._ln1 _blocks.0._ln2 _blocks.1._ln1 _blocks.1._ln2 _lnF")]
    [InlineData("Pascal", "Layers.0.AttentionNorm.weight Layers.0.FfnNorm.weight Layers.1.AttentionNorm.weight Layers.1.FfnNorm.weight Norm.weight")]
    [InlineData("BareWords", "encoderLayers.0.norm1 encoderLayers.0.norm2 encoderLayers.1.norm1 encoderLayers.1.norm2")]
    public void Norms(string model, string sites) => Assert.Equal(sites.Split(' '), Declared.Check("LNTuning", _models[model]).Sites.Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("Underscores")]
    [InlineData("Pascal")]
    [InlineData("BareWords")]
    [InlineData("Terse")]
    public void ReFTOnBlocks(string model) => Assert.Equal(InBlocks(model, ""), Declared.Check("LoReFT(2, Dropout = 0)", _models[model], isIdentity: false).Sites);

    [Theory]
    [InlineData("Underscores", "_drop")]
    [InlineData("Pascal", "TokEmbeddings")]
    [InlineData("BareWords", "embedding")]
    [InlineData("Terse", "wte")]
    public void InvertibleAfterEmbeddings(string model, string site) => Assert.Contains(site, Declared.Check("Invertible", _models[model], isIdentity: false).Sites);

    [Theory]
    [InlineData("Underscores")]
    [InlineData("Pascal")]
    [InlineData("BareWords")]
    [InlineData("Terse")]
    public void Combinations(string model)
    {
        Declared.Check("MAM(2, Projection = 4)", _models[model], isIdentity: false);
        Declared.Check("UniPELT(2, 2, 2, Projection = 4, Pooling = GatePooling.All)", _models[model], isIdentity: false);
    }

    private static void Check(string attribute, string model, string sites, bool isIdentity = true) =>
        Assert.Equal(InBlocks(model, sites), Declared.Check(attribute, _models[model], isIdentity).Sites);

    private static IEnumerable<string> InBlocks(string model, string sites)
    {
        var list = model switch { "Underscores" => "_blocks", "Pascal" => "Layers", "BareWords" => "encoderLayers", _ => "h" };
        return from block in Enumerable.Range(0, 2) from site in sites.Split(' ') select site.Length == 0 ? $"{list}.{block}" : $"{list}.{block}.{site}";
    }
}
