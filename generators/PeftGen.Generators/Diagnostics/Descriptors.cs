using System.Reflection;
using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Diagnostics;

/// <summary>All diagnostics of the compiler. Each has a page in docs/diagnostics.</summary>
internal static class Descriptors
{
    public static readonly DiagnosticDescriptor NoSuchTarget = Error("PG001", "No such target", "'{0}' matches nothing below {1}{2}");
    public static readonly DiagnosticDescriptor NeverCalled = Error("PG002", "Target is never called", "'{0}' is {1}.{2}, which no method of {1} calls, so an adapter there would do nothing; call it, or leave it out of the targets");
    public static readonly DiagnosticDescriptor CannotCarry = Error("PG003", "Target cannot carry the method", "'{0}' is {1}.{2} of type {3}, which cannot carry {4}; it needs {5}");
    public static readonly DiagnosticDescriptor NotPartial = Error("PG004", "Class must be partial", "{0} {1}, so code is generated into it; declare it 'partial'");
    public static readonly DiagnosticDescriptor NotAModule = Error("PG005", "Not a module", "[{0}] stands on {1}, which is no torch.nn.Module; put it on the model's class");
    public static readonly DiagnosticDescriptor OutOfRange = Error("PG006", "Number out of range", "{0} is {1}; {2} takes {0} from {3} to {4}");
    public static readonly DiagnosticDescriptor MalformedTargets = Error("PG007", "Malformed targets", "{0}");
    public static readonly DiagnosticDescriptor Exclusive = Error("PG008", "Declarations exclude each other", "{0} in {1}; {2}");
    public static readonly DiagnosticDescriptor NameClash = Error("PG009", "Name clash", "{0} already {1} '{2}', which PeftGen emits; rename it");
    public static readonly DiagnosticDescriptor CannotFollow = Error("PG010", "Call cannot be followed", "this use of {0} cannot be followed into an adapter: {1}");
    public static readonly DiagnosticDescriptor RoleFound = new("PG011", "Role found by family name", "'{0}' stands for {1}", "PeftGen", DiagnosticSeverity.Info, true, helpLinkUri: Page("PG011"));
    public static readonly DiagnosticDescriptor OtherAssembly = Error("PG012", "Target in another assembly", "'{0}' {1} below {2} {3} is in another assembly and was not compiled by PeftGen; compile it there, or choose other targets");
    public static readonly DiagnosticDescriptor GroupName = Error("PG013", "Group cannot be named so", "the group '{0}' {1}; give it another name");

    public static readonly DiagnosticDescriptor WeightPastModule = new("PG014", "Weight read past its module", "{0} is read past its module, so what the adapter does to it is computed whole in each call; call {1} instead", "PeftGen", DiagnosticSeverity.Warning, true, helpLinkUri: Page("PG014"));

    public static readonly DiagnosticDescriptor StateWritten = Info("PG015", "State written while running", "{0} writes {1}, which all adapters on this module share; pass it as an argument where they must not");
    public static readonly DiagnosticDescriptor NotCompiledCandidate = Warning("PG016", "Class that may stand there is not compiled", "{0} {1}; declare it 'partial'");
    public static readonly DiagnosticDescriptor NoSuchPattern = Error("PG017", "No path fits the pattern", "'{0}' matches no path below {1}, whatever the index; {2}");
    public static readonly DiagnosticDescriptor RoleOfSeveral = Info("PG018", "Role stands for several fields", "'{0}' stands for several fields of one class: {1}; name them where not all are meant");
    public static readonly DiagnosticDescriptor SharedMerge = Warning("PG019", "Shared parameter cannot be merged", "{0} and {1} are one parameter, and {2} is adapted, so MergeInto will refuse; run the model with its adapter, or leave {2} out");
    public static readonly DiagnosticDescriptor NotWithin = Error("PG020", "Not among the targets", "'{0}' of {1} is none of {2}; add it there, or leave it out here");
    public static readonly DiagnosticDescriptor NothingConcrete = Warning("PG021", "Nothing runs the declaration", "[{0}] stands on {1}, which is abstract and from which no class here derives, so nothing can run it; put it on the model's class");
    public static readonly DiagnosticDescriptor Repeated = Warning("PG022", "Target repeated", "'{0}' adds nothing: the targets before it have all that it matches; leave it out");
    public static readonly DiagnosticDescriptor LeavesOutNothing = Warning("PG023", "Nothing is left out", "'{0}' of {1} is none of {2}, so it leaves out nothing; correct it, or leave it away");
    public static readonly DiagnosticDescriptor NotRegistered = Warning("PG024", "List is not registered", "{0}.{1} is no ModuleList, so TorchSharp does not register what it holds: it is missing in state_dict, .to() and training; use ModuleList, or register_module for each");
    public static readonly DiagnosticDescriptor PropertyKey = Info("PG025", "Property has another key", "TorchSharp registers the property {0}.{1} as <{1}>k__BackingField, so the base's state_dict has that key; use a field where files have to fit");
    public static readonly DiagnosticDescriptor RegisteredAs = Warning("PG026", "Registered under another name", "{0} is registered as '{1}', but its path in checkpoints is '{2}'; put [Name(\"{1}\")] on the field");
    public static readonly DiagnosticDescriptor BadName = Error("PG027", "Name is no path", "[Name(\"{0}\")] on {1} {2}");
    public static readonly DiagnosticDescriptor InputNoTensor = Warning("PG028", "Input is no tensor", "[Input] on {0} is ignored, since it is a {1} and slots ask for tensors; put it on a Tensor");
    public static readonly DiagnosticDescriptor NoGradients = Warning("PG029", "Target runs without gradients", "{0} runs under {1}, so the adapter learns nothing there; move it out, or detach its result instead");
    public static readonly DiagnosticDescriptor AliasOfTwo = Error("PG030", "Alias with two meanings", "'{0}' is {1} here and {2} for another part of {3}, and generated code has both parts in one file; rename one of them");
    public static readonly DiagnosticDescriptor LanguageVersion = Error("PG036", "Language version too low", "the project is C# {0} and generated code is C# 12; set LangVersion to 12 or more");
    public static readonly DiagnosticDescriptor LargerThanLayer = Warning("PG031", "Number larger than the layer", "{0} is {1}, and {2} has only {3} features on one side, so more than {3} cannot add anything; choose less");
    public static readonly DiagnosticDescriptor FileLocal = Error("PG032", "Class is local to its file", "{0} is 'file', so generated code cannot extend it; remove the word");
    public static readonly DiagnosticDescriptor RunsInConstructor = Warning("PG033", "Target runs in a constructor", "{0} stands in {1}, which takes no adapter, so it always runs as the base; move it into a method");
    public static readonly DiagnosticDescriptor CannotMerge = Info("PG034", "Group cannot be merged", "{0} cannot be merged with {1}, so MergeInto is not emitted for its group");
    public static readonly DiagnosticDescriptor DynamicCall = Warning("PG035", "Dynamic call cannot be followed", "{0} is dynamic, so what it runs is known only at run time and runs as the base; declare its type");
    public static readonly DiagnosticDescriptor NeverCalledByPattern = Warning("PG038", "Matched layer is never called", "'{0}' matches {1}.{2}, which no method of {1} calls, so an adapter there does nothing; leave it out of the targets, or call it");
    public static readonly DiagnosticDescriptor SiteInLoop = Info("PG037", "One site for all turns of a loop", "this {0} site stands in a loop, so all turns share one slot; write the turns out, or put the loop's body into a module of its own, where each has to learn for itself");
    public static readonly DiagnosticDescriptor UnknownPart = Error("PG039", "Part cannot be meant", "'{0}' means {1}, but {2}");
    public static readonly DiagnosticDescriptor BadFused = Error("PG040", "Fused layer is none", "[Fused] on {0}: it {1}");

    public static readonly DiagnosticDescriptor CannotCheckpoint = Error("PG041", "Block cannot be computed again", "[GradientCheckpointing] on {0}: {1}");

    public static readonly DiagnosticDescriptor MissingInput = Error("PG042", "Input is missing", "{0} changes the model's {1}, and no method of {2} takes them; {3}");
    public static readonly DiagnosticDescriptor NoEffect = Warning("PG043", "Value has no effect", "{0} of {1} has no effect {2}");
    public static readonly DiagnosticDescriptor Contradiction = Error("PG044", "Values contradict each other", "{0} cannot be made with these values: {1}");
    public static readonly DiagnosticDescriptor UnknownName = Error("PG045", "Unknown name", "{0} is '{1}', which {2} does not know; {3}");
    public static readonly DiagnosticDescriptor DoesNotFit = Error("PG046", "Number does not fit the model", "{0} of {1} is {2}, which is {3}; choose another");
    public static readonly DiagnosticDescriptor NoLayerOfRole = Error("PG047", "Size cannot be read", "{0} reads the size of a layer with the role '{2}' at or around {1}, and no layer there could be it; {3}");
    public static readonly DiagnosticDescriptor PatternMeetsNothing = Warning("PG048", "Pattern meets no site", "'{0}' of {1} is the end of no path among the sites of {2}, so it has no effect; {3}");
    public static readonly DiagnosticDescriptor NoSuchBlock = Warning("PG049", "No such block", "{0} names block {1}, and {2} has {3}, counted from 0 to {4}; correct it, or leave it away");
    public static readonly DiagnosticDescriptor HiddenForward = Error("PG055", "Hidden forward", "this forward of {0} hides the one that modules run, so with an adapter {0} and the module would be two models; override it, or give this one another name");
    public static readonly DiagnosticDescriptor NeverRegistered = Warning("PG070", "Layers are never registered", "{0} {1}, and no constructor of it calls RegisterComponents(), so TorchSharp knows none of its layers: they do not train, move or save; call it at the end of the constructor");
    public static readonly DiagnosticDescriptor InTuple = Warning("PG071", "Modules in a tuple", "{0}.{1} is a tuple, so TorchSharp does not register the modules in it and no target can mean them; give each a field of its own, or put them into a ModuleList");
    public static readonly DiagnosticDescriptor LeftWhole = Info("PG080", "Target trains whole", "'{0}' means {1}, too, which lies in '{2}': that trains whole, so no adapter is put there");
    public static readonly DiagnosticDescriptor NothingButWhole = Error("PG081", "All targets train whole", "all that {0} would adapt lies in '{1}', which trains whole, so no adapter can be made; name other targets, or take '{1}' out");

    public static readonly DiagnosticDescriptor LibraryMayCall = Warning("PG051", "Library may call a target's method", "{0} reaches a target and overrides a method of {1}, which is a library's; where that calls it by itself, the base runs; call it from this project's code alone");
    public static readonly DiagnosticDescriptor LibraryCalls = Error("PG052", "Library calls a target's method", "{0} reaches a target and overrides a method of {1}, whose forward is a library's and calls it without an adapter; override forward here, and call {0} there");
    public static readonly DiagnosticDescriptor AttentionNotSeen = Warning("PG065", "Attention cannot be followed",
        "'{0}' looks like the scores of an attention that {1} should reach, but {2}; write (k, v, mask) = Attention.Attach(x, q, k, v, mask) before it, and use what it returns");
    public static readonly DiagnosticDescriptor UndefinedValue = Error("PG060", "Value has no name", "{0} is {1}, which is no member of {2}; write one of {3}");
    public static readonly DiagnosticDescriptor NothingTrains = Error("PG061", "Nothing to train", "'{0}' finds nothing to train below {1}, so the adapter would be empty: {2}; choose other targets or another method");
    public static readonly DiagnosticDescriptor NothingRuns = Warning("PG062", "Nothing runs the adapter", "[{0}] stands on {1}, no public method of which runs a target, so no adapter could be run; write a forward, or put the attribute on the class that runs it");
    public static readonly DiagnosticDescriptor StatisticsMove = Warning("PG075", "Statistics move while an adapter trains", "this {0} keeps running statistics, which move in the base while an adapter of {1} trains, and no file of the adapter has them; let it train whole with ModulesToSave, or call its eval() while training");

    public static DiagnosticDescriptor ById(string id) => _all[id];

    private static readonly Dictionary<string, DiagnosticDescriptor> _all = typeof(Descriptors).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (DiagnosticDescriptor)field.GetValue(null)!).ToDictionary(descriptor => descriptor.Id);

    public static IEnumerable<DiagnosticDescriptor> All => _all.Values;

    private static DiagnosticDescriptor Error(string id, string title, string message) => Create(id, title, message, DiagnosticSeverity.Error);

    private static DiagnosticDescriptor Warning(string id, string title, string message) => Create(id, title, message, DiagnosticSeverity.Warning);

    private static DiagnosticDescriptor Info(string id, string title, string message) => Create(id, title, message, DiagnosticSeverity.Info);

    private static DiagnosticDescriptor Create(string id, string title, string message, DiagnosticSeverity severity) =>
        new(id, title, message, "PeftGen", severity, isEnabledByDefault: true, helpLinkUri: Page(id));

    private static string Page(string id) => $"https://github.com/peftgen/peftgen/blob/main/docs/diagnostics/{id}.md";
}
