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

    /// <summary>A module trained whole beside a prompt, which HF PEFT puts at the base's door and not into it: <c>base_model.P.weight</c>.</summary>
    BesidePrompt,
}

/// <summary>
/// Makes trained copies: of a built-in layer's parameters, or of one parameter that compiled code reads. A copy has the dtype of the adapter,
/// float32 beside a narrower base, since steps of an optimizer would be lost in bfloat16; it runs in the base's, as it will when it is merged.
/// </summary>
internal static class TrainedParts
{
    /// <summary>Makes the slot of a site for parameters.</summary>
    /// <param name="site">The site; its claim says which parameters of a layer train.</param>
    /// <param name="names">How keys are formed.</param>
    public static Slot CreateSlot(Site site, PartNames names)
    {
        if (site.Host.Parameter is not { } parameter)
            return new TrainedLayer(site, name => KeyOf(site.Path, name, names, site.SharesLayer));
        var dot = site.Path.LastIndexOf('.');
        return new TrainedParameter(site, parameter, KeyOf(dot < 0 ? "" : site.Path[..dot], site.Path[(dot + 1)..], names, false));
    }

    private static string KeyOf(string module, string parameter, PartNames names, bool sharesLayer)
    {
        var infix = names switch
        {
            PartNames.Norm => "ln_tuning_layers.",
            PartNames.Bias when sharesLayer => "base_layer.",
            _ => "",
        };
        var prefix = names == PartNames.BesidePrompt ? HuggingFaceKeys.PromptPrefix : HuggingFaceKeys.Prefix;
        return $"{prefix}{(module.Length == 0 ? "" : module + ".")}{infix}{parameter}";
    }
}
