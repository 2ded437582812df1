using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Refuses a model that is registered within itself: TorchSharp's own walks, such as <c>parameters()</c>, <c>state_dict()</c> and <c>eval()</c>, come to no end on it.</summary>
internal static class RegisteredCycles
{
    /// <summary>Refuses it.</summary>
    /// <param name="host">The model.</param>
    /// <exception cref="AdapterException">A module is registered below itself; the message names where.</exception>
    public static void Refuse(nn.Module host) => Walk(host, "", new(ReferenceEqualityComparer.Instance));

    /// <param name="module">A module.</param>
    /// <param name="path">Its path.</param>
    /// <param name="seen">Modules that were met, each with its path while it is walked, and with null since.</param>
    private static void Walk(nn.Module module, string path, Dictionary<nn.Module, string?> seen)
    {
        seen[module] = path;
        foreach (var (name, child) in module.named_children())
        {
            var at = path.Length == 0 ? name : $"{path}.{name}";
            if (!seen.TryGetValue(child, out var above))
                Walk(child, at, seen);
            else if (above is not null)
                throw new AdapterException(
                    $"{at}: the {child.GetType().Name} that is registered here is {(above.Length == 0 ? "the model itself" : $"{above}, in which it lies")}, so walks over the model's modules come to no end. " +
                    "Set the field after RegisterComponents(), or hold the reference in a field that is no module, such as a Func<> that gives it.");
        }

        seen[module] = null;
    }
}
