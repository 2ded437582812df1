using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The slot of an embedding: where its ids are those with room for the prompt, it returns the prompt's vectors there.</summary>
internal sealed class PromptEmbedding : LayerSlot
{
    private readonly Prompt _prompt;

    /// <param name="site">The embedding.</param>
    /// <param name="prompt">The prompt, which it shares.</param>
    public PromptEmbedding(Site site, Prompt prompt) : base(site.Path)
    {
        if (site.Host.Module is not Embedding embedding)
            throw new AdapterException($"{site.Path}: a prompt is put into what an Embedding returns, and this is a {site.Host.Module.GetType().Name}. Let the targets name the embedding of the model's tokens.");
        _prompt = prompt;
        prompt.PlaceAt(site.Path, embedding.weight!.shape[1], embedding.weight);
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        if (layer.Context.State<PromptCall>(_prompt).RoomIn(x) is not { } space)
            return layer.forward(x);
        // The ids in front stand for nothing that the embedding has. Those behind may have room of their own, for a prompt below.
        using var y = layer.forward(space.Own);
        using var rows = _prompt.Of(layer.Context, space.First, space.Count, y);
        return cat([rows, y], 1);
    }

    /// <summary>The table stays the base's.</summary>
    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value) => value;

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}
