using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// P-tuning: a small network computes the prompt from learned vectors <c>E</c> <c>[length, dim]</c>. With an MLP <c>P = W₃·relu(W₂·relu(W₁E + b₁) + b₂) + b₃</c>;
/// with an LSTM that reads <c>E</c> from both ends <c>P = W₂·relu(W₁·LSTM(E) + b₁) + b₂</c>.
/// </summary>
/// <remarks>
/// Liu et al., "GPT Understands, Too", 2021; as HF PEFT's <c>PromptEncoder</c>; see <see cref="SoftPrompt"/> for masks, labels and positions. The network is there while training goes on: in <c>parameters()</c> and in
/// <see cref="AdapterTrainingState"/>. <c>Save</c> writes its output alone, <c>prompt_embeddings</c>, as HF PEFT does. What is loaded from such a file is a plain prompt, which trains on as one;
/// to go on with the network, keep the training state. <see cref="AdapterEjection.Eject"/> makes one a plain prompt in place.
/// </remarks>
/// <param name="length">The number of vectors. Default: 20.</param>
/// <param name="targets">The embedding, see <see cref="TargetList"/>. Default: the input embedding.</param>
[Merges(false)]
public sealed class PTuning([InRange(1, 65536)] int length = 20, string targets = "embed") : SoftPrompt(length, targets)
{
    /// <summary>The network. Default: an MLP.</summary>
    public PromptNetwork Encoder { get; set; }

    /// <summary>The width of the MLP's inner layers, or of the LSTM in each direction. Default: 0, as wide as the embedding.</summary>
    [InRange(0, 1 << 20)]
    public int HiddenSize { get; set; }

    /// <summary>The number of the LSTM's layers. Default: 2.</summary>
    [InRange(1, 64), OnlyWith(nameof(Encoder))]
    public int Layers { get; set; } = 2;

    /// <summary>The probability with which entries between the LSTM's layers are dropped in training. Default: 0.</summary>
    [InRange(0, 0.999999), OnlyWith(nameof(Encoder))]
    public double Dropout { get; set; }

    /// <inheritdoc/>
    public override string PeftType => "P_TUNING";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        var (length, targets, submodules, taskType) = ReadCommon(reader);
        return new PTuning(length, targets)
        {
            Submodules = submodules, TaskType = taskType,
            Encoder = reader.Choice("encoder_reparameterization_type", PromptNetwork.Mlp),
            HiddenSize = reader.Int("encoder_hidden_size", 0),
            Layers = reader.Int("encoder_num_layers", 2),
            Dropout = reader.Double("encoder_dropout", 0),
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        base.WriteConfig(config, targets);
        config["encoder_reparameterization_type"] = Encoder.ToString().ToUpperInvariant();
        config["encoder_hidden_size"] = HiddenSize == 0 ? null : HiddenSize;
        config["encoder_num_layers"] = Layers;
        config["encoder_dropout"] = Dropout;
    }

    /// <inheritdoc/>
    public override string ToString() => WithCommon(Text(nameof(PTuning))
        .Property(nameof(Encoder), Encoder, PromptNetwork.Mlp).Property(nameof(HiddenSize), HiddenSize, 0).Property(nameof(Layers), Layers, 2).Property(nameof(Dropout), Dropout, 0.0));

    internal override Prompt CreatePrompt(Site site, int rows)
    {
        if (HiddenSize < 0 || Layers < 1)
            throw new AdapterException($"{this}: HiddenSize is {HiddenSize} and Layers {Layers}, expected at least 0 and 1.");
        // A file has the network's output and not the network.
        return site.IsForFile ? new PromptTable(site, rows, this) : new PromptEncoder(site, rows, this);
    }
}

/// <summary>What computes a prompt.</summary>
public enum PromptNetwork
{
    /// <summary>Three linear layers with ReLU between them.</summary>
    Mlp,

    /// <summary>An LSTM that reads from both ends, and two linear layers with ReLU between them.</summary>
    Lstm,
}
