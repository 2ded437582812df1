using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>What the checks look at: all that the parser found.</summary>
/// <param name="Graph">The classes.</param>
/// <param name="Scanner">Their bodies.</param>
/// <param name="Sites">The sites.</param>
/// <param name="Reach">What is compiled.</param>
/// <param name="Roots">The annotated classes with what they declare.</param>
/// <param name="Walkers">What lies below each of them.</param>
/// <param name="Matches">What the targets of all roots met.</param>
/// <param name="Diagnostics">Where to report.</param>
internal sealed record CheckContext(
    ModelGraph Graph, BodyScanner Scanner, CompiledSites Sites, Reachability Reach, IReadOnlyDictionary<ModelClass, List<DeclaredMethod>> Roots,
    IReadOnlyDictionary<ModelClass, PlaceWalker> Walkers, IReadOnlyList<TargetMatch> Matches, DiagnosticList Diagnostics)
{
    /// <summary>How layers are made.</summary>
    public Creations Creations { get; } = new(Graph, Scanner);

    /// <summary>Whether a class stands below a root for sure, and not only may, in an abstract place.</summary>
    public bool IsCertain(ModelClass type) => Walkers.Values.Any(walker => walker.Certain.Contains(type));

    /// <summary>The compiled methods of compiled classes.</summary>
    public IEnumerable<MethodScan> Compiled => Reach.Classes.SelectMany(Scanner.Scan).Where(scan => Reach.Methods.Contains(scan.Symbol));
}

/// <summary>Mistakes that leave the emitted code sound: the model would do something else than its declarations say.</summary>
internal static class ModelChecks
{
    public static void Run(CheckContext context)
    {
        DeclarationChecks.Run(context);
        ExclusionChecks.Run(context);
        HostChecks.Run(context);
        EmptyChecks.Run(context);
        SizeChecks.Run(context);
        PatternChecks.Run(context);
        BlockChecks.Run(context);
        TargetChecks.Run(context);
        WholeChecks.Run(context);
        FieldChecks.Run(context);
        RegistrationChecks.Run(context);
        FusedCheck.Run(context);
        GradientCheckpointingCheck.Run(context);
        BodyChecks.Run(context);
        ConstructorChecks.Run(context);
        LeavingChecks.Run(context);
        StatisticsCheck.Run(context);
    }
}
