using PeftGen.Methods;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>
/// Weights of the base that a file repeats: HF PEFT saves an embedding along with its LoRA, as <c>P.base_layer.weight</c>. They are not written here, and where a file has them they tell whether it
/// was made for this base.
/// </summary>
internal static class BaseCopies
{
    private const string Infix = "base_layer.";

    // Copies may have been rounded to a half type.
    private const double Rounding = 1e-2;

    /// <summary>Compares the copies with the base, and names them.</summary>
    /// <param name="file">The adapter's file.</param>
    /// <param name="host">The model.</param>
    /// <param name="wanted">The adapter's own tensors, which are no copies.</param>
    /// <exception cref="AdapterException">A copy differs from the base.</exception>
    public static IReadOnlySet<string> Check(SafetensorsFile file, nn.Module host, IReadOnlyDictionary<string, Tensor> wanted)
    {
        var copies = file.Names.Where(name => !wanted.ContainsKey(name) && name.StartsWith(HuggingFaceKeys.Prefix, StringComparison.Ordinal) && name.Contains($".{Infix}", StringComparison.Ordinal)).ToHashSet();
        if (copies.Count == 0)
            return copies;
        using var quiet = no_grad();
        var paths = HostPaths.Of(host);
        var parameters = host.named_parameters().ToDictionary(p => paths.InCheckpoint(p.name), p => p.parameter);
        foreach (var name in copies.ToList())
        {
            using var scope = NewDisposeScope();
            var path = name[HuggingFaceKeys.Prefix.Length..].Replace(Infix, "", StringComparison.Ordinal);
            if (!parameters.TryGetValue(path, out var parameter))
            {
                // What is no weight of this model is surplus, which the caller says.
                copies.Remove(name);
                continue;
            }

            var shape = file.Entry(name).Shape;
            if (!shape.SequenceEqual(parameter.shape))
                throw new AdapterException(
                    $"{file.FilePath}: its copy of the base's {path} is [{string.Join(", ", shape)}], and this base's is [{string.Join(", ", parameter.shape)}]. Resize the embedding as it was when the adapter was trained, or load the adapter's own base.");
            var ours = parameter.to(ScalarType.Float32, CPU);
            var difference = (file.Read(name).to(ScalarType.Float32) - ours).abs().max().item<float>();
            if (!(difference <= Rounding * ours.abs().max().item<float>()))
                throw new AdapterException(
                    $"{file.FilePath}: its copy of the base's {path} differs from this base's by up to {difference:g3}, so the adapter was trained on another base, or on one whose embedding was changed. Load that base.");
        }

        return copies;
    }
}
