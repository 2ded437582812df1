namespace PeftGen.QuickStart.Words;

/// <summary>What a run on the small base came to. Accuracies are parts of right answers to words that no training saw.</summary>
/// <param name="Before">Accuracy in the new task, without the adapter.</param>
/// <param name="After">Accuracy in the new task, with the trained adapter.</param>
/// <param name="OwnBefore">Accuracy of the base in its own tasks, before training.</param>
/// <param name="OwnAfter">The same after training.</param>
/// <param name="BaseKept">Whether the base's logits are still the same bits.</param>
/// <param name="ReloadedSame">Whether the adapter read from its file gives the same bits.</param>
/// <param name="MergedDifference">The largest difference between logits of the merged base and of the adapted one.</param>
/// <param name="MergedSame">Whether that difference is rounding alone.</param>
/// <param name="UnmergedSame">Whether the unmerged base gives the base's bits.</param>
internal sealed record WordOutcome(
    double Before, double After, double OwnBefore, double OwnAfter, bool BaseKept, bool ReloadedSame, double MergedDifference, bool MergedSame, bool UnmergedSame)
{
    /// <summary>Whether everything that has to hold for every adapter does.</summary>
    public bool Holds => BaseKept && ReloadedSame && MergedSame && UnmergedSame;
}
