using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

namespace PeftGen.Methods;

/// <summary>LoRA's values in files of HF PEFT and AdapterHub.</summary>
internal static class LoRAConfig
{
    /// <summary>Fields of HF PEFT that ask for what this library's LoRA does not do, with what they mean; all are off by default.</summary>
    private static readonly IReadOnlyList<(string field, string what)> Foreign =
    [
        ("use_dora", "DoRA"), ("use_qalora", "QA-LoRA"), ("use_bdlora", "BD-LoRA"), ("alora_invocation_tokens", "activated LoRA"),
        ("arrow_config", "Arrow"), ("kasa_config", "KaSA"), ("velora_config", "VeLoRA"), ("monteclora_config", "MonteCLoRA"),
        ("loftq_config", "LoftQ"), ("corda_config", "CorDA"), ("lora_ga_config", "LoRA-GA"), ("megatron_config", "Megatron"),
        ("layer_replication", "layer replication"), ("target_parameters", "LoRA on bare parameters"),
        ("ensure_weight_tying", "tied adapters"),
    ];

    public static bool IsAdapterHub(JsonObject config) => HubLinears.IsHub(config, scales: false);

    public static LoRA Read(JsonObject json) => json.ContainsKey("architecture") ? ReadAdapterHub(json) : ReadHuggingFace(json);

    private static LoRA ReadHuggingFace(JsonObject json)
    {
        var config = new ConfigReader(json);
        foreach (var (field, what) in Foreign)
            config.Refuse(field, what);
        // Starts that leave the base alone do not matter once the values are read.
        config.Refuse("init_lora_weights", "a start that moves a part of the base's weights into the adapter", "true", "\"gaussian\"", "\"orthogonal\"", "\"eva\"");
        var bias = config.Text("bias") ?? "none";
        return new LoRA(config.Size("r", 8), config.Double("lora_alpha", 8), config.Targets("target_modules") ?? "q,v")
        {
            Dropout = config.Dropout("lora_dropout", 0),
            RsLora = config.Bool("use_rslora", false),
            BiasInB = config.Bool("lora_bias", false),
            Bias = bias switch
            {
                "none" => LoRABias.None,
                "all" => LoRABias.All,
                "lora_only" => LoRABias.LoraOnly,
                _ => throw new AdapterException($"'bias' is \"{bias}\", expected \"none\", \"all\" or \"lora_only\"."),
            },
            Exclude = config.Targets("exclude_modules"),
            Layers = config.Ints("layers_to_transform"),
            LayerLists = config.Expressions("layers_pattern"),
            RankPattern = config.Patterns("rank_pattern"),
            AlphaPattern = config.Patterns("alpha_pattern"),
            TrainableTokens = TokensOf(json, config),
            Init = json["init_lora_weights"]?.ToJsonString() == "\"gaussian\"" ? LoRAInit.Gaussian : LoRAInit.Kaiming,
            Gated = config.Text("peft_type") == LoRA.GatedType,
            Pooling = config.Choice("gate_pooling", GatePooling.All),
        };
    }

    private static LoRA ReadAdapterHub(JsonObject json)
    {
        var config = new ConfigReader(json);
        HubLinears.RefuseOthers(config);
        config.Refuse("composition_mode", "a composition other than the sum", "\"add\"");
        return new LoRA(config.Size("r", 8), config.Double("alpha", 8), HubLinears.Targets(config))
        {
            Dropout = config.Dropout("dropout", 0),
            LeaveOut = config.Ints("leave_out"),
            Gated = config.Bool("use_gating", false),
        };
    }

    /// <summary>Writes AdapterHub's configuration.</summary>
    public static void WriteHub(LoRA values, JsonObject config, HubPlaces places)
    {
        HubForm.Refuse(
            values, (values.RsLora, nameof(values.RsLora)), (values.Bias != LoRABias.None, nameof(values.Bias)), (values.BiasInB, nameof(values.BiasInB)),
            (values.TrainableTokens is { Length: > 0 }, nameof(values.TrainableTokens)),
            (values.RankPattern.Length > 0, nameof(values.RankPattern)), (values.AlphaPattern.Length > 0, nameof(values.AlphaPattern)), HubForm.OtherPooling(values.Gated, values.Pooling));
        HubLinears.Write(config, places, scales: false);
        config["r"] = values.Rank;
        config["alpha"] = ConfigWriter.Number(values.Alpha);
        config["dropout"] = values.Dropout;
        config["use_gating"] = values.Gated;
    }

    /// <summary>Which blocks are meant; names that have an index in them say it themselves.</summary>
    private static void WriteLayers(LoRA values, JsonObject config, bool isByName)
    {
        var layers = isByName ? values.Layers : null;
        // HF PEFT takes one index without a list, too; a loaded file keeps its form.
        if (layers is not [var only] || config["layers_to_transform"] is not JsonValue written || !written.TryGetValue(out int one) || one != only)
            config["layers_to_transform"] = ConfigWriter.Ints(layers);
        if (layers is null || !config.ContainsKey("layers_pattern"))
            config["layers_pattern"] = layers is null || values.LayerLists is not { Length: > 0 } ? null : new JsonArray([.. values.LayerLists.Select(list => JsonValue.Create(PythonRegex.Of(list) ?? list))]);
    }

    /// <summary>The tokens that train: a list, or lists by embedding. What is tied to the embedding has the same rows, so it may stand beside it.</summary>
    private static int[]? TokensOf(JsonObject json, ConfigReader config)
    {
        const string Field = "trainable_token_indices";
        if (json[Field] is not JsonObject byName)
            return config.Ints(Field);
        var lists = byName.Select(entry => (name: entry.Key, tokens: new ConfigReader(byName).Ints(entry.Key) ?? [])).ToList();
        if (lists.Count == 0)
            return null;
        var heads = TargetList.Parse(TiedTokensSlot.Heads).Resolve([]);
        foreach (var (name, tokens) in lists)
            if (!(RoleTable.Find("embed")!.Matches(ModelShape.Empty, name) || (lists.Count > 1 && heads.Matches(new TargetCandidate(name, true)))) || !tokens.SequenceEqual(lists[0].tokens))
                throw new AdapterException(
                    $"'{Field}' is {byName.ToJsonString()}: trained tokens of {name} are not supported, expected one list, for the input embedding. Train with [TrainableTokens(…, targets: \"{name}\")] in a group of its own.");
        return lists[0].tokens;
    }

    /// <summary>Writes all fields that HF PEFT writes.</summary>
    /// <param name="values">The values.</param>
    /// <param name="config">The object to add to; what a loaded file said besides stays.</param>
    /// <param name="names">HF PEFT's words for the sites, by the purpose of the claim.</param>
    public static void Write(LoRA values, JsonObject config, IReadOnlyDictionary<string, IReadOnlyList<string>> names)
    {
        // Parts of a layer are nothing that HF PEFT has; it must not take them for the whole.
        if (!values.Gated && FileNames.HaveParts(names[""]))
            config["peft_type"] = LoRA.PartsType;
        config["r"] = values.Rank;
        config["lora_alpha"] = ConfigWriter.Number(values.Alpha);
        config["lora_dropout"] = values.Dropout;
        config["use_rslora"] = values.RsLora;
        config["lora_bias"] = values.BiasInB;
        config["bias"] = values.Bias switch { LoRABias.All => "all", LoRABias.LoraOnly => "lora_only", _ => "none" };
        // What is left out stands in the names alone.
        config["target_modules"] = ConfigWriter.Targets(names[""]);
        config["exclude_modules"] = values.Exclude is null ? null : ConfigWriter.Targets(names[LoRA.Excluded]);
        config.TryAdd(WholeModules.Field, null);
        config["rank_pattern"] = new ValuePatterns(values.RankPattern).ToJson();
        config["alpha_pattern"] = new ValuePatterns(values.AlphaPattern).ToJson();
        WriteLayers(values, config, isByName: !names[""].Any(FileNames.HasIndex));
        // A loaded file keeps its form.
        if (values.TrainableTokens is null || config["trainable_token_indices"] is not JsonObject)
            config["trainable_token_indices"] = ConfigWriter.Ints(values.TrainableTokens);
        if (values.Init == LoRAInit.Gaussian)
            config["init_lora_weights"] = "gaussian";
        if (values.Gated)
            config["gate_pooling"] = ConfigWriter.Choice(values.Pooling);
        config.TryAdd("init_lora_weights", true);
        foreach (var (field, _) in Foreign)
            config.TryAdd(field, field switch
            {
                "use_dora" or "use_qalora" or "ensure_weight_tying" => false,
                "loftq_config" => new JsonObject(),
                _ => null,
            });
        // Which way a matrix is kept is the layer's affair, and known from its code; HF PEFT sets this by itself where it has to be.
        config.TryAdd("fan_in_fan_out", false);
        config.TryAdd("eva_config", null);
        config.TryAdd("megatron_core", "megatron.core");
        config.TryAdd("qalora_group_size", 16);
    }
}
