using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>A prompt whose vectors train by themselves.</summary>
internal sealed class PromptTable : Prompt
{
    private readonly PromptStart _start;
    private readonly int[] _tokens;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="rows">How many vectors there are.</param>
    /// <param name="what">The method, for messages.</param>
    /// <param name="start">How they start.</param>
    /// <param name="tokens">The ids that they start from.</param>
    public PromptTable(Site site, int rows, AdaptAttribute what, PromptStart start = PromptStart.Random, int[]? tokens = null) : base(site, rows, what)
    {
        (_start, _tokens) = (start, tokens ?? []);
        if (start == PromptStart.Tokens != _tokens.Length > 0)
            throw new AdapterException($"{what}: Start is {start} and StartTokens has {_tokens.Length} ids. Set both, Start = PromptStart.Tokens and the ids of a text, or neither.");
    }

    protected override void Begin(Site site, long width, Tensor? table)
    {
        if (_start == PromptStart.Random)
        {
            Learn(Vectors, Start.Normal(site, 1, Rows, width));
            return;
        }

        if (table is null)
            throw new AdapterException($"{Path}: Start is {_start}, and there is no embedding here whose vectors a prompt could start from. Use PromptStart.Random.");
        var ids = _start == PromptStart.Vocabulary
            ? randint(table.shape[0], [Rows], dtype: ScalarType.Int64, generator: site.Generator)
            // A text that is too short is repeated, one that is too long cut.
            : tensor(Enumerable.Range(0, Rows).Select(i => Checked(_tokens[i % _tokens.Length], table.shape[0])).ToArray());
        Learn(Vectors, table.detach().index_select(0, ids.to(table.device)).to(site.Dtype));
    }

    protected override Tensor Compute(ForwardContext context) => this[Vectors].alias();

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(KeyOf(format), this[Vectors])];

    private long Checked(int id, long vocabulary) => id >= 0 && id < vocabulary ? id
        : throw new AdapterException($"{Path}: StartTokens has the id {id}, expected ids from 0 to {vocabulary - 1}.");
}
