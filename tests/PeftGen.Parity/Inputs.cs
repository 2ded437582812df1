using System.Reflection;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The recorded inputs, by name.</summary>
public sealed class Inputs
{
    private const string Tasks = "task_ids";
    private readonly Dictionary<string, Tensor> _tensors;

    /// <summary>Takes the inputs of a case.</summary>
    /// <param name="expected">The case's tensors.</param>
    /// <param name="host">The host's configuration.</param>
    /// <exception cref="ParityException">
    /// A number that the outputs do not depend on, at padding or at a label that no token predicts, is none that a tokenizer gives.
    /// </exception>
    public Inputs(ExpectedTensors expected, JsonObject host)
    {
        _tensors = expected.Keys("input.").ToDictionary(key => key["input.".Length..], expected.Take);
        using var scope = NewDisposeScope();
        if (!_tensors.TryGetValue("input_ids", out var ids))
            return;
        if (_tensors.TryGetValue("attention_mask", out var mask))
        {
            Require("attention_mask", mask.eq(0).logical_or(mask.eq(1)), "neither 0 nor 1");
            var real = mask.ne(0);
            // Of a model with towers, the tower of texts says it.
            if ((host["pad_token_id"] ?? host["text_config"]?["pad_token_id"]) is JsonValue pad && pad.TryGetValue(out long id))
                Require("input_ids", ids.eq(id).logical_or(real), $"padding that is not the host's pad_token_id, {id}");
            if (_tensors.TryGetValue("token_type_ids", out var types))
                Require("token_type_ids", types.eq(0).logical_or(real), "padding in another segment than the first");
        }

        if (!_tensors.TryGetValue("labels", out var labels))
            return;
        ArePlaced = host["architectures"]?[0]?.GetValue<string>().EndsWith("MaskedLM", StringComparison.Ordinal) == true;
        HasDecoder = host["is_encoder_decoder"]?.GetValue<bool>() == true;
        if (HasDecoder)
            _tensors["decoder_input_ids"] = ShiftedRight(labels, host).DetachFromDisposeScope();
        else if (labels.shape.SequenceEqual(ids.shape))
            Require("labels", labels.eq(-100).logical_or(labels.eq(ids)), "neither -100 nor the token there");
    }

    public Tensor Labels => _tensors.GetValueOrDefault("labels") ?? throw new ParityException("input.labels is not recorded, but a loss is");

    /// <summary>Whether a label is that of the token at its own place, not of the next.</summary>
    public bool ArePlaced { get; }

    /// <summary>The tasks of the rows, which the adapter wants and no host; null: there are none.</summary>
    public Tensor? TaskIds => _tensors.GetValueOrDefault(Tasks);

    /// <summary>Whether the labels are what a decoder puts out, token by token.</summary>
    public bool HasDecoder { get; }

    /// <summary>Whether they are texts with an image each.</summary>
    public bool ArePairs => _tensors.ContainsKey("input_ids") && _tensors.ContainsKey("pixel_values");

    /// <summary>The arguments for parameters, by name; the others get their defaults.</summary>
    public object?[] For(IReadOnlyList<ParameterInfo> parameters)
    {
        var unknown = _tensors.Keys.Except(parameters.Select(p => p.Name!)).Where(n => n is not ("labels" or Tasks)).ToList();
        if (unknown.Count > 0)
            throw new ParityException($"input.{unknown[0]}: the host takes no such input");
        return parameters.Select(p => _tensors.TryGetValue(p.Name!, out var tensor) ? tensor
            : p.HasDefaultValue ? p.DefaultValue
            : throw new ParityException($"input.{p.Name} is not recorded")).ToArray();
    }

    /// <summary>What the decoder is fed: the labels behind its first token, padding where the loss leaves one out.</summary>
    private static Tensor ShiftedRight(Tensor labels, JsonObject host)
    {
        var start = full([labels.shape[0], 1], host["decoder_start_token_id"]!.GetValue<long>(), ScalarType.Int64);
        var moved = cat([start, labels.narrow(1, 0, labels.shape[1] - 1)], 1);
        return moved.masked_fill(moved.eq(-100), host["pad_token_id"]!.GetValue<long>());
    }

    private void Require(string input, Tensor holds, string otherwise)
    {
        var flat = holds.flatten();
        if (flat.all().item<bool>())
            return;
        var at = flat.logical_not().to(ScalarType.Int64).argmax().item<long>();
        throw new ParityException($"input.{input}: {_tensors[input].flatten()[at].item<long>()} at {at} is {otherwise}");
    }
}
