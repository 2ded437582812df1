using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

namespace PeftGen.Methods;

/// <summary><see cref="AdaptAttribute.ModulesToSave"/> as a claim and in files, for all methods alike.</summary>
internal static class WholeModules
{
    /// <summary>HF PEFT's name of the field, and the claim's purpose.</summary>
    public const string Field = "modules_to_save";

    /// <summary>The claim on the modules' parameters; null: the method names none.</summary>
    public static Claim? ClaimOf(AdaptAttribute method) =>
        method.ModulesToSave is { } modules ? new Claim(SiteKind.Parameter, TargetList.Parse(modules), Purpose: Field) : null;

    // What the keys of methods have where those of copies have a parameter's name.
    private static readonly string[] Infixes = [".lora_", ".ia3_", ".ln_tuning_layers.", ".token_adapter.", "." + TrainedTokensSlot.Rows];

    /// <summary>Sets what a configuration says.</summary>
    /// <param name="values">The method.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="keys">The keys of the file beside it; empty: there is none.</param>
    public static void Read(AdaptAttribute values, JsonObject config, IReadOnlyCollection<string> keys)
    {
        var reader = new ConfigReader(config);
        values.ModulesToSave = reader.Text("peft_type")?.StartsWith(AdapterConfig.GroupType, StringComparison.Ordinal) == true ? reader.OwnTargets(Field)
            : reader.Names(Field) is { Count: > 0 } names ? string.Join(",", names.Select(name => TargetOf(name, keys))) : null;
    }

    /// <summary>HF PEFT compares ends of paths from any character on: <c>norm</c> means <c>input_layernorm</c>, too. Where the file has such a copy, the target says so.</summary>
    private static string TargetOf(string name, IReadOnlyCollection<string> keys) =>
        name.Length > 0 && keys.Where(key => !Infixes.Any(key.Contains)).Any(key => Ends(key, name)) ? TargetNames.EndingWith(name)
        : keys.Any(key => key.Contains($".{name}.", StringComparison.Ordinal)) ? TargetNames.OfModule(name) : TargetNames.Of(name);

    /// <summary>Whether a key lies below a module whose path ends with a name that begins within one of its own.</summary>
    private static bool Ends(string key, string name)
    {
        var start = key.StartsWith(HuggingFaceKeys.Prefix, StringComparison.Ordinal) ? HuggingFaceKeys.Prefix.Length : HuggingFaceKeys.PromptPrefix.Length;
        for (var at = start < key.Length ? key.IndexOf(name + ".", start, StringComparison.Ordinal) : -1; at > 0; at = key.IndexOf(name + ".", at + 1, StringComparison.Ordinal))
            if (key[at - 1] != '.')
                return true;
        return false;
    }

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
