using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>AdapterHub's configurations of what acts on linear layers: LoRA, and (IA)³, which is a LoRA there that scales.</summary>
internal static class HubLinears
{
    private const string Add = "add", Scale = "scale", MatricesField = "attn_matrices", Intermediate = "hub_intermediate", Output = "hub_output";

    private static readonly string[] Matrices = ["q", "k", "v"], Default = ["q", "v"];

    /// <summary>Whether a configuration is AdapterHub's and of such a method.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="scales">Whether one that scales is asked for, or one that adds.</param>
    /// <param name="architecture">What AdapterHub calls the kind of adapter.</param>
    public static bool IsHub(JsonObject config, bool scales, string architecture = "lora") =>
        new ConfigReader(config).Text("architecture") == architecture && (new ConfigReader(config).Text("composition_mode") ?? Add) == (scales ? Scale : Add);

    /// <summary>The layers that are meant.</summary>
    public static string Targets(ConfigReader config)
    {
        var targets = new List<string>();
        if (config.Bool("selfattn_lora", true))
            targets.AddRange(config.Targets(MatricesField)?.Split(',') ?? Default);
        if (config.Bool("intermediate_lora", false))
            targets.Add(Intermediate);
        if (config.Bool("output_lora", false))
            targets.Add(Output);
        return targets.Count > 0 ? string.Join(",", targets) : throw new AdapterException("'selfattn_lora', 'intermediate_lora' and 'output_lora' are all false, expected one that is true.");
    }

    /// <summary>The kinds of layer that can be meant: parts of the attention, by AdapterHub's letters, and the feed-forward network's two.</summary>
    public static IReadOnlyList<string> Kinds { get; } = [.. Matrices, Intermediate, Output];

    /// <summary>Writes a configuration of AdapterHub.</summary>
    /// <param name="config">The object to add to.</param>
    /// <param name="places">The layers.</param>
    /// <param name="scales">Whether it is one that scales.</param>
    /// <param name="architecture">What AdapterHub calls the kind of adapter.</param>
    public static void Write(JsonObject config, HubPlaces places, bool scales, string architecture = "lora")
    {
        var matrices = Matrices.Where(places.Kinds.Contains).ToList();
        config["architecture"] = architecture;
        config["composition_mode"] = scales ? Scale : Add;
        config["selfattn_lora"] = matrices.Count > 0;
        if (matrices.Count > 0 || !config.ContainsKey(MatricesField))
            config[MatricesField] = ConfigWriter.Names(matrices.Count > 0 ? matrices : Default);
        config["intermediate_lora"] = places.Kinds.Contains(Intermediate);
        config["output_lora"] = places.Kinds.Contains(Output);
        config["leave_out"] = ConfigWriter.Ints([.. places.LeaveOut]);
        foreach (var (field, value) in new JsonObject
            { ["init_weights"] = scales ? "ia3" : "lora", ["init_weights_seed"] = null, ["dtype"] = null, ["use_gating"] = false, ["use_dora"] = false, ["vera_b"] = null, ["vera_d"] = null })
            config.TryAdd(field, value?.DeepClone());
    }

    /// <summary>Refuses fields that make another method of it.</summary>
    public static void RefuseOthers(ConfigReader config)
    {
        config.Refuse("use_dora", "DoRA");
        config.Refuse("vera_d", "VeRA");
        config.Refuse("vera_b", "VeRA");
    }
}
