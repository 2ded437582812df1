using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The slot of what the embeddings return: it puts the prompt's vectors before it, or behind its first.</summary>
internal sealed class EmbeddedPromptSlot : OutputSlot
{
    private readonly Prompt _prompt;
    private readonly int _length;
    private readonly int _at;

    /// <param name="site">The embeddings.</param>
    /// <param name="prompt">The prompt, which it shares.</param>
    /// <param name="length">How many vectors there are.</param>
    /// <param name="at">How many of the model's own positions come before them.</param>
    public EmbeddedPromptSlot(Site site, Prompt prompt, int length, int at) : base(site.Path)
    {
        (_prompt, _length, _at) = (prompt, length, at);
        prompt.PlaceAt(site.Path, WidthOf(site), null);
    }

    public override Tensor forward(ForwardContext context, Tensor output)
    {
        if (!context.State<PromptCall>(_prompt).Place(_prompt))
            return output.alias();
        using var rows = _prompt.Of(context, 0, _length, output);
        if (_at == 0)
            return cat([rows, output], 1);
        using var before = output.narrow(1, 0, _at);
        using var after = output.narrow(1, _at, output.shape[1] - _at);
        return cat([before, rows, after], 1);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

    /// <summary>The embeddings return vectors as wide as the tables that they are looked up in, or as the parameters that are added to them.</summary>
    private static long WidthOf(Site site)
    {
        var widths = site.Host.Module.named_parameters().Where(p => p.parameter.dim() == 2 && p.name.EndsWith("weight", StringComparison.Ordinal) && p.name.Contains("embed", StringComparison.Ordinal))
            .Concat(site.Host.Module.named_parameters(recurse: false).Where(p => p.parameter.dim() == 3))
            .Select(p => p.parameter.shape[^1]).Distinct().ToList();
        return widths is [var only] ? only : throw new AdapterException(
            $"{site.Path}: the width of what this {site.Host.Module.GetType().Name} returns is not to be seen: its embeddings are {(widths.Count == 0 ? "none" : string.Join(" and ", widths))} wide, expected one width. " +
            "Let the targets name the module that embeds the model's inputs.");
    }
}
