using PeftGen.Methods;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A part of a fused layer: a range of its outputs.</summary>
/// <param name="Name">The part's name, for example <c>q</c>.</param>
/// <param name="Start">The first output.</param>
/// <param name="Length">The number of outputs.</param>
public readonly record struct LayerPart(string Name, long Start, long Length);

/// <summary>A place for which a method is asked for a slot.</summary>
public sealed class Site
{
    private readonly AdapterCreation _creation;
    private readonly HostClaim _claim;

    internal Site(AdapterCreation creation, SiteKind kind, HostClaim claim, string path, HostPart host, nn.Module owner, bool sharesLayer)
    {
        _creation = creation;
        Kind = kind;
        _claim = claim;
        Path = path;
        Host = host;
        Owner = owner;
        SharesLayer = sharesLayer;
    }

    /// <summary>The kind of site.</summary>
    public SiteKind Kind { get; }

    /// <summary>The claim of the method that the site fulfils.</summary>
    public Claim Claim => _claim.Claim;

    /// <summary>The path from the root, for example <c>model.layers.0.self_attn.q_proj</c>.</summary>
    public string Path { get; }

    /// <summary>What the slot will stand beside.</summary>
    public HostPart Host { get; }

    /// <summary>The module whose code holds the site; for a layer, its parent.</summary>
    public nn.Module Owner { get; }

    /// <summary>Whether a layer method of the group adapts the same layer; file keys of whole layers and biases depend on it.</summary>
    public bool SharesLayer { get; }

    /// <summary>The number of the block that the site lies in, counted through the model: a decoder's blocks go on where the encoder's end. −1: it lies in none.</summary>
    public int Block => _creation.Paths.Blocks.NumberOf(Path);

    /// <summary>For random starts; draws are made in the order of the tree.</summary>
    public Generator Generator => _creation.Generator;

    /// <summary>The adapter's own source of dropout masks, for calls in which <see cref="Slot.IsTraining"/>.</summary>
    public DropoutSource Dropout => _creation.Dropout;

    /// <summary>The device of the host's weights.</summary>
    public Device Device => _creation.Device;

    /// <summary>The dtype for new parameters: the host's, but float32 beside float16 and bfloat16.</summary>
    public ScalarType Dtype => _creation.Dtype;

    /// <summary>A tensor of zeros for a new parameter, on the host's device and of the dtype for parameters.</summary>
    /// <param name="shape">Its sizes.</param>
    /// <exception cref="AdapterException">A file is read into the adapter and holds less.</exception>
    public Tensor Zeros(params long[] shape)
    {
        Reserve(shape);
        return zeros(shape, dtype: Dtype, device: Device);
    }

    /// <summary>A tensor of ones for a new parameter, on the host's device and of the dtype for parameters.</summary>
    /// <inheritdoc cref="Zeros"/>
    public Tensor Ones(params long[] shape)
    {
        Reserve(shape);
        return ones(shape, dtype: Dtype, device: Device);
    }

    /// <summary>To be called before a parameter is made whose size a file's configuration decides, other than by <see cref="Zeros"/> and <see cref="Ones"/>: what does not fit the file's weights is refused.</summary>
    /// <param name="shape">Its sizes.</param>
    /// <exception cref="AdapterException">A file is read into the adapter and holds less.</exception>
    public void Reserve(params long[] shape) => _creation.Room?.Take(Path, shape);

    /// <summary>A part that all slots of the adapter share, made by the first that asks for it. It is saved and moved with the adapter.</summary>
    /// <param name="name">Its name in the adapter's tree.</param>
    /// <param name="make">Makes it.</param>
    public T Share<T>(string name, Func<T> make) where T : Slot => _creation.Share(name, make);

    /// <summary>The other layers whose weight is this layer's, each with its path and the slots beside it; to be asked for when all sites are known.</summary>
    internal IEnumerable<(string path, IEnumerable<Slot> slots)> Sharing => _creation.Sharing(Host.Module);

    /// <summary>Runs when all sites are known, before an adapter's file is read into it.</summary>
    /// <param name="action">What to do.</param>
    public void WhenComplete(Action action) => _creation.Completions.Add(action);

    /// <summary>Whether a file is read into what is made here, so that what files leave out is not needed.</summary>
    public bool IsForFile => _creation.IsForFile;

    /// <summary>How many blocks the model has.</summary>
    internal int BlockCount => _creation.Paths.Blocks.Count;

    /// <summary>Whether the model has a module at a path.</summary>
    internal bool HasModule(string path) => _creation.Paths.Candidates.Any(c => c.Path == path);

    /// <summary>The sizes of a linear layer below <see cref="Owner"/> that has a role, or of its part of a fused one, where the site itself does not show them; null if there is none.</summary>
    /// <param name="role">A role of <see cref="RoleTable"/>.</param>
    public (long inputs, long outputs)? FindLinear(string role)
    {
        var wanted = RoleTable.Find(role) ?? throw new ArgumentException($"'{role}' is no role", nameof(role));
        var below = ModulesBelow(OwnerPath).Select(m => (m.path, sizes: HostSizes.OfLinear(m.module, m.path))).Where(m => m.sizes is not null).ToList();
        return below.Where(l => wanted.Matches(_creation.Paths.Shape, l.path)).Select(l => l.sizes).FirstOrDefault()
            ?? below.Select(l => (l.sizes, parts: _creation.Paths.PartsOf(l.path) ?? FusedTable.Find(l.path))).Where(l => l.parts?.Contains(role) == true)
                .Select(l => ((long, long)?)(l.sizes!.Value.inputs, l.sizes.Value.outputs / l.parts!.Count)).FirstOrDefault();
    }

    /// <summary>The modules below a path of the model, each with its own path.</summary>
    internal IEnumerable<(string path, nn.Module module)> ModulesBelow(string path) => _creation.Paths.ModulesBelow(path);

    /// <summary>Whether what stands at a path has a role of <see cref="RoleTable"/>, whatever its name.</summary>
    internal bool IsOf(string role, string path) => RoleTable.Find(role)!.Matches(_creation.Paths.Shape, path);

    /// <summary>Whether a path lies within an attention.</summary>
    internal bool IsInAttention(string path)
    {
        for (var parent = ModelShape.ParentOf(path); parent.Length > 0; parent = ModelShape.ParentOf(parent))
            if (_creation.Paths.Shape.IsAttention(parent))
                return true;
        return false;
    }

    /// <summary>Whether what the site stands beside has a role of <see cref="RoleTable"/>, whatever its name.</summary>
    internal bool Has(string role) => IsOf(role, Path);

    /// <summary>Whether the site is meant by a list of targets, as the whole model resolves it.</summary>
    /// <param name="targets">The list.</param>
    public bool IsAmong(TargetList targets) =>
        _creation.Resolve(targets).Matches(new TargetCandidate(Path, HostLinear.Is(Host.Module)) { Parts = _creation.Paths.PartsOf(Path) });

    /// <summary>The parts of a fused layer that are adapted, in the order of its outputs; null: the whole layer. Only where <see cref="Claim.TakesParts"/>.</summary>
    /// <exception cref="AdapterException">The layer's output cannot be shared out evenly.</exception>
    public IReadOnlyList<LayerPart>? Parts
    {
        get
        {
            if (_claim.PartsOf(Path) is not { } wanted)
                return null;
            var all = _creation.Paths.PartsOf(Path)!;
            var outputs = HostLinear.Of(Host.Module, Path, "a part").Outputs;
            if (outputs % all.Count != 0)
                throw new AdapterException($"{Path}: the layer has {outputs} outputs, which do not make {all.Count} equal parts ({string.Join(", ", all)}). Correct [Fused] on its field, or adapt the whole layer.");
            var size = outputs / all.Count;
            return [.. all.Index().Where(p => wanted.Contains(p.Item)).Select(p => new LayerPart(p.Item, p.Index * size, size))];
        }
    }

    /// <summary>For a claim of parameters on a layer: whether one of the layer's parameters is among those claimed.</summary>
    /// <param name="parameter">The parameter's name in the layer, for example <c>bias</c>.</param>
    public bool Covers(string parameter) => _claim.Matches(Path.Length == 0 ? parameter : $"{Path}.{parameter}", isLinear: false);

    /// <summary>The path of <see cref="Owner"/>; empty: it is the model.</summary>
    internal string OwnerPath => _creation.Paths.PathOf(Owner) ?? ModelShape.ParentOf(Path);
}
