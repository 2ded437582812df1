using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>What a low-rank update is beside one kind of layer: how inputs go through A and B, and what the two make of the weight. Holds nothing of the host.</summary>
internal abstract class LowRankForm
{
    /// <summary>The names of A and B in files of HF PEFT.</summary>
    public abstract (string a, string b) FileNames { get; }

    /// <summary>The size of the layer's output.</summary>
    public abstract long Outputs { get; }

    /// <summary>How many updates there are beside each other, one for each part of a fused layer.</summary>
    public virtual int Count => 1;

    /// <summary>Whether the input is numbers, which dropout can act on, and not ids.</summary>
    public virtual bool TakesNumbers => true;

    /// <summary>The form for a site's layer.</summary>
    /// <exception cref="AdapterException">The layer can have none.</exception>
    public static LowRankForm Of(Site site) => site.Host.Module switch
    {
        Embedding embedding => new EmbeddingForm(embedding),
        Convolution convolution when ConvolutionForm.Is(convolution) => new ConvolutionForm(convolution, site.Path),
        _ => new LinearForm(site),
    };

    /// <summary>A and B of a new adapter, which changes nothing.</summary>
    public abstract (Tensor a, Tensor b) Start(Site site, int rank, LoRAInit init);

    /// <summary>The input through A.</summary>
    public abstract Tensor Down(Tensor x, Tensor a);

    /// <summary>What <see cref="Down"/> gave through B.</summary>
    public abstract Tensor Up(Tensor h, Tensor b, Tensor? bias);

    /// <summary>y + s·B(h); takes y.</summary>
    public virtual Tensor AddTo(Tensor y, Tensor h, Tensor b, double scaling)
    {
        using (y)
        using (var product = Up(h, b, null))
            return y.add(product, alpha: scaling);
    }

    /// <summary>Throws where the update is no change of the layer's weight.</summary>
    public virtual void RequireDelta() { }

    /// <summary>BA in the weight's own shape; of a linear layer <c>[out, in]</c>.</summary>
    public abstract Tensor Delta(Tensor a, Tensor b);

    /// <summary>A bias of B's for all outputs of the layer.</summary>
    public virtual Tensor Bias(Tensor bias) => bias.alias();

    /// <summary>The layer's parameters.</summary>
    public abstract (Parameter weight, Parameter? bias) ParametersOf(nn.Module host);
}
