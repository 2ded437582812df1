using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// What a method puts at one site. A slot holds its own parameters and nothing of the host, which comes with every call;
/// so an adapter stays a value beside a base that many adapters share.
/// </summary>
/// <remarks>
/// Make parameters with <see cref="Learn"/>, read them with <c>this[name]</c>: references kept elsewhere go stale when the adapter is moved.
/// A slot returns tensors that its caller owns, never its input or a parameter, and disposes what it makes in between.
/// </remarks>
public abstract class Slot : nn.Module
{
    private readonly LentModules _lent = new();

    /// <summary>Creates a slot.</summary>
    /// <param name="path">The path of the site from the root, for messages and file keys.</param>
    protected Slot(string path) : base(path) => Path = path;

    /// <summary>The path of the site from the root, for example <c>model.layers.0.self_attn.q_proj</c>.</summary>
    public string Path { get; }

    /// <summary>A parameter by its name, where <c>.to()</c> last put it.</summary>
    protected Parameter this[string parameter] => _internal_params[parameter];

    /// <summary>Whether the slot drops out in a call: where it trains, and the model that is called trains, too.</summary>
    /// <param name="context">The context of the call.</param>
    protected bool IsTraining(ForwardContext context) => training && context.Training;

    /// <summary>Whether this slot stands in for the host itself, below every other slot of the site.</summary>
    public virtual bool ReplacesHost => false;

    /// <summary>The tensors of a file, in a fixed order.</summary>
    /// <param name="format">The file's format.</param>
    public abstract IEnumerable<StoredTensor> Stored(FileFormat format);

    /// <summary>What a file may have besides, though it is another's stored tensor, and what is not written. Default: nothing.</summary>
    internal virtual IEnumerable<string> Repeated(FileFormat format) => [];

    /// <summary>What the slot computes of its stored tensors alone, under the keys that the format's library has for it. Default: nothing.</summary>
    /// <param name="format">The format.</param>
    /// <returns>Tensors that the caller owns.</returns>
    public virtual IEnumerable<StoredTensor> Derived(FileFormat format) => [];

    /// <summary>What trains and is left out of files, under the names that the reference has for it. Default: nothing.</summary>
    /// <param name="format">The file's format.</param>
    public virtual IEnumerable<StoredTensor> LeftOut(FileFormat format) => [];

    /// <summary>Adds to its method's configuration what only a part that slots share knows, such as sizes of the host. Default: nothing.</summary>
    /// <param name="config">The configuration, as the method has written it.</param>
    /// <param name="format">Whose configuration it is.</param>
    public virtual void Describe(System.Text.Json.Nodes.JsonObject config, FileFormat format) { }

    /// <summary>Replaces what serves training alone by what it gives, see <see cref="AdapterEjection.Eject"/>. Default: there is nothing of the kind.</summary>
    public virtual void Eject() { }

    /// <summary>Whether the slot can be merged. Default: no.</summary>
    public virtual bool CanMerge => false;

    /// <summary>Writes into the host what the slot does. Called within <c>no_grad</c>, after <see cref="MergeTargets"/> were saved.</summary>
    /// <param name="host">The host.</param>
    /// <exception cref="AdapterException">The slot cannot be merged.</exception>
    public virtual void MergeInto(HostPart host) =>
        throw new AdapterException($"{Path}: {GetType().Name} cannot be merged into the base. Run the model with its adapter instead.");

    /// <summary>The host's parameters that <see cref="MergeInto"/> writes to.</summary>
    /// <param name="host">The host.</param>
    public virtual IEnumerable<Parameter> MergeTargets(HostPart host) => [];

    /// <summary>The host's buffers that <see cref="MergeInto"/> writes to.</summary>
    /// <param name="host">The host.</param>
    internal virtual IEnumerable<Tensor> MergedBuffers(HostPart host) => [];

    /// <summary>Whether what <see cref="MergeInto"/> writes is meant for every layer that has the same weight and a slot of this kind.</summary>
    internal virtual bool MergesForAll => false;

    /// <summary>Registers a parameter that learns and detaches it from the scopes of whoever calls.</summary>
    /// <param name="parameter">The name in the module tree, for example <c>lora_A</c>.</param>
    /// <param name="value">The start; the slot owns it from here on.</param>
    protected void Learn(string parameter, Tensor value)
    {
        var p = value as Parameter ?? new Parameter(value, requires_grad: true);
        register_parameter(parameter, p);
        LearnedTensors.Add(p.DetachFromDisposeScope());
    }

    /// <summary>Registers a tensor that is saved and moved with the slot, and does not learn. Read it with <c>get_buffer(name)</c>.</summary>
    /// <param name="buffer">The name in the module tree.</param>
    /// <param name="value">The values; the slot owns them from here on.</param>
    protected void Hold(string buffer, Tensor value)
    {
        register_buffer(buffer, value);
        LearnedTensors.Add(value.DetachFromDisposeScope());
    }

    /// <summary>Registers a slot that belongs to another adapter; disposing this one leaves it alone.</summary>
    internal void Lend(string name, nn.Module part) => _lent.Register(this, name, part);

    /// <summary>Registers the slots that this one is made of, under their numbers.</summary>
    /// <param name="parts">The slots.</param>
    /// <param name="lent">Whether they belong to other adapters.</param>
    internal void Take(IReadOnlyList<Slot> parts, bool lent)
    {
        foreach (var (index, part) in parts.Index())
        {
            var name = index.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (lent)
                Lend(name, part);
            else
                register_module(name, part);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _lent.GiveBack(this);
        base.Dispose(disposing);
    }

    /// <summary>Nothing is found by reflection: what a slot registers, it registers itself.</summary>
    protected sealed override void RegisterComponents() { }

    /// <inheritdoc/>
    protected sealed override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking) => MoveRegistered(this, dtype, device, non_blocking);

    private void MoveRegistered(Slot slot, ScalarType? dtype, Device? device, bool nonBlocking)
    {
        foreach (var (_, child) in named_children())
            _ = dtype is { } d ? device is null ? child.to(d, non_blocking: nonBlocking) : child.to(device, d, nonBlocking) : child.to(device!, non_blocking: nonBlocking);
        foreach (var (name, parameter) in named_parameters(recurse: false).ToList())
        {
            if (!ReplaceParameter(dtype, device, parameter, out var moved))
                continue;
            parameter.Dispose();
            ConditionallyRegisterParameter(name, moved!.DetachFromDisposeScope() as Parameter);
        }

        foreach (var (name, buffer) in named_buffers(recurse: false).ToList())
        {
            if (!ReplaceBuffer(dtype, device, buffer, out var moved))
                continue;
            buffer.Dispose();
            ConditionallyRegisterBuffer(name, moved!.DetachFromDisposeScope());
        }
    }
}

/// <summary>The formats of adapter files.</summary>
public enum FileFormat
{
    /// <summary>HF PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
    HuggingFace,

    /// <summary>AdapterHub's <c>adapters</c>: <c>adapter_config.json</c> and <c>adapter.safetensors</c>. <c>{name}</c> in keys stands for the adapter's name, <c>{name.0}</c>, <c>{name.1}</c> for those of one that is kept there as several.</summary>
    AdapterHub,
}

/// <summary>A tensor of an adapter under the key that a file has for it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">The tensor that is saved and loaded into; it belongs to the slot. Its shape is the file's.</param>
public readonly record struct StoredTensor(string Key, Tensor Value);
