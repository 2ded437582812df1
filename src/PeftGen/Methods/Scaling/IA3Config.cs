using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

namespace PeftGen.Methods;

/// <summary>(IA)³'s values in files of HF PEFT and AdapterHub.</summary>
internal static class IA3Config
{
    public static bool Reads(JsonObject config) =>
        new ConfigReader(config).Text("peft_type") is IA3.PlainType or IA3.PartsType or IA3.GatedType || HubLinears.IsHub(config, scales: true);

    public static IA3 Read(JsonObject json) => HubLinears.IsHub(json, scales: true) ? ReadAdapterHub(json) : ReadHuggingFace(json);

    private static IA3 ReadHuggingFace(JsonObject json)
    {
        var config = new ConfigReader(json);
        return new IA3(config.Targets("target_modules") ?? "k,v,ffn_out", FeedforwardOf(config))
        {
            Exclude = config.Targets("exclude_modules"),
            Gated = config.Text("peft_type") == IA3.GatedType,
            Pooling = config.Choice("gate_pooling", GatePooling.All),
        };
    }

    /// <summary>HF PEFT compares ends of paths from any character on: <c>proj</c> means <c>k_proj</c>, too, where that is a target.</summary>
    private static string FeedforwardOf(ConfigReader config)
    {
        const string Field = "feedforward_modules";
        if (config.Text("peft_type") != IA3.PlainType || config.IsText(Field))
            return config.Targets(Field) ?? "";
        var targets = config.IsText("target_modules") ? null : config.Names("target_modules");
        return string.Join(",", (config.Names(Field) ?? []).Select(name =>
            targets?.Any(target => target != name && (HuggingFaceNames.EndsWithSegments(name, target) || (target.EndsWith(name, StringComparison.Ordinal) && !HuggingFaceNames.EndsWithSegments(target, name)))) == false
                ? TargetNames.Of(name) : TargetNames.EndingWith(name)));
    }

    /// <summary>There every layer is scaled at its output, the feed-forward network's, too.</summary>
    private static IA3 ReadAdapterHub(JsonObject json)
    {
        var config = new ConfigReader(json);
        HubLinears.RefuseOthers(config);
        config.Refuse("r", "a product of several vectors", "1");
        config.Refuse("alpha", "a vector that is scaled itself", "1", "1.0");
        config.Refuse("dropout", "dropout of a vector", "0", "0.0");
        return new IA3(HubLinears.Targets(config), feedforward: "") { LeaveOut = config.Ints("leave_out"), Gated = config.Bool("use_gating", false) };
    }

    /// <summary>Writes all fields that HF PEFT writes.</summary>
    /// <param name="values">The values.</param>
    /// <param name="config">The object to add to; what a loaded file said besides stays.</param>
    /// <param name="names">HF PEFT's words for the sites, by the purpose of the claim.</param>
    public static void Write(IA3 values, JsonObject config, IReadOnlyDictionary<string, IReadOnlyList<string>> names)
    {
        var feedforward = values.Feedforward.Length == 0 ? [] : names[IA3.WithinTargets];
        // Parts of a layer are nothing that HF PEFT has; it must not take them for the whole.
        if (!values.Gated && FileNames.HaveParts(names[""]))
            config["peft_type"] = IA3.PartsType;
        // HF PEFT wants names word for word among the targets.
        var isExpression = names[""].Concat(feedforward).Any(name => name.StartsWith(TargetList.RegexPrefix, StringComparison.Ordinal));
        var all = isExpression ? names[""] : [.. names[""].Union(feedforward)];
        // What is left out stands in the names alone.
        config["target_modules"] = ConfigWriter.Targets(all);
        config["feedforward_modules"] = values.Feedforward.Length == 0 ? new JsonArray()
            : ConfigWriter.Targets(feedforward);
        config["exclude_modules"] = values.Exclude is null ? null : ConfigWriter.Targets(names[IA3.Excluded]);
        config.TryAdd(WholeModules.Field, null);
        if (values.Gated)
            config["gate_pooling"] = ConfigWriter.Choice(values.Pooling);
        // Which way a matrix is kept is the layer's affair; HF PEFT sets this by itself where it has to be.
        config.TryAdd("fan_in_fan_out", false);
        config["init_ia3_weights"] = true;
    }
}
