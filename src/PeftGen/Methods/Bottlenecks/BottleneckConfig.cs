using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>Reads and writes the bottleneck methods' values under AdapterHub's words, in its files and in ours.</summary>
internal static class BottleneckConfig
{
    private const string OwnTargets = "target_modules", Reduction = "reduction_factor", Default = "default";
    private static readonly (string field, string targets)[] Places = [("mh_adapter", "self_attention"), ("cross_adapter", "cross_attention"), ("output_adapter", "ffn")];

    /// <summary>AdapterHub's three places.</summary>
    public static IReadOnlyList<string> Kinds { get; } = [.. Places.Select(place => place.targets)];

    private static readonly Dictionary<LearnedScaling, string> Scalings = new() { [LearnedScaling.Single] = "learned", [LearnedScaling.Channel] = "channel" };

    private static readonly Dictionary<BottleneckInit, string> Inits =
        new() { [BottleneckInit.Bert] = "bert", [BottleneckInit.MamAdapter] = "mam_adapter", [BottleneckInit.Houlsby] = "houlsby" };

    /// <summary>The methods with their own defaults. The first of a <c>peft_type</c> stands for all of them.</summary>
    private static readonly Bottleneck[] Forms = [new Bottleneck(), new Houlsby(), new ParallelAdapter(), new AdapterPlus(), new Compacter(), new CompacterPlusPlus()];

    /// <summary>Whether a configuration is AdapterHub's of a bottleneck, with hypercomplex projections or without.</summary>
    public static bool IsAdapterHub(JsonObject config, bool hypercomplex) =>
        config.ContainsKey(Reduction) && config.ContainsKey("mh_adapter") && new ConfigReader(config).Bool("phm_layer", false) == hypercomplex;

    /// <summary>What a method has by itself.</summary>
    public static Bottleneck DefaultsOf(Bottleneck method) => Forms.FirstOrDefault(form => form.GetType() == method.GetType()) ?? Forms[0];

    /// <summary>The values of a file, as the method that reads it; the general methods say them as that of their kin which has to say least.</summary>
    public static Bottleneck Read(JsonObject config, Bottleneck method)
    {
        var kin = Forms.Where(form => form.PeftType == method.PeftType).ToList();
        return (method.GetType() == kin[0].GetType() ? kin : [method]).Select(form => Read(new ConfigReader(config), config, form)).MinBy(values => values.Text(DefaultsOf(values)).Count)!;
    }

    private static Bottleneck Read(ConfigReader reader, JsonObject config, Bottleneck form)
    {
        reader.Refuse("inv_adapter", "an invertible adapter in the configuration of a bottleneck");
        var (reduction, pattern) = ReadReduction(reader, config[Reduction]);
        var values = form.With(reduction, reader.Targets(OwnTargets) ?? string.Join(",", Places.Where(place => reader.Bool(place.field, false)).Select(place => place.targets)));
        values.ReductionPattern = pattern;
        values.LeaveOut = reader.Ints("leave_out");
        values.Width = reader.Int("width", 0);
        values.NonLinearity = reader.Text("non_linearity") ?? "relu";
        (values.Scaling, values.LearnedScaling) = config["scaling"] is JsonValue scaling && scaling.GetValueKind() == JsonValueKind.String
            ? (form.Scaling, Named(Scalings, "scaling", scaling)) : (reader.Double("scaling", 1), LearnedScaling.None);
        values.Parallel = reader.Bool("is_parallel", false);
        values.OriginalLnBefore = reader.Bool("original_ln_before", false);
        values.OriginalLnAfter = reader.Bool("original_ln_after", true);
        values.ResidualBeforeLn = config["residual_before_ln"] is JsonValue residual && residual.GetValueKind() == JsonValueKind.String
            ? residual.GetValue<string>() == "post_add" ? AdapterResidual.PostAdd : throw new AdapterException($"'residual_before_ln' is {Checkpoints.JsonFile.Shown(residual)}, expected true, false or \"post_add\".")
            : reader.Bool("residual_before_ln", true) ? AdapterResidual.BeforeLn : AdapterResidual.AfterLn;
        values.LnBefore = reader.Bool("ln_before", false);
        values.LnAfter = reader.Bool("ln_after", false);
        values.AdapterResidualBeforeLn = reader.Bool("adapter_residual_before_ln", false);
        values.Gated = reader.Bool("use_gating", false);
        values.Pooling = reader.Choice("gate_pooling", GatePooling.All);
        values.Dropout = reader.Dropout("dropout", 0);
        values.StochasticDepth = reader.Dropout("stochastic_depth", 0);
        values.Init = config["init_weights"] is { } init ? Named(Inits, "init_weights", init) : BottleneckInit.Bert;
        if (values is Compacter compacter)
            ReadPhm(reader, compacter);
        return values;
    }

    private static void ReadPhm(ConfigReader reader, Compacter values)
    {
        values.PhmDim = reader.Size("phm_dim", 4);
        values.PhmRank = reader.Size("phm_rank", 1);
        values.SharedPhmRule = reader.Bool("shared_phm_rule", true);
        values.FactorizedPhmRule = reader.Bool("factorized_phm_rule", false);
        values.FactorizedPhmW = reader.Bool("factorized_phm_W", true);
        values.SharedPhmW = reader.Bool("shared_W_phm", false);
        values.PhmBias = reader.Bool("phm_bias", true);
    }

    /// <summary>A number, or numbers by block with one for all others.</summary>
    private static (double reduction, string pattern) ReadReduction(ConfigReader reader, JsonNode? node)
    {
        if (node is not JsonObject map)
            return (reader.Double(Reduction, 16), "");
        var blocks = map.DeepClone().AsObject();
        blocks.Remove(Default);
        return (new ConfigReader(map).Double(Default, 16), new ConfigReader(new JsonObject { [Reduction] = blocks }).Patterns(Reduction));
    }

    /// <summary>Writes all values under AdapterHub's words. Where the adapters are is said by target, which says more than its three places.</summary>
    public static void Write(Bottleneck values, JsonObject config)
    {
        WriteValues(values, config);
        config[OwnTargets] = Targets(values.Targets);
        config["leave_out"] = ConfigWriter.Ints(values.LeaveOut) ?? [];
        config["gate_pooling"] = ConfigWriter.Choice(values.Pooling);
        if (values.Width > 0)
            config["width"] = values.Width;
    }

    /// <summary>Writes AdapterHub's own configuration.</summary>
    public static void WriteHub(Bottleneck values, JsonObject config, HubPlaces places)
    {
        HubForm.Refuse(values, HubForm.OtherPooling(values.Gated, values.Pooling));
        WriteValues(values, config);
        WritePlaces(config, places.Kinds, places.LeaveOut);
        config["phm_layer"] = values is Compacter;
        WriteHubDefaults(config);
    }

    /// <summary>A configuration of AdapterHub without any adapter, to hold an invertible one.</summary>
    public static JsonObject Nowhere()
    {
        var config = new JsonObject { ["phm_layer"] = false };
        WriteValues(new Bottleneck(), config);
        WritePlaces(config, [], []);
        WriteHubDefaults(config);
        return config;
    }

    /// <summary>Whether a configuration of AdapterHub is without any adapter.</summary>
    public static bool IsNowhere(JsonObject config) => config.ContainsKey(Reduction) && !Places.Any(place => new ConfigReader(config).Bool(place.field, false));

    /// <summary>Whether a configuration of AdapterHub is a bottleneck's in which an invertible adapter can stand.</summary>
    public static bool CanHold(JsonObject config, JsonObject part) =>
        config.ContainsKey(Reduction) && config[Invertible.HubFields[0]] is null && JsonNode.DeepEquals(config["non_linearity"], part["non_linearity"]);

    private static void WritePlaces(JsonObject config, IReadOnlyList<string> kinds, IReadOnlyList<int> leaveOut)
    {
        foreach (var (field, targets) in Places)
            config[field] = kinds.Contains(targets);
        config["leave_out"] = ConfigWriter.Ints([.. leaveOut]);
    }

    private static void WriteHubDefaults(JsonObject config)
    {
        WritePhm(new Compacter(), (field, value) => config.TryAdd(field, value));
        foreach (var (field, value) in new JsonObject
            { ["learn_phm"] = true, ["phm_c_init"] = "normal", ["phm_init_range"] = 0.0001, ["hypercomplex_nonlinearity"] = "glorot-uniform", ["init_weights_seed"] = null, ["inv_adapter"] = null, ["inv_adapter_reduction_factor"] = null })
            config.TryAdd(field, value?.DeepClone());
    }

    private static void WriteValues(Bottleneck values, JsonObject config)
    {
        var pattern = new ValuePatterns(values.ReductionPattern).ToJson();
        if (pattern.Count > 0)
            pattern[Default] = ConfigWriter.Number(values.Reduction);
        config[Reduction] = pattern.Count > 0 ? pattern : JsonValue.Create(values.Reduction);
        config["non_linearity"] = values.NonLinearity;
        config["scaling"] = Scalings.TryGetValue(values.LearnedScaling, out var learned) ? learned : ConfigWriter.Float(values.Scaling);
        config["is_parallel"] = values.Parallel;
        config["original_ln_before"] = values.OriginalLnBefore;
        config["original_ln_after"] = values.OriginalLnAfter;
        config["residual_before_ln"] = values.ResidualBeforeLn == AdapterResidual.PostAdd ? "post_add" : JsonValue.Create(values.ResidualBeforeLn == AdapterResidual.BeforeLn);
        config["ln_before"] = values.LnBefore;
        config["ln_after"] = values.LnAfter;
        config["adapter_residual_before_ln"] = values.AdapterResidualBeforeLn;
        config["use_gating"] = values.Gated;
        config["dropout"] = values.Dropout;
        config["stochastic_depth"] = values.StochasticDepth;
        config["init_weights"] = Inits[values.Init];
        if (values is Compacter compacter)
            WritePhm(compacter, (field, value) => config[field] = value);
    }

    private static void WritePhm(Compacter values, Action<string, JsonNode> write)
    {
        write("phm_dim", values.PhmDim);
        write("phm_rank", values.PhmRank);
        write("shared_phm_rule", values.SharedPhmRule);
        write("factorized_phm_rule", values.FactorizedPhmRule);
        write("factorized_phm_W", values.FactorizedPhmW);
        write("shared_W_phm", values.SharedPhmW);
        write("phm_bias", values.PhmBias);
    }

    /// <summary>In their order, so that a method's default comes back as what it is.</summary>
    private static JsonNode? Targets(string targets) => targets.StartsWith(TargetList.RegexPrefix, StringComparison.Ordinal)
        ? ConfigWriter.OwnTargets(targets)
        : new JsonArray([.. TargetList.Parse(targets).Items.Select(item => JsonValue.Create(item.Text))]);

    private static T Named<T>(Dictionary<T, string> names, string field, JsonNode value) where T : struct, Enum =>
        names.Where(n => value is JsonValue one && one.TryGetValue(out string? name) && n.Value == name).Select(n => (T?)n.Key).FirstOrDefault() ?? throw new AdapterException($"'{field}' is {Checkpoints.JsonFile.Shown(value)}, expected {string.Join(" or ", names.Values.Select(n => $"\"{n}\""))}.");
}
