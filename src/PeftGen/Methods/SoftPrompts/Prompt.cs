using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The vectors of a prompt. The slot of the root's inputs, which makes room for them, and the slot that puts them there share it.</summary>
internal abstract class Prompt : Slot
{
    /// <summary>The name in the adapter's tree.</summary>
    public const string Name = "prompt_encoder";

    /// <summary>What a group has one of: its vectors are in files without a path.</summary>
    public const string Kind = "prompt";

    /// <summary>What HF PEFT calls the vectors in files.</summary>
    public const string Vectors = "prompt_embeddings";

    private (string path, long width, Tensor? table)? _place;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="rows">How many vectors there are.</param>
    /// <param name="what">The method, for messages.</param>
    protected Prompt(Site site, int rows, AdaptAttribute what) : base(Name)
    {
        Rows = rows;
        site.WhenComplete(() =>
        {
            var (_, width, table) = _place ?? throw new AdapterException($"{what}: no site is compiled where the prompt could be put, so its width is not to be seen. Let the targets name the embedding of the model's tokens.");
            // A slot holds nothing of the host.
            _place = null;
            Begin(site, width, table);
        });
    }

    /// <summary>How many vectors there are.</summary>
    protected int Rows { get; }

    /// <summary>Takes note of a place where the vectors are put.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="width">The width of what stands there.</param>
    /// <param name="table">The embeddings of the vocabulary, <c>[vocabulary, dim]</c>; null: there are none.</param>
    /// <exception cref="AdapterException">Another place is of another width.</exception>
    public void PlaceAt(string path, long width, Tensor? table)
    {
        if (_place is { } other && other.width != width)
            throw new AdapterException($"{path}: found vectors {width} wide, expected {other.width} as at {other.path}, since one prompt is put at both. Let the targets name one of them.");
        _place ??= (path, width, table);
    }

    /// <summary>The vectors in one call.</summary>
    /// <param name="context">The context, which owns the result.</param>
    /// <returns><c>[rows, dim]</c>, or <c>[batch, rows, dim]</c> where examples differ.</returns>
    public Tensor Of(ForwardContext context) => context.Share(this, () => Compute(context));

    /// <summary>Some of the vectors for each example of a batch.</summary>
    /// <param name="context">The context of the call.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="beside">What they are put beside, <c>[batch, tokens, dim]</c>.</param>
    /// <returns><c>[batch, count, dim]</c> in the type of <paramref name="beside"/>; the caller owns it.</returns>
    public Tensor Of(ForwardContext context, int first, int count, Tensor beside)
    {
        var all = Of(context);
        if (all.dim() == 3 && all.shape[0] != beside.shape[0])
            throw new AdapterException($"{Path}: the call names tasks of {all.shape[0]} rows, and the batch has {beside.shape[0]}. Give one for each row.");
        using var some = all.narrow(-2, first, count);
        using var typed = some.to(beside.dtype);
        return typed.expand(beside.shape[0], -1, -1);
    }

    /// <summary>Makes the parameters.</summary>
    /// <param name="site">For starts.</param>
    /// <param name="width">The width of a vector.</param>
    /// <param name="table">The embeddings of the vocabulary; null: there are none.</param>
    protected abstract void Begin(Site site, long width, Tensor? table);

    /// <summary>Computes the vectors; the context is for what depends on the call.</summary>
    protected abstract Tensor Compute(ForwardContext context);

    /// <summary>Where the prompt lies in AdapterHub's files; null: it has no form there.</summary>
    public string? AdapterHubKey { get; set; }

    /// <summary>The key of the vectors in a file.</summary>
    protected string KeyOf(FileFormat format) => format == FileFormat.AdapterHub && AdapterHubKey is { } key ? key : Vectors;
}
