using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>AdapterHub's configurations of what acts on linear layers: LoRA, and (IA)³, which is a LoRA there that scales.</summary>
internal static class HubLinears
{
    private const string Add = "add", Scale = "scale";

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
            targets.AddRange((config.Targets("attn_matrices") ?? "q,v").Split(','));
        if (config.Bool("intermediate_lora", false))
            targets.Add("hub_intermediate");
        if (config.Bool("output_lora", false))
            targets.Add("hub_output");
        return targets.Count > 0 ? string.Join(",", targets) : throw new AdapterException("'selfattn_lora', 'intermediate_lora' and 'output_lora' are all false, expected one that is true.");
    }

    /// <summary>Refuses fields that make another method of it.</summary>
    public static void RefuseOthers(ConfigReader config)
    {
        config.Refuse("use_dora", "DoRA");
        config.Refuse("vera_d", "VeRA");
        config.Refuse("vera_b", "VeRA");
    }
}
