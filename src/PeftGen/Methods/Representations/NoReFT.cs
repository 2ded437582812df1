using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>ReFT without orthonormal directions: <c>h ← h + Rᵀ(f(Wh + b) − Rh)</c> at the first and last tokens of each row.</summary>
/// <remarks>
/// Wu et al., "ReFT: Representation Finetuning for Language Models", 2024: LoReFT with a free R, <c>[rank, dim]</c>; AdapterHub's <c>NoReftConfig</c>. W and R start as linear layers do, so a
/// new adapter changes the states.
/// </remarks>
/// <param name="rank">The number of directions, r. Default: 1.</param>
/// <param name="prefixPositions">How many tokens change at the beginning of each row. Default: 3.</param>
/// <param name="suffixPositions">How many tokens change at the end of each row. Default: 0.</param>
/// <param name="targets">The modules whose outputs change, see <see cref="TargetList"/>. Default: the blocks.</param>
[Merges(false), AtLeastOne(nameof(PrefixPositions), nameof(SuffixPositions))]
public sealed class NoReFT(
    [InRange(1, 65536)] int rank = ReFTConfig.Rank, [InRange(0, 65536)] int prefixPositions = ReFTConfig.Prefix, [InRange(0, 65536)] int suffixPositions = ReFTConfig.Suffix,
    string targets = ReFTConfig.Targets) : ReFT(rank, prefixPositions, suffixPositions, targets)
{
    internal override bool IsOrthogonal => false;

    internal override bool Subtracts => true;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_NOREFT";

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || ReFTConfig.IsAdapterHub(config, (orthogonal, subtracts) => !orthogonal && subtracts != false);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var read = new ReFTConfig(config);
        return read.Fill(new NoReFT(read.R, read.First, read.Last, read.Where));
    }

    /// <inheritdoc/>
    public override string ToString() => Text().ToString();
}
