using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>LoRA's values in files of HF PEFT and AdapterHub.</summary>
internal static class LoRAConfig
{
    /// <summary>HF PEFT's name.</summary>
    public const string Type = "LORA";

    /// <summary>The name of the form with a gate, which HF PEFT does not have and must not take for its own.</summary>
    public const string GatedType = "PEFTGEN_GATED_LORA";

    /// <summary>Whether a configuration is LoRA's. The gate is one of its values, whatever the declaration says.</summary>
    public static bool IsHuggingFace(JsonObject config) => new ConfigReader(config).Text("peft_type") is Type or GatedType;

    public static bool IsAdapterHub(JsonObject config) => config["architecture"]?.ToJsonString() == "\"lora\"";

    public static LoRA Read(JsonObject json) => IsAdapterHub(json) ? ReadAdapterHub(json) : ReadHuggingFace(json);

    private static LoRA ReadHuggingFace(JsonObject json)
    {
        var config = new ConfigReader(json);
        config.Refuse("use_dora", "DoRA");
        config.Refuse("use_qalora", "QA-LoRA");
        config.Refuse("use_bdlora", "BD-LoRA");
        config.Refuse("layer_replication", "layer replication");
        config.Refuse("target_parameters", "LoRA on bare parameters");
        config.Refuse("alora_invocation_tokens", "activated LoRA");
        config.Refuse("arrow_config", "Arrow");
        config.Refuse("kasa_config", "KaSA");
        config.Refuse("velora_config", "VeLoRA");
        config.Refuse("monteclora_config", "MonteCLoRA");
        config.Refuse("fan_in_fan_out", "a transposed weight");
        config.Refuse("ensure_weight_tying", "tied adapters");
        if (json["trainable_token_indices"] is JsonObject)
            config.Refuse("trainable_token_indices", "trainable tokens by module name");
        var init = json["init_lora_weights"] is JsonValue value && value.TryGetValue(out string? name) ? name : "true";
        if (init is not ("true" or "gaussian"))
            config.Refuse("init_lora_weights", "a start that moves a part of the base's weights into the adapter");
        var bias = config.Text("bias") ?? "none";
        return new LoRA(config.Int("r", 8), config.Double("lora_alpha", 8), config.Targets("target_modules") ?? "q,v")
        {
            Dropout = config.Double("lora_dropout", 0),
            RsLora = config.Bool("use_rslora", false),
            BiasInB = config.Bool("lora_bias", false),
            Bias = bias switch
            {
                "none" => LoRABias.None,
                "all" => LoRABias.All,
                "lora_only" => LoRABias.LoraOnly,
                _ => throw new AdapterException($"'bias' is \"{bias}\", expected \"none\", \"all\" or \"lora_only\"."),
            },
            ModulesToSave = config.Targets("modules_to_save"),
            Exclude = config.Targets("exclude_modules"),
            Layers = config.Ints("layers_to_transform"),
            RankPattern = config.Patterns("rank_pattern"),
            AlphaPattern = config.Patterns("alpha_pattern"),
            TrainableTokens = config.Ints("trainable_token_indices"),
            Init = init == "gaussian" ? LoRAInit.Gaussian : LoRAInit.Kaiming,
            Gated = config.Text("peft_type") == GatedType,
        };
    }

    private static LoRA ReadAdapterHub(JsonObject json)
    {
        var config = new ConfigReader(json);
        config.Refuse("use_dora", "DoRA");
        config.Refuse("vera_d", "VeRA");
        config.Refuse("vera_b", "VeRA");
        config.Refuse("leave_out", "leaving out layers");
        if ((config.Text("composition_mode") ?? "add") != "add")
            config.Refuse("composition_mode", "a composition other than the sum");
        var targets = new List<string>();
        if (config.Bool("selfattn_lora", true))
            targets.AddRange((config.Targets("attn_matrices") ?? "q,v").Split(','));
        if (config.Bool("intermediate_lora", false))
            targets.Add("ffn_in");
        if (config.Bool("output_lora", false))
            targets.Add("ffn_out");
        return new LoRA(config.Int("r", 8), config.Double("alpha", 8), string.Join(",", targets))
        {
            Dropout = config.Double("dropout", 0),
            Gated = config.Bool("use_gating", false),
        };
    }

    public static void Write(LoRA values, JsonObject config, IReadOnlyList<string> targets, IReadOnlyList<string>? modulesToSave)
    {
        config["r"] = values.Rank;
        config["lora_alpha"] = ConfigWriter.Number(values.Alpha);
        config["lora_dropout"] = values.Dropout;
        config["use_rslora"] = values.RsLora;
        config["lora_bias"] = values.BiasInB;
        config["bias"] = values.Bias switch { LoRABias.All => "all", LoRABias.LoraOnly => "lora_only", _ => "none" };
        config["target_modules"] = ConfigWriter.Targets(TargetList.Parse(values.Targets), targets);
        config["exclude_modules"] = values.Exclude is null ? null : ConfigWriter.Targets(TargetList.Parse(values.Exclude), values.Exclude.Split(','));
        config["modules_to_save"] = modulesToSave is null ? null : ConfigWriter.Names(modulesToSave);
        config["layers_to_transform"] = ConfigWriter.Ints(values.Layers);
        config["rank_pattern"] = new ValuePatterns(values.RankPattern).ToJson();
        config["alpha_pattern"] = new ValuePatterns(values.AlphaPattern).ToJson();
        config["trainable_token_indices"] = ConfigWriter.Ints(values.TrainableTokens);
        config["init_lora_weights"] = values.Init == LoRAInit.Gaussian ? "gaussian" : true;
        foreach (var off in (string[])["use_dora", "use_qalora", "fan_in_fan_out"])
            config[off] = false;
        foreach (var unused in (string[])["layers_pattern", "layer_replication", "target_parameters", "alora_invocation_tokens"])
            config.TryAdd(unused, null);
        config.TryAdd("loftq_config", new JsonObject());
    }
}
