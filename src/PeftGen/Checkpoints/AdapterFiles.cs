using PeftGen.Checkpoints;

namespace PeftGen;

/// <summary>Saves adapters.</summary>
public static class AdapterFiles
{
    /// <summary>
    /// Saves an adapter as HF PEFT does: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, with PEFT's names. Fields of a
    /// loaded configuration that the method does not know are written again. A group of several methods, for which PEFT has no form, is
    /// written with <c>"peft_type": "PEFTGEN"</c> and the methods' own configurations in <c>methods</c>.
    /// </summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="directory">
    /// The folder; it is created where it is missing. Both files change in one step: who reads meanwhile, or comes after this process was killed, finds the old adapter or the new one. Other files there stay.
    /// </param>
    /// <param name="baseModel">The base's name or folder, for <c>base_model_name_or_path</c>; null: what a loaded file says.</param>
    /// <exception cref="AdapterException">The adapter is composed of others, or its values have no form in a file.</exception>
    /// <exception cref="CheckpointException">The folder cannot be written to; what was there has not changed.</exception>
    public static void Save<T>(this T adapter, string directory, string? baseModel = null) where T : AdapterNode, IAdapter =>
        AdapterFolder.Save(adapter, directory, baseModel);

    /// <summary>
    /// Saves an adapter as AdapterHub's <c>adapters</c> does: <c>adapter_config.json</c> and <c>adapter.safetensors</c>, with its names, so that <c>model.load_adapter(directory)</c> opens it there.
    /// The host's modules have to bear the names of Hugging Face's model. AdapterHub says by kinds of place and blocks where an adapter is; <see cref="MTLLoRA"/> becomes a folder for each task.
    /// </summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="directory">The folder; it is created where it is missing. All files change in one step, see <see cref="StagedFiles"/>.</param>
    /// <param name="name">The adapter's name, a part of all keys; null: what a loaded file calls it, else the group's name, else <c>default</c>. Of several tasks, what their names begin with.</param>
    /// <param name="baseModel">The base's name, for <c>model_name</c>; null: what a loaded file says.</param>
    /// <exception cref="AdapterException">The adapter is composed of others, or AdapterHub has no form for its methods, values or places; the message names it.</exception>
    /// <exception cref="CheckpointException">The folder cannot be written to; what was there has not changed.</exception>
    public static void SaveAsAdapterHub<T>(this T adapter, string directory, string? name = null, string? baseModel = null) where T : AdapterNode, IAdapter =>
        HubFiles.Save(adapter, directory, name, baseModel);
}
