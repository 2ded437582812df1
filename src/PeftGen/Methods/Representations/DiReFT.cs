using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>Direct ReFT: <c>h ← h + Rᵀf(Wh + b)</c> at the first and last tokens of each row.</summary>
/// <remarks>
/// Wu et al., "ReFT: Representation Finetuning for Language Models", 2024, equation 3: LoRA on a state in place of a weight. Nothing is subtracted and R is free, unless <see cref="Orthogonal"/>.
/// AdapterHub's files do not say that nothing is subtracted, so those that leave it open are read as what the model declares, NoReFT or DiReFT.
/// W and R start as linear layers do, so a new adapter changes the states.
/// </remarks>
/// <param name="rank">The number of directions, r. Default: 1.</param>
/// <param name="prefixPositions">How many tokens change at the beginning of each row. Default: 3.</param>
/// <param name="suffixPositions">How many tokens change at the end of each row. Default: 0.</param>
/// <param name="targets">The modules whose outputs change, see <see cref="TargetList"/>. Default: the blocks.</param>
[Merges(false), AtLeastOne(nameof(PrefixPositions), nameof(SuffixPositions))]
public sealed class DiReFT(
    [InRange(1, 65536)] int rank = ReFTConfig.Rank, [InRange(0, 65536)] int prefixPositions = ReFTConfig.Prefix, [InRange(0, 65536)] int suffixPositions = ReFTConfig.Suffix,
    string targets = ReFTConfig.Targets) : ReFT(rank, prefixPositions, suffixPositions, targets)
{
    /// <summary>Whether the rows of R are orthonormal, as <see cref="LoReFT"/>'s. Default: no.</summary>
    public bool Orthogonal { get; set; }

    /// <summary>See <see cref="LoReFT.StoresBase"/>.</summary>
    public bool StoresBase { get; set; }

    internal override bool HasBase => StoresBase;

    internal override bool IsOrthogonal => Orthogonal;

    internal override bool Subtracts => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_DIREFT";

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || ReFTConfig.IsAdapterHub(config, (orthogonal, subtracts) => subtracts == false || (subtracts is null && !orthogonal));

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var read = new ReFTConfig(config);
        return read.Fill(new DiReFT(read.R, read.First, read.Last, read.Where) { Orthogonal = read.Orthogonal, StoresBase = read.StoresBase });
    }

    /// <inheritdoc/>
    public override string ToString() => Text().Property(nameof(Orthogonal), Orthogonal, false).Property(nameof(StoresBase), StoresBase, false).ToString();
}
