using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>ReFT's values in files of AdapterHub and of this library.</summary>
/// <param name="json">The configuration.</param>
internal readonly struct ReFTConfig(JsonObject json)
{
    public const int Rank = 1, Prefix = 3, Suffix = 0;
    public const double Dropout = 0.05;
    public const string Targets = "blocks";
    private const string Architecture = "architecture", Subtracts = "subtract_projection", Orthogonality = "orthogonality", Layers = "layers", Base = "stores_base", Idle = "idle_units";
    private readonly ConfigReader _config = new(json);

    public int R => _config.Size("r", Rank);

    public int First => _config.Int("prefix_positions", Prefix);

    public int Last => _config.Int("suffix_positions", Suffix);

    public string Where => _config.Targets("target_modules") ?? Targets;

    public bool Orthogonal => _config.Bool(Orthogonality, false);

    /// <summary>AdapterHub's files have the base of every R that is orthonormal.</summary>
    public bool StoresBase => json.ContainsKey(Architecture) ? Orthogonal : _config.Bool(Base, false);

    /// <summary>Whether a configuration is AdapterHub's, of a form of ReFT.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="isForm">Whether R's being orthonormal, and whether Rh is subtracted (null: the file does not say), make it the form.</param>
    public static bool IsAdapterHub(JsonObject config, Func<bool, bool?, bool> isForm)
    {
        var reader = new ConfigReader(config);
        return config[Architecture]?.ToJsonString() == "\"reft\""
            && isForm(reader.Bool(Orthogonality, true), config[Subtracts] is null ? null : reader.Bool(Subtracts, true));
    }

    /// <summary>Sets what all forms have.</summary>
    public ReFT Fill(ReFT values)
    {
        if (!_config.Bool("output_reft", true))
            throw new AdapterException("'output_reft' is false, expected true: the outputs of blocks are what ReFT changes.");
        values.Layers = json[Layers] is JsonValue all && all.GetValueKind() == JsonValueKind.String && all.GetValue<string>() == "all" ? null : _config.Ints(Layers);
        values.LeaveOut = _config.Ints("leave_out");
        values.HasIdleUnits = json.ContainsKey(Architecture) || _config.Bool(Idle, false);
        values.Tied = _config.Bool("tied_weights", false);
        values.NonLinearity = _config.Text("non_linearity");
        values.Dropout = _config.Dropout("dropout", Dropout);
        values.Width = _config.Int("width", 0);
        return values;
    }

    public static void Write(ReFT values, JsonObject config)
    {
        WriteValues(values, config);
        config["target_modules"] = ConfigWriter.OwnTargets(values.Targets);
        config[Layers] = values.Layers is null ? "all" : ConfigWriter.Ints(values.Layers);
        config["leave_out"] = ConfigWriter.Ints(values.LeaveOut);
        config[Subtracts] = values.Subtracts;
        config[Base] = values.HasBase;
        config[Idle] = values.HasIdleUnits;
        if (values.Width > 0)
            config["width"] = values.Width;
    }

    /// <summary>Writes AdapterHub's configuration.</summary>
    public static void WriteHub(ReFT values, JsonObject config, HubPlaces places)
    {
        WriteValues(values, config);
        config[Architecture] = "reft";
        config[Layers] = places.LeaveOut.Count == 0 ? "all" : ConfigWriter.Ints(values is { Layers: { } layers, LeaveOut: null } ? layers : [.. places.Blocks]);
        config["output_reft"] = true;
        // Its own files leave this out, so that DiReFT comes back as NoReFT; it reads the field where it is there.
        if (!values.Subtracts)
            config[Subtracts] = false;
        config.TryAdd("dtype", null);
        config.TryAdd("init_weights_seed", null);
    }

    private static void WriteValues(ReFT values, JsonObject config)
    {
        config["r"] = values.Rank;
        config["prefix_positions"] = values.PrefixPositions;
        config["suffix_positions"] = values.SuffixPositions;
        config["tied_weights"] = values.Tied;
        config["non_linearity"] = values.NonLinearity;
        config["dropout"] = values.Dropout;
        config[Orthogonality] = values.IsOrthogonal;
    }
}
