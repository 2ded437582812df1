namespace PeftGen.Generators.Model;

/// <summary>What the build says it made of the declarations.</summary>
/// <param name="Roots">The annotated classes.</param>
/// <param name="Classes">The compiled classes.</param>
/// <param name="NotCompiled">Classes that were met and run as the base does, with the reason.</param>
/// <param name="BaseMethods">Methods of compiled classes that run as the base does.</param>
internal sealed record ReportModel(
    EquatableArray<ReportRoot> Roots, EquatableArray<ReportClass> Classes, EquatableArray<ReportNote> NotCompiled, EquatableArray<ReportNote> BaseMethods);

/// <summary>A root.</summary>
/// <param name="Name">The class.</param>
/// <param name="Groups">Its groups.</param>
/// <param name="Sites">The sites that targets matched.</param>
/// <param name="Skipped">Places that a target matched and that are no site, with the reason.</param>
/// <param name="Unmatched">Layers and parameters that no target matched.</param>
internal sealed record ReportRoot(
    string Name, EquatableArray<ReportGroup> Groups, EquatableArray<ReportSite> Sites, EquatableArray<ReportNote> Skipped, EquatableArray<string> Unmatched);

/// <summary>A group of methods.</summary>
/// <param name="Type">The adapter type.</param>
/// <param name="Declarations">The attributes as written.</param>
/// <param name="PreventsMerge">Those that keep the group from merging.</param>
internal sealed record ReportGroup(string Type, EquatableArray<string> Declarations, EquatableArray<string> PreventsMerge);

/// <summary>A site.</summary>
/// <param name="Path">The path; <c>*</c> stands for an index.</param>
/// <param name="Where">The class and field.</param>
/// <param name="Layer">The layer's type.</param>
/// <param name="Kind">The kind of site.</param>
/// <param name="Method">The method.</param>
/// <param name="Target">The target as written.</param>
/// <param name="IsRole">Whether the target is a role.</param>
internal sealed record ReportSite(string Path, string Where, string Layer, string Kind, string Method, string Target, bool IsRole);

/// <summary>Something with a reason.</summary>
/// <param name="What">What it is about.</param>
/// <param name="Why">The reason.</param>
internal sealed record ReportNote(string What, string Why);

/// <summary>A compiled class.</summary>
/// <param name="Name">The class.</param>
/// <param name="Methods">Its compiled methods, with where they were written.</param>
internal sealed record ReportClass(string Name, EquatableArray<ReportNote> Methods);
