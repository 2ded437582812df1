using System.Text.Json.Nodes;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The optimizer of the recorded steps.</summary>
internal sealed record OptimizerSettings(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, int Steps)
{
    /// <summary>Reads case.json's.</summary>
    /// <exception cref="UnsupportedException">It is not AdamW.</exception>
    public static OptimizerSettings Read(JsonNode? recorded)
    {
        var settings = recorded as JsonObject ?? throw new ParityException("case.json names no optimizer, but there are trained values");
        if (settings["name"]?.GetValue<string>() is var name and not "AdamW")
            throw new UnsupportedException($"the optimizer {name} is not known");
        double Value(string field, int? index = null) => GoldenCase.Number((index is { } i ? settings[field]?[i] : settings[field]) ?? throw new ParityException($"case.json: the optimizer has no '{field}'"));
        return new OptimizerSettings(Value("lr"), Value("betas", 0), Value("betas", 1), Value("eps"), Value("weight_decay"), (int)Value("steps"));
    }

    public optim.Optimizer Over(IEnumerable<Parameter> parameters) => optim.AdamW(parameters, LearningRate, Beta1, Beta2, Epsilon, WeightDecay);
}
