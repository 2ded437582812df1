using System.Reflection;
using PeftGen.Checkpoints;

namespace PeftGen.Parity;

/// <summary>Our files beside the reference's.</summary>
internal static class SavedFile
{
    /// <summary>Saves an adapter and requires the recorded folder's tensors, bit for bit, and the values of its configuration.</summary>
    public static void RequireSameAs(string recorded, AdapterNode adapter) => WithSaved(adapter, ours =>
    {
        Configurations.RequireSame(Configurations.Read(recorded), Configurations.Read(ours), "our adapter_config.json");
        RequireSameTensors(Path.Combine(recorded, "adapter_model.safetensors"), Path.Combine(ours, "adapter_model.safetensors"));
    });

    /// <summary>Saves an adapter as AdapterHub does and requires the recorded folders' tensors, bit for bit, and the values of their configurations.</summary>
    /// <param name="recorded">The recorded folder, or that of the folders of one adapter for each task.</param>
    /// <param name="folders">The folders of the tasks' adapters, by name; empty: there is one adapter.</param>
    /// <param name="adapter">The adapter.</param>
    public static void RequireSameAsHub(string recorded, IReadOnlyDictionary<string, string> folders, AdapterNode adapter) => WithFolder(ours =>
    {
        Save(nameof(AdapterFiles.SaveAsAdapterHub), adapter, ours);
        foreach (var (theirs, own) in folders.Count == 0 ? [(recorded, ours)] : folders.Select(folder => (folder.Value, Path.Combine(ours, folder.Key))))
        {
            Configurations.RequireSameWhole(theirs, own, "our adapter_config.json for AdapterHub");
            RequireSameTensors(Path.Combine(theirs, "adapter.safetensors"), Path.Combine(own, "adapter.safetensors"));
        }
    });

    /// <summary>Saves an adapter whose recorded folder is of another format, and requires that loading gives the same file again.</summary>
    public static void RequireRoundTrip(AdapterNode adapter, Func<string, AdapterNode> load) => WithSaved(adapter, first => WithSaved(load(first), second =>
        RequireSameTensors(Path.Combine(first, "adapter_model.safetensors"), Path.Combine(second, "adapter_model.safetensors"))));

    private static void WithSaved(AdapterNode adapter, Action<string> check) => WithFolder(folder =>
    {
        Save(nameof(AdapterFiles.Save), adapter, folder);
        check(folder);
    });

    private static void WithFolder(Action<string> check)
    {
        var folder = Directory.CreateTempSubdirectory("peftgen-parity-").FullName;
        try
        {
            check(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Save(string method, AdapterNode adapter, string folder)
    {
        // It is an extension method on the group's type, which exists only at run time.
        var save = typeof(AdapterFiles).GetMethods().Single(m => m.Name == method && m.GetParameters()[1].ParameterType == typeof(string));
        object?[] arguments = [adapter, folder, .. save.GetParameters().Skip(2).Select(p => p.DefaultValue)];
        save.MakeGenericMethod(adapter.GetType()).Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }

    private static void RequireSameTensors(string reference, string ours)
    {
        using var theirs = SafetensorsFile.Open(reference);
        using var own = SafetensorsFile.Open(ours);
        // HF PEFT repeats the base's own embedding beside LoRA on it; loading compares it with the base.
        var expected = theirs.Names.Where(name => !SingleAdapter.IsBaseCopy(name)).ToList();
        var surplus = own.Names.Except(expected).ToList();
        var missing = expected.Except(own.Names).ToList();
        if (surplus.Count + missing.Count > 0)
            throw new ParityException($"our file: surplus {string.Join(", ", surplus.DefaultIfEmpty("none"))}, missing {string.Join(", ", missing.DefaultIfEmpty("none"))}");
        foreach (var name in expected)
        {
            using var a = theirs.Read(name);
            using var b = own.Read(name);
            if (!a.shape.SequenceEqual(b.shape) || a.dtype != b.dtype || !a.bytes.SequenceEqual(b.bytes))
                throw new ParityException($"our file: {name} differs from the recorded one");
        }
    }
}
