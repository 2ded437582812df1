namespace PeftGen.Checkpoints;

/// <summary>The files of an adapter, open for reading and of one instant.</summary>
/// <param name="Config">The configuration.</param>
/// <param name="Values">The methods with the file's values.</param>
/// <param name="Parts">The weights, each with the adapter's name in their keys.</param>
internal sealed record OpenedAdapter(AdapterConfig Config, IReadOnlyList<AdaptAttribute> Values, IReadOnlyList<(SafetensorsFile File, string Name)> Parts) : IDisposable
{
    /// <summary>Opens the weights that belong to a configuration.</summary>
    /// <param name="files">Opens.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="values">The methods with its values.</param>
    /// <param name="directory">Where the configuration is.</param>
    public static OpenedAdapter Open(FolderSnapshot files, AdapterConfig config, IReadOnlyList<AdaptAttribute> values, string directory)
    {
        var parts = new List<(SafetensorsFile file, string name)>();
        try
        {
            IReadOnlyList<(string folder, string name)> places = config.Parts.Count > 0 ? config.Parts : [(directory, config.Name ?? "")];
            foreach (var (folder, name) in places)
                parts.Add((AdapterFolder.OpenWeights(files, folder, config.Format), name));
            return new OpenedAdapter(config, values, parts);
        }
        catch
        {
            foreach (var (file, _) in parts)
                file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        foreach (var (file, _) in Parts)
            file.Dispose();
    }
}
