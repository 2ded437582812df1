using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary><see cref="AdaptAttribute.ModulesToSave"/> as a claim and in files, for all methods alike.</summary>
internal static class WholeModules
{
    /// <summary>HF PEFT's name of the field, and the claim's purpose.</summary>
    public const string Field = "modules_to_save";

    /// <summary>The claim on the modules' parameters; null: the method names none.</summary>
    public static Claim? ClaimOf(AdaptAttribute method) =>
        method.ModulesToSave is { } modules ? new Claim(SiteKind.Parameter, TargetList.Parse(modules), Purpose: Field) : null;

    /// <summary>Sets what a configuration says.</summary>
    public static void Read(AdaptAttribute values, JsonObject config) => values.ModulesToSave = new ConfigReader(config).Targets(Field);

    /// <summary>Adds the names to a configuration.</summary>
    /// <param name="values">The method.</param>
    /// <param name="config">The configuration, as the method has written it.</param>
    /// <param name="targets">HF PEFT's words for the sites of each claim.</param>
    public static void Write(AdaptAttribute values, JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        if (ClaimOf(values) is not { } claim)
            return;
        // HF PEFT adds the names of heads each time that it makes a model of the configuration; a loaded file keeps its form.
        if (config[Field] is not JsonArray written || !written.Select(name => (string?)name).ToHashSet().SetEquals(targets[claim]))
            config[Field] = ConfigWriter.Names(targets[claim]);
    }
}
