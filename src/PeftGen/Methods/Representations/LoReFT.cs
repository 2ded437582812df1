using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>Low-rank linear representation finetuning: <c>h ← h + Rᵀ(f(Wh + b) − Rh)</c> at the first and last tokens of each row.</summary>
/// <remarks>
/// Wu et al., "ReFT: Representation Finetuning for Language Models", 2024, equation 2. R is <c>[rank, dim]</c> with orthonormal rows, W <c>[rank, dim]</c>. R is a product of Householder
/// reflections, and orthonormal whatever the numbers are that it is made of: weight decay turns it and never shortens it. (The reference cuts a trained diagonal to
/// whole numbers, so that the first step with weight decay makes R zero for good.) A new adapter changes the states.
/// </remarks>
/// <param name="rank">The number of directions, r. Default: 1.</param>
/// <param name="prefixPositions">How many tokens change at the beginning of each row. Default: 3.</param>
/// <param name="suffixPositions">How many tokens change at the end of each row. Default: 0.</param>
/// <param name="targets">The modules whose outputs change, see <see cref="TargetList"/>. Default: the blocks.</param>
[Merges(false), AtLeastOne(nameof(PrefixPositions), nameof(SuffixPositions))]
public sealed class LoReFT(
    [InRange(1, 65536)] int rank = ReFTConfig.Rank, [InRange(0, 65536)] int prefixPositions = ReFTConfig.Prefix, [InRange(0, 65536)] int suffixPositions = ReFTConfig.Suffix,
    string targets = ReFTConfig.Targets) : ReFT(rank, prefixPositions, suffixPositions, targets)
{
    /// <summary>
    /// Whether R is turned by a frozen matrix <c>[dim, dim]</c> for each block and end of the row, as in AdapterHub's files. Default: no, since the matrix adds nothing but its size.
    /// </summary>
    public bool StoresBase { get; set; }

    internal override bool HasBase => StoresBase;

    internal override bool IsOrthogonal => true;

    internal override bool Subtracts => true;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_LOREFT";

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || ReFTConfig.IsAdapterHub(config, (orthogonal, subtracts) => orthogonal && subtracts != false);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var read = new ReFTConfig(config);
        return read.Fill(new LoReFT(read.R, read.First, read.Last, read.Where) { StoresBase = read.StoresBase });
    }

    /// <inheritdoc/>
    public override string ToString() => Text().Property(nameof(StoresBase), StoresBase, false).ToString();
}
