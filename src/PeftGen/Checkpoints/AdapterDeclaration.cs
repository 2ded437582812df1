using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

namespace PeftGen;

/// <summary>What a model has to declare so that an adapter's file fits: the methods of this library that the file is of, with its values.</summary>
public sealed class AdapterDeclaration
{
    private AdapterDeclaration(IReadOnlyList<AdaptAttribute> methods) => Methods = methods;

    /// <summary>The methods with the file's values.</summary>
    public IReadOnlyList<AdaptAttribute> Methods { get; }

    /// <summary>Reads what a file wants.</summary>
    /// <param name="directoryOrConfig">An adapter's folder, or its <c>adapter_config.json</c>.</param>
    /// <exception cref="AdapterException">The file is of a method that this library does not have, or its values are none the method can have.</exception>
    /// <exception cref="CheckpointException">The file is missing or damaged.</exception>
    public static AdapterDeclaration Read(string directoryOrConfig)
    {
        if (Directory.Exists(directoryOrConfig))
            return FolderSnapshot.Take(directoryOrConfig, files => Read(AdapterFolder.ReadConfig(files, directoryOrConfig), directoryOrConfig));
        return Read(AdapterConfig.Read(JsonFile.ReadObject(directoryOrConfig, "an adapter's configuration"), directoryOrConfig), directoryOrConfig);
    }

    /// <summary>Reads what a configuration wants.</summary>
    /// <param name="config">An object as <c>adapter_config.json</c> has it, HF PEFT's or AdapterHub's, the latter with or without its envelope.</param>
    /// <exception cref="AdapterException">The file is of a method that this library does not have, or its values are none the method can have.</exception>
    public static AdapterDeclaration Read(JsonObject config) => Read(AdapterConfig.Read(config, "the configuration"), "the configuration");

    /// <summary>The attributes to write on the model's class: <c>[LoRA(rank: 4, alpha: 6, targets: "q_proj,v_proj")]</c>.</summary>
    public override string ToString() => string.Join(" ", Methods);

    /// <summary>The attributes to write, in an error about something else: never an error of its own.</summary>
    internal static string Describe(AdapterConfig config, string source)
    {
        try
        {
            return Read(config, source).ToString();
        }
        catch (AdapterException)
        {
            // What is unknown here can only be a method of the user's own.
            return $"an attribute of yours whose PeftType is {config.MethodNames}";
        }
    }

    private static AdapterDeclaration Read(AdapterConfig config, string source) => new(config.Methods.Select(part => ReadPart(part, source, config.Keys)).ToList());

    private static AdaptAttribute ReadPart(JsonObject part, string source, IReadOnlyCollection<string> keys)
    {
        var method = KnownMethods.All.FirstOrDefault(m => AdapterFolder.Reads(m, part, source)) ?? throw new AdapterException(
            $"{source}: {AdapterConfig.NameOf(part)} is no method of this library, which has {string.Join(", ", KnownMethods.All.Select(m => m.PeftType))}. " +
            "Declare a method of your own whose PeftType it is.");
        return AdapterFolder.ReadMethod(method, WithoutIdleNames(part, keys), source, keys);
    }

    /// <summary>HF PEFT's targets may name what the model does not have; a declaration names what there is.</summary>
    private static JsonObject WithoutIdleNames(JsonObject part, IReadOnlyCollection<string> keys)
    {
        const string Field = "target_modules";
        if (part[Field] is not JsonArray names || part["peft_type"]?.ToString().StartsWith(AdapterConfig.GroupType, StringComparison.Ordinal) != false)
            return part;
        var found = names.Where(name => name is JsonValue value && value.TryGetValue(out string? text) && keys.Any(key => key.Contains($".{text}.", StringComparison.Ordinal))).ToList();
        if (found.Count == 0 || found.Count == names.Count)
            return part;
        var trimmed = part.DeepClone().AsObject();
        trimmed[Field] = new JsonArray([.. found.Select(name => name!.DeepClone())]);
        return trimmed;
    }
}
