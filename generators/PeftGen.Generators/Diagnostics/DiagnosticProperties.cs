namespace PeftGen.Generators.Diagnostics;

/// <summary>What diagnostics carry for code fixes beside their message.</summary>
internal static class DiagnosticProperties
{
    /// <summary>What the marked target could be replaced with, the nearest first, separated by commas.</summary>
    public const string Suggestions = "Suggestions";

    /// <summary>The marked target.</summary>
    public const string Target = "Target";

    /// <summary>The path that the field at the first other place could be given with <c>[Name]</c>.</summary>
    public const string Name = "Name";

    /// <summary>The parts that the field at the first other place could be given with <c>[Fused]</c>, separated by commas.</summary>
    public const string Fused = "Fused";

    /// <summary>The role that the parameter at the first other place could be given with <c>[Input]</c>.</summary>
    public const string Input = "Input";

    /// <summary>What the other places may be marked as: a residual or an attention.</summary>
    public const string Intrinsic = "Intrinsic";
}
