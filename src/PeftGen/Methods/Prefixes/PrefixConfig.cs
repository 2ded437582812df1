using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>Prefix tuning's values in files of HF PEFT, of AdapterHub, and of this library where neither has a form for them.</summary>
internal static class PrefixConfig
{
    public const string HuggingFaceType = "PREFIX_TUNING", OwnType = "PEFTGEN_PREFIX_TUNING";

    /// <summary>What HF PEFT adapts in an encoder-decoder.</summary>
    public const string DecoderSelfAttention = @"regex:(.*\.)?decoder\..*\.(SelfAttention|self_attn)";

    private const string HubWidth = "bottleneck_size", InEncoder = @"encoder\.block\.", Crossing = @".*EncDecAttention";

    /// <summary>The kinds of attention that have a prefix of their own in AdapterHub: self-attention, an encoder's beside a decoder, and the attention between them.</summary>
    public static IReadOnlyList<string> HubKinds { get; } = [TargetsOf(encoder: false, cross: false), $"regex:{InEncoder}.*", $"regex:{Crossing}.*"];

    private static readonly IReadOnlyList<string> HuggingFaceFields =
        ["num_virtual_tokens", "prefix_projection", "encoder_hidden_size", "token_dim", "num_attention_heads", "num_layers", "num_transformer_submodules", "init_weights"];

    public static bool Reads(JsonObject config) =>
        new ConfigReader(config).Text("peft_type") is HuggingFaceType or OwnType || IsAdapterHub(config);

    public static PrefixTuning Read(JsonObject json)
    {
        var config = new ConfigReader(json);
        return IsAdapterHub(json) ? ReadAdapterHub(config) : config.Text("peft_type") == HuggingFaceType ? ReadHuggingFace(config) : ReadOwn(config);
    }

    private static bool IsAdapterHub(JsonObject config) => config["architecture"]?.ToJsonString() == "\"prefix_tuning\"";

    private static PrefixTuning ReadHuggingFace(ConfigReader config)
    {
        var crossing = config.Text("task_type") == "SEQ_2_SEQ_LM";
        var projected = config.Bool("prefix_projection", false);
        return new PrefixTuning(config.Size("num_virtual_tokens", 30), crossing ? DecoderSelfAttention : "**")
        {
            Projection = projected ? config.Int("encoder_hidden_size", 0) : 0,
            ProjectionInput = projected ? config.Int("token_dim", 0) : 0,
            Slices = crossing ? PrefixSlices.AsHuggingFaceT5 : PrefixSlices.Own,
            KeyWidth = config.Int("key_width", 0),
            TaskType = config.Text("task_type"),
        };
    }

    private static PrefixTuning ReadAdapterHub(ConfigReader config)
    {
        var flat = config.Bool("flat", false);
        if (!flat && (config.Text("non_linearity") ?? "tanh") != "tanh")
            config.Refuse("non_linearity", "another function than tanh");
        var (encoder, cross) = (config.Bool("encoder_prefix", true), config.Bool("cross_prefix", true));
        return new PrefixTuning(config.Size("prefix_length", 30), TargetsOf(encoder, cross), PrefixPositions.Kept)
        {
            Projection = flat ? 0 : config.Int(HubWidth, 512),
            Gated = config.Bool("use_gating", false),
            SharedGate = config.Bool("shared_gating", true),
            Dropout = config.Dropout("dropout", 0),
            LeaveOut = config.Ints("leave_out"),
        };
    }

    /// <summary>Writes AdapterHub's configuration.</summary>
    public static void WriteHub(PrefixTuning values, JsonObject config, HubPlaces places)
    {
        // Without distances between keys and queries it is the same.
        var isKept = values.Positions == PrefixPositions.Kept || (values.Positions == PrefixPositions.Unmoved && !HubKinds.Skip(1).Any(kind => places.Kinds.Contains(kind) || places.Others.Contains(kind)));
        HubForm.Refuse(
            values, (!isKept, $"Positions = PrefixPositions.{values.Positions} (AdapterHub keeps them)"), (values.Slices != PrefixSlices.Own, nameof(values.Slices)),
            (values.ProjectionInput > 0, nameof(values.ProjectionInput)), HubForm.OtherPooling(values.Gated, values.Pooling),
            (!places.Kinds.Contains(HubKinds[0]), "a prefix that the self-attention lacks"));
        config["architecture"] = "prefix_tuning";
        config["prefix_length"] = values.Length;
        config["flat"] = values.Projection == 0;
        if (values.Projection > 0)
            config[HubWidth] = values.Projection;
        // On by default, and without a meaning where the host has no such attention.
        config["encoder_prefix"] = !places.Others.Contains(HubKinds[1]);
        config["cross_prefix"] = !places.Others.Contains(HubKinds[2]);
        config["dropout"] = values.Dropout;
        config["use_gating"] = values.Gated;
        config["shared_gating"] = values.SharedGate;
        config["leave_out"] = ConfigWriter.Ints([.. places.LeaveOut]);
        config.TryAdd(HubWidth, 512);
        config.TryAdd("non_linearity", "tanh");
        config.TryAdd("init_weights_seed", null);
    }

    /// <summary>AdapterHub's switches mean nothing where there is no encoder beside a decoder, so an expression leaves out what only such a model has.</summary>
    private static string TargetsOf(bool encoder, bool cross) => (encoder, cross) switch
    {
        (true, true) => "**",
        (false, true) => $"regex:(?!{InEncoder}).*",
        (true, false) => $"regex:(?!{Crossing}).*",
        _ => $"regex:(?!{InEncoder})(?!{Crossing}).*",
    };

    private static PrefixTuning ReadOwn(ConfigReader config) =>
        new(config.Size("length", 30), config.Targets("target_modules") ?? "**", config.Choice("positions", PrefixPositions.Shifted))
        {
            Projection = config.Int("projection", 0),
            ProjectionInput = config.Int("projection_input", 0),
            Gated = config.Bool("gated", false),
            SharedGate = config.Bool("shared_gate", true),
            Pooling = config.Choice("gate_pooling", GatePooling.All),
            Dropout = config.Dropout("dropout", 0),
            LeaveOut = config.Ints("leave_out"),
            Slices = config.Choice("slices", PrefixSlices.Own),
            KeyWidth = config.Int("key_width", 0),
            TaskType = config.Text("task_type"),
        };

    public static void Write(JsonObject config, PrefixTuning values)
    {
        if (values.IsHuggingFace)
            WriteHuggingFace(config, values);
        else
            WriteOwn(config, values);
        if (values.KeyWidth > 0)
            config["key_width"] = values.KeyWidth;
        if (values.TaskType is not null)
            config["task_type"] = values.TaskType;
        config.TryAdd(WholeModules.Field, null);
    }

    /// <summary>Adds what only the table knows: sizes of the host, and whether HF PEFT would read there what is meant.</summary>
    public static void Describe(JsonObject config, PrefixTuning values, PrefixTable table, FileFormat format)
    {
        if (format == FileFormat.AdapterHub)
        {
            config["flat"] = table.IsFlat;
            return;
        }

        if (values.IsHuggingFace && !table.IsHuggingFace)
        {
            foreach (var field in HuggingFaceFields)
                config.Remove(field);
            WriteOwn(config, values);
        }

        if (!table.IsHuggingFace)
        {
            config["projection"] = table.IsFlat ? 0 : values.Projection;
            return;
        }

        config["num_layers"] = table.Layers;
        config["num_transformer_submodules"] = table.InEncoderDecoder ? 2 : 1;
        if (table.InEncoderDecoder)
            config["task_type"] = "SEQ_2_SEQ_LM";
        // Only together do they say how a row is shared out; HF PEFT takes both from the model where they are missing.
        if (table.Heads > 0)
        {
            config["token_dim"] = table.Width;
            config["num_attention_heads"] = table.Heads;
        }
    }

    private static void WriteHuggingFace(JsonObject config, PrefixTuning values)
    {
        config["num_virtual_tokens"] = values.Length;
        config["prefix_projection"] = values.Projection > 0;
        if (values.Projection > 0)
            config["encoder_hidden_size"] = values.Projection;
        foreach (var field in HuggingFaceFields)
            config.TryAdd(field, null);
    }

    private static void WriteOwn(JsonObject config, PrefixTuning values)
    {
        config["peft_type"] = OwnType;
        config["length"] = values.Length;
        config["target_modules"] = ConfigWriter.OwnTargets(values.Targets);
        config["positions"] = ConfigWriter.Choice(values.Positions);
        config["projection"] = values.Projection;
        config["projection_input"] = values.ProjectionInput;
        config["gated"] = values.Gated;
        config["shared_gate"] = values.SharedGate;
        config["gate_pooling"] = ConfigWriter.Choice(values.Pooling);
        config["dropout"] = values.Dropout;
        config["leave_out"] = ConfigWriter.Ints(values.LeaveOut);
        config["slices"] = ConfigWriter.Choice(values.Slices);
    }
}
