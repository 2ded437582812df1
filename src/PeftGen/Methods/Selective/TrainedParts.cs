using TorchSharp.Modules;

namespace PeftGen.Methods;

/// <summary>How the keys of trained copies are formed in files.</summary>
internal enum PartNames
{
    /// <summary>A module trained whole: <c>P.weight</c>.</summary>
    Module,

    /// <summary>A bias: <c>P.bias</c>, or <c>P.base_layer.bias</c> where a layer method adapts the same layer.</summary>
    Bias,

    /// <summary>A norm: <c>P.ln_tuning_layers.weight</c>.</summary>
    Norm,
}

/// <summary>Makes trained copies: of a built-in layer's parameters, or of one parameter that compiled code reads.</summary>
internal static class TrainedParts
{
    /// <summary>Makes the slot of a site for parameters.</summary>
    /// <param name="site">The site.</param>
    /// <param name="names">How keys are formed.</param>
    /// <param name="which">Which parameters of a layer train; null: all.</param>
    public static Slot CreateSlot(Site site, PartNames names, Func<string, bool>? which = null)
    {
        if (site.Host.Parameter is { } parameter)
            return new TrainedParameter(site.Path, parameter, KeyOf(Parent(site.Path), Last(site.Path), names, false));
        return new TrainedLayer(site, which ?? (_ => true), name => KeyOf(site.Path, name, names, site.SharesLayer));
    }

    private static string KeyOf(string module, string parameter, PartNames names, bool sharesLayer)
    {
        var infix = names switch
        {
            PartNames.Norm => "ln_tuning_layers.",
            PartNames.Bias when sharesLayer => "base_layer.",
            _ => "",
        };
        return $"{HuggingFaceKeys.Prefix}{(module.Length == 0 ? "" : module + ".")}{infix}{parameter}";
    }

    private static string Parent(string path) => path.Contains('.', StringComparison.Ordinal) ? path[..path.LastIndexOf('.')] : "";

    private static string Last(string path) => path[(path.LastIndexOf('.') + 1)..];
}
