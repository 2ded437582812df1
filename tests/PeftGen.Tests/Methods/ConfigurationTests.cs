using System.Text.Json.Nodes;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Values in the words of HF PEFT and AdapterHub.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string, AdaptAttribute> PeftFiles => new()
    {
        { "lora/llama-patterns", new LoRA() },
        { "lora/llama-exclude", new LoRA() },
        { "ia3/llama", new IA3() },
        { "ln_tuning/llama", new LNTuning() },
        { "trainable_tokens/llama", new TrainableTokens([]) },
    };

    [Theory]
    [MemberData(nameof(PeftFiles))]
    public void What_a_file_of_PEFT_says_is_written_again_without_it(string name, AdaptAttribute method)
    {
        var file = JsonFileOf(name);
        // A new adapter with the file's values: nothing is copied from the file.
        var written = Saved(method.ReadConfig(file));
        foreach (var (field, value) in file)
            if (field is not ("peft_version" or "base_model_name_or_path" or "task_type"))
                Assert.Equal($"{field}: {Text(value)}", $"{field}: {(written.ContainsKey(field) ? Text(written[field]) : "not there")}");
    }

    [Fact]
    public void Every_value_of_LoRA_comes_back()
    {
        var values = new LoRA(rank: 3, alpha: 4.5, targets: "q_proj,v_proj")
        {
            Dropout = 0.1, RsLora = true, Bias = LoRABias.All, BiasInB = true, TrainableTokens = [3, 1], Exclude = "mlp.q_proj",
            Layers = [0, 2], RankPattern = "q_proj=2, v{1,2}_proj=5", AlphaPattern = "v_proj=1.5", Init = LoRAInit.Gaussian,
        };
        var again = Assert.IsType<LoRA>(values.ReadConfig(Written(values)));
        Assert.Equal(values.ToString(), again.ToString());
        Assert.Equal(
            "[LoRA(rank: 3, alpha: 4.5, targets: \"q_proj,v_proj\", Exclude = \"mlp.q_proj\", Layers = new int[] { 0, 2 }, Dropout = 0.1, RsLora = true, Bias = LoRABias.All, " +
            "BiasInB = true, TrainableTokens = new int[] { 3, 1 }, RankPattern = \"q_proj=2, v{1,2}_proj=5\", AlphaPattern = \"v_proj=1.5\", Init = LoRAInit.Gaussian)]",
            values.ToString());
        var gated = new LoRA(rank: 3, targets: "q_proj") { Gated = true, Pooling = GatePooling.Masked };
        Assert.Equal(gated.ToString(), gated.ReadConfig(Written(gated)).ToString());
    }

    [Theory]
    [InlineData("use_dora", "true")]
    [InlineData("use_qalora", "true")]
    [InlineData("layer_replication", "[[0,4],[2,5]]")]
    [InlineData("alora_invocation_tokens", "[5]")]
    [InlineData("target_parameters", "[\"experts.weight\"]")]
    [InlineData("loftq_config", "{\"loftq_bits\":4}")]
    [InlineData("init_lora_weights", "\"pissa\"")]
    [InlineData("trainable_token_indices", "{\"pooler\":[1]}")]
    [InlineData("bias", "\"some\"")]
    [InlineData("r", "\"8\"")]
    public void What_LoRA_does_not_do_is_refused_by_its_name(string field, string value)
    {
        var file = JsonFileOf("lora/llama-patterns");
        file[field] = JsonNode.Parse(value);
        var error = Assert.Throws<AdapterException>(() => new LoRA().ReadConfig(file));
        Assert.StartsWith($"'{field}' is {value}", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("init_lora_weights", "false")]
    [InlineData("init_lora_weights", "\"orthogonal\"")]
    [InlineData("layers_to_transform", "[]")]
    [InlineData("layers_to_transform", "1")]
    [InlineData("loftq_config", "null")]
    public void What_does_not_change_a_loaded_adapter_is_accepted(string field, string value)
    {
        var file = JsonFileOf("lora/llama-patterns");
        file[field] = JsonNode.Parse(value);
        var read = (LoRA)new LoRA().ReadConfig(file);
        Assert.Equal(value == "1" ? [1] : null, read.Layers);
    }

    [Fact]
    public void Roles_are_written_as_names_that_PEFT_matches()
    {
        var written = Saved(new LoRA(rank: 2, targets: "q,v,ffn_out") { Exclude = "v" });
        Assert.Equal("[\"down_proj\",\"q_proj\"]", Text(written["target_modules"]));
        Assert.Equal("[\"v_proj\"]", Text(written["exclude_modules"]));
        Assert.Equal("[\"o_proj\"]", Text(Saved(new LoRA(targets: "q") { ModulesToSave = "o" })["modules_to_save"]));
        Assert.Equal("[\"input_layernorm\",\"norm\",\"post_attention_layernorm\"]", Text(Saved(new LNTuning())["target_modules"]));
    }

    [Fact]
    public void What_is_left_out_stands_in_the_names()
    {
        var model = Tiny.TreeHost.Of(TestData.Path("hosts", "llama"));
        var written = Saved(new LoRA(rank: 2, targets: "q,v") { LeaveOut = [0] });
        Assert.Equal("[\"model.layers.1.self_attn.q_proj\",\"model.layers.1.self_attn.v_proj\"]", Text(written["target_modules"]));
        written = Saved(new IA3("regex:.*[kv]_proj", "") { LeaveOut = [1] });
        Assert.Equal("[\"model.layers.0.self_attn.k_proj\",\"model.layers.0.self_attn.v_proj\"]", Text(written["target_modules"]));

        JsonObject Saved(AdaptAttribute values)
        {
            using var folder = new TempFolder();
            using var adapter = model.Create(values);
            adapter.Save(folder.Path);
            return JsonNode.Parse(File.ReadAllText(folder["adapter_config.json"]))!.AsObject();
        }
    }

    [Fact]
    public void Blocks_that_are_left_out_are_counted_through_all_stacks()
    {
        var model = Tiny.TreeHost.Of(TestData.Path("hosts", "t5"));
        var first = model.named_children().First(c => c.name is "encoder" or "decoder").name;
        var second = first == "encoder" ? "decoder" : "encoder";
        using var adapter = model.Create(new LoRA(rank: 2, targets: "o") { LeaveOut = [1, 2] });
        var blocks = adapter.Slots().Select(slot => string.Join('.', slot.Path.Split('.')[..3])).Distinct().Order();
        Assert.Equal(((string[])[$"{first}.block.0", $"{second}.block.1"]).Order(), blocks);
    }

    [Fact]
    public void A_regular_expression_stays_one()
    {
        var file = JsonFileOf("lora/llama-patterns");
        file["target_modules"] = @".*(q|k)_proj{1,1}";
        file["exclude_modules"] = "k_.*";
        var read = (LoRA)new LoRA().ReadConfig(file);
        Assert.Equal(("regex:.*(q|k)_proj{1,1}", "regex:k_.*"), (read.Targets, read.Exclude));
        var written = Saved(read);
        Assert.Equal((".*(q|k)_proj{1,1}", "k_.*"), ((string?)written["target_modules"], (string?)written["exclude_modules"]));
    }

    [Theory]
    [InlineData("k,v,ffn_out", "ffn_out", "[\"down_proj\",\"k_proj\",\"v_proj\"]", "[\"down_proj\"]")]
    [InlineData("k_proj,v_proj", "down_proj", "[\"k_proj\",\"v_proj\"]", "[]")]
    [InlineData("k,down_proj", "ffn_out", "[\"down_proj\",\"k_proj\"]", "[\"down_proj\"]")]
    public void IA3_writes_as_feedforward_what_is_among_its_targets(string targets, string feedforward, string writtenTargets, string writtenFeedforward)
    {
        var written = Saved(new IA3(targets, feedforward));
        Assert.Equal(writtenTargets, Text(written["target_modules"]));
        Assert.Equal(writtenFeedforward, Text(written["feedforward_modules"]));
    }

    [Fact]
    public void A_union_of_AdapterHub_is_read_by_each_method()
    {
        var parts = JsonFileOf("unipelt/bert_flat")["config"]!["configs"]!.AsArray().Select(part => part!.AsObject()).ToList();
        Assert.Equal("[PrefixTuning(length: 3, positions: PrefixPositions.Kept, Gated = true)]", Read(new PrefixTuning(), parts[0]).ToString());
        Assert.Equal("[Bottleneck(reduction: 8, Gated = true)]", Read(new Bottleneck(), parts[1]).ToString());
        Assert.Equal("[LoRA(rank: 3, alpha: 2, targets: \"q,v\", Gated = true)]", Read(new LoRA(), parts[2]).ToString());

        AdaptAttribute Read(AdaptAttribute method, JsonObject part)
        {
            Assert.Equal(part == parts[0], new PrefixTuning().Reads(part));
            Assert.Equal(part == parts[1], new Bottleneck().Reads(part));
            Assert.Equal(part == parts[2], new LoRA().Reads(part));
            return method.ReadConfig(part);
        }
    }

    [Theory]
    [InlineData(1, "inv_adapter", "\"nice\"")]
    [InlineData(1, "scaling", "\"learnt\"")]
    [InlineData(1, "residual_before_ln", "\"pre_add\"")]
    [InlineData(1, "init_weights", "\"lora\"")]
    [InlineData(2, "use_dora", "true")]
    [InlineData(2, "composition_mode", "\"scale\"")]
    public void Other_forms_of_AdapterHub_are_refused_by_their_name(int part, string field, string value)
    {
        var config = JsonFileOf("unipelt/bert_flat")["config"]!["configs"]![part]!.AsObject();
        config[field] = JsonNode.Parse(value);
        AdaptAttribute method = part switch { 0 => new PrefixTuning(), 1 => new Bottleneck(), _ => new LoRA() };
        Assert.Contains($"'{field}'", Assert.Throws<AdapterException>(() => method.ReadConfig(config)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[Houlsby(reduction: 8)]", "mh_adapter=true;original_ln_before=false;non_linearity=\"swish\";use_gating=false")]
    [InlineData("[ParallelAdapter(reduction: 8, Gated = true)]", "is_parallel=true;original_ln_before=false;scaling=4.0;init_weights=\"mam_adapter\"")]
    [InlineData("[AdapterPlus(reduction: 8, Gated = true)]", "original_ln_after=false;residual_before_ln=false;scaling=\"channel\";non_linearity=\"gelu\";stochastic_depth=0.1;init_weights=\"houlsby\"")]
    [InlineData("[Bottleneck(ReductionPattern = \"0=2, 3=8\", LeaveOut = new int[] { 1 }, Gated = true)]", "reduction_factor={\"0\":2,\"3\":8,\"default\":16};leave_out=[1]")]
    [InlineData("[Bottleneck(reduction: 8, targets: \"self_attention,cross_attention\", ResidualBeforeLn = AdapterResidual.PostAdd, LnBefore = true, LnAfter = true, AdapterResidualBeforeLn = true, Gated = true, Dropout = 0.25)]",
        "mh_adapter=true;cross_adapter=true;output_adapter=false;residual_before_ln=\"post_add\";ln_before=true;ln_after=true;adapter_residual_before_ln=true;dropout=0.25")]
    [InlineData("[CompacterPlusPlus(reduction: 8, NonLinearity = \"relu\", Gated = true)]", "phm_layer=true")]
    [InlineData("[Compacter(reduction: 8, PhmDim = 2, PhmRank = 3, SharedPhmRule = false, FactorizedPhmRule = true, FactorizedPhmW = false, SharedPhmW = true, PhmBias = false)]",
        "phm_layer=true;phm_dim=2;phm_rank=3;shared_phm_rule=false;factorized_phm_rule=true;factorized_phm_W=false;shared_W_phm=true;phm_bias=false;mh_adapter=true;original_ln_before=false;non_linearity=\"gelu\";use_gating=false")]
    public void A_bottleneck_of_AdapterHub_is_declared_by_the_name_that_has_to_say_least_and_comes_back_from_ours(string declaration, string settings)
    {
        var config = JsonFileOf("unipelt/bert_flat")["config"]!["configs"]![1]!.AsObject();
        foreach (var setting in settings.Split(';'))
            config[setting[..setting.IndexOf('=', StringComparison.Ordinal)]] = JsonNode.Parse(setting[(setting.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        var values = Assert.Single(AdapterDeclaration.Read(config).Methods);
        Assert.Equal(declaration, values.ToString());
        var ours = new JsonObject { ["peft_type"] = values.PeftType };
        values.WriteConfig(ours, new Dictionary<Claim, IReadOnlyList<string>>());
        Assert.Equal(values.ToString(), Assert.Single(AdapterDeclaration.Read(ours).Methods).ToString());
    }

    [Fact]
    public void Methods_without_a_form_in_PEFT_come_back_from_their_own()
    {
        foreach (var method in (AdaptAttribute[])
            [
                new PrefixTuning(4, "layers.0") { Gated = true, Pooling = GatePooling.Masked },
                new MTLLoRA(3, 2, 5, "layers.1") { Projections = 2, Sharpness = 0.5, Dropout = 0.25 },
                new PrefixTuning(4, positions: PrefixPositions.Kept) { Projection = 6, ProjectionInput = 3, Gated = true, SharedGate = false, Dropout = 0.25, LeaveOut = [1] },
                new PrefixTuning(4, "**.SelfAttention") { Slices = PrefixSlices.AsHuggingFaceT5 },
                new AdaptionPrompt(4, 2, "attn") { TaskType = "CAUSAL_LM" },
                new Bottleneck(5.5, "layers.1") { NonLinearity = "swish", Scaling = 0.25, Gated = true, Pooling = GatePooling.Masked },
                new Houlsby(5.5, "layers.1") { LeaveOut = [3], ReductionPattern = "0=2", LearnedScaling = LearnedScaling.Channel, StochasticDepth = 0.25 },
                new ParallelAdapter(targets: "layers.1") { Scaling = 0.5, Init = BottleneckInit.Houlsby },
                new CompacterPlusPlus { PhmDim = 2 },
            ])
        {
            var config = new JsonObject { ["peft_type"] = method.PeftType };
            method.WriteConfig(config, method.Claims.ToDictionary(claim => claim, claim => (IReadOnlyList<string>)[claim.Targets.Text]));
            Assert.True(method.Reads(config));
            Assert.Equal(method.ToString(), method.ReadConfig(config).ToString());
        }
    }

    private static JsonObject JsonFileOf(string name) => JsonNode.Parse(File.ReadAllText(TestData.Path("cases", name, "adapter", "adapter_config.json")))!.AsObject();

    /// <summary>The configuration that saving an adapter with these values writes, on a host with Llama's names.</summary>
    private static JsonObject Saved(AdaptAttribute values)
    {
        using var folder = new TempFolder();
        var host = new LayerHost(
            ("embed_tokens", nn.Embedding(97, 6)), ("input_layernorm", nn.LayerNorm(6)), ("q_proj", nn.Linear(6, 6)), ("k_proj", nn.Linear(6, 6)),
            ("v_proj", nn.Linear(6, 6)), ("o_proj", nn.Linear(6, 6)), ("post_attention_layernorm", nn.LayerNorm(6)), ("down_proj", nn.Linear(6, 6)), ("norm", nn.LayerNorm(6)));
        host.Create(values).Save(folder.Path);
        return JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Path, "adapter_config.json")))!.AsObject();
    }

    private static JsonObject Written(LoRA values)
    {
        var config = new JsonObject { ["peft_type"] = values.PeftType };
        values.WriteConfig(config, values.NamedClaims.ToDictionary(claim => claim, claim => (IReadOnlyList<string>)claim.Targets.Text.Split(',')));
        return config;
    }

    private static string Text(JsonNode? value) => (value?.ToJsonString() ?? "null").Replace("0.0", "0", StringComparison.Ordinal);
}
