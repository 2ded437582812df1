using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// MTL-LoRA: one low-rank update for several tasks, <c>y = Wx + b + s·Σⱼ softmax(w_t / τ)ⱼ·Bⱼ·diag(Λ_t)·A·dropout(x)</c> with <c>s = alpha / rank</c>, where t is the task of the row.
/// </summary>
/// <remarks>
/// Yang et al., "MTL-LoRA: Low-Rank Adaptation for Multi-Task Learning", 2024. The tasks share <c>A</c> <c>[rank, in]</c> and the <c>Bⱼ</c> <c>[projections, out, rank]</c>; each has its own
/// <c>Λ</c> <c>[rank]</c> and <c>w</c> <c>[projections]</c>, which start at one. <c>B</c> starts at zero, so a new adapter changes nothing. The rows' tasks come in
/// <see cref="ForwardOptions.TaskIds"/>, or as the model's own argument <c>task_ids</c>. It cannot be merged, since rows differ. AdapterHub keeps the tasks as adapters of their own, in folders of a <c>MultiTask</c> setup.
/// </remarks>
/// <param name="tasks">The number of tasks. Default: 1.</param>
/// <param name="rank">The rank of the update. Default: 8.</param>
/// <param name="alpha">The numerator of the scaling. Default: 8.</param>
/// <param name="targets">The linear layers to adapt, see <see cref="TargetList"/>. Default: queries and values.</param>
[Merges(false)]
public sealed class MTLLoRA([InRange(1, 65536)] int tasks = 1, [InRange(1, 65536), BoundedBySize] int rank = 8, [InRange(0, 1e9)] double alpha = 8, string targets = "q,v") : AdaptAttribute
{
    private const string Architecture = "mtl_lora", Excluded = "excluded";

    /// <summary>The number of tasks.</summary>
    public int Tasks { get; } = tasks;

    /// <summary>The rank of the update.</summary>
    public int Rank { get; } = rank;

    /// <summary>The numerator of the scaling.</summary>
    public double Alpha { get; } = alpha;

    /// <summary>The linear layers to adapt.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)])]
    public string Targets { get; } = targets;

    /// <summary>Layers that <see cref="Targets"/> match but that are left out.</summary>
    [LeavesOut(nameof(Targets))]
    public string? Exclude { get; set; }

    /// <summary>Numbers of the blocks to leave out, counted from 0 through all stacks of blocks, an encoder's and then its decoder's; null: none.</summary>
    [InRange(0, 65536), LeavesOut(nameof(Targets))]
    public int[]? LeaveOut { get; set; }

    /// <summary>The number of up projections <c>Bⱼ</c>. Default: 1.</summary>
    [InRange(1, 4096)]
    public int Projections { get; set; } = 1;

    /// <summary>The temperature <c>τ</c> of the mix of up projections. Default: 0.05.</summary>
    [InRange(1e-6, 1e6)]
    [OnlyWith(nameof(Projections))]
    public double Sharpness { get; set; } = 0.05;

    /// <summary>The probability with which entries of the update's input are dropped in training. Default: 0.</summary>
    [InRange(0, 0.999999)]
    public double Dropout { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_MTL_LORA";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Layer, TargetList.Parse(Targets), Exclude is null ? null : TargetList.Parse(Exclude)) { LeaveOut = LeaveOut }];

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => Claims.Concat(Exclude is null ? [] : [new Claim(SiteKind.Layer, TargetList.Parse(Exclude), Purpose: Excluded)]);

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new MTLLoRASlot(site, this);

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || HubLinears.IsHub(config, scales: false, Architecture);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        if (!HubLinears.IsHub(config, scales: false, Architecture))
            return new MTLLoRA(reader.Size("num_tasks", 1), reader.Size("r", 8), reader.Double("lora_alpha", 8), reader.Targets("target_modules") ?? "q,v")
            {
                Exclude = reader.Targets("exclude_modules"),
                Projections = reader.Size("num_projections", 1),
                Sharpness = reader.Double("sharpness", 0.05),
                Dropout = reader.Dropout("lora_dropout", 0),
            };
        HubLinears.RefuseOthers(reader);
        reader.Refuse("use_gating", "a gate in place of the scaling");
        reader.Refuse("task_specific_matrix_type", "a full matrix for each task", "\"singular_values\"");
        return new MTLLoRA(reader.Size(JointFolder.CountField, 1), reader.Size("r", 8), reader.Double("alpha", 8), HubLinears.Targets(reader))
        {
            LeaveOut = reader.Ints("leave_out"),
            Projections = reader.Size("n_up_projection", 1),
            Sharpness = reader.Double("weights_sharpness", 0.05),
            Dropout = reader.Dropout("dropout", 0),
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["num_tasks"] = Tasks;
        config["r"] = Rank;
        config["lora_alpha"] = ConfigWriter.Number(Alpha);
        // What is left out stands in the names alone.
        config["target_modules"] = ConfigWriter.Targets(targets[Claims[0]]);
        config["exclude_modules"] = Exclude is null ? null : ConfigWriter.Targets(targets.First(t => t.Key.Purpose == Excluded).Value);
        config["num_projections"] = Projections;
        config["sharpness"] = Sharpness;
        config["lora_dropout"] = Dropout;
    }

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites)
    {
        HubLinears.Write(config, sites.Of(Claims[0], HubLinears.Kinds), scales: false, Architecture);
        config["r"] = Rank;
        config["alpha"] = ConfigWriter.Number(Alpha);
        config["dropout"] = Dropout;
        config["n_up_projection"] = Projections;
        config["weights_sharpness"] = Sharpness;
        config["task_specific_matrix_type"] = "singular_values";
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(MTLLoRA))
        .Argument("tasks", Tasks).Argument("rank", Rank).Argument("alpha", Alpha, 8.0).Argument("targets", Targets)
        .Property(nameof(Exclude), Exclude).Property(nameof(LeaveOut), LeaveOut).Property(nameof(Projections), Projections, 1).Property(nameof(Sharpness), Sharpness, 0.05)
        .Property(nameof(Dropout), Dropout, 0.0).Common(this).ToString();
}
