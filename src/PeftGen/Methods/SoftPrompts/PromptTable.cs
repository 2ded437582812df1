using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>A prompt whose vectors train by themselves.</summary>
internal sealed class PromptTable : Prompt
{
    private readonly FirstVectors _first;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="rows">How many vectors there are.</param>
    /// <param name="what">The method, for messages.</param>
    /// <param name="start">How they start.</param>
    /// <param name="tokens">The ids that they start from.</param>
    public PromptTable(Site site, int rows, AdaptAttribute what, PromptStart start = PromptStart.Random, int[]? tokens = null) : base(site, rows, what) =>
        _first = new FirstVectors(what, start, tokens ?? []);

    protected override void Begin(Site site, long width, Tensor? table) => Learn(Vectors, _first.Make(site, Path, Rows, width, table));

    protected override Tensor Compute(ForwardContext context) => this[Vectors].alias();

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(KeyOf(format), this[Vectors])];
}
