using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Makes what the vectors of a prompt start as.</summary>
internal sealed class FirstVectors
{
    private readonly PromptStart _start;
    private readonly int[] _tokens;

    /// <param name="what">The method, for messages.</param>
    /// <param name="start">How they start.</param>
    /// <param name="tokens">The ids that they start from.</param>
    public FirstVectors(AdaptAttribute what, PromptStart start, int[] tokens)
    {
        (_start, _tokens) = (start, tokens);
        if (start == PromptStart.Tokens != tokens.Length > 0)
            throw new AdapterException($"{what}: StartTokens has {tokens.Length} ids, expected {(start == PromptStart.Tokens ? "those of a text" : "none with this start")}. Set both, Start = Tokens and the ids of a text, or neither.");
    }

    /// <summary>Makes them.</summary>
    /// <param name="site">For random starts.</param>
    /// <param name="path">The prompt's path, for messages.</param>
    /// <param name="rows">How many there are.</param>
    /// <param name="width">The width of one.</param>
    /// <param name="table">The embeddings of the vocabulary, <c>[vocabulary, width]</c>; null: there are none.</param>
    /// <returns><c>[rows, width]</c>; the caller owns it.</returns>
    /// <exception cref="AdapterException">There is no vocabulary, or it has no such token.</exception>
    public Tensor Make(Site site, string path, int rows, long width, Tensor? table)
    {
        if (_start == PromptStart.Random)
            return Start.Normal(site, 1, rows, width);
        if (table is null)
            throw new AdapterException($"{path}: Start is {_start}, and there is no embedding here whose vectors a prompt could start from. Use a random start.");
        site.Reserve(rows, width);
        using var drawn = _start == PromptStart.Vocabulary
            ? randint(table.shape[0], [rows], dtype: ScalarType.Int64, generator: site.Generator)
            // A text that is too short is repeated, one that is too long cut.
            : tensor(Enumerable.Range(0, rows).Select(i => Checked(path, _tokens[i % _tokens.Length], table.shape[0])).ToArray());
        using var ids = drawn.to(table.device);
        using var all = table.detach();
        using var some = all.index_select(0, ids);
        return some.to(site.Dtype);
    }

    private static long Checked(string path, int id, long vocabulary) => id >= 0 && id < vocabulary ? id
        : throw new AdapterException($"{path}: StartTokens has the id {id}, expected ids from 0 to {vocabulary - 1}.");
}
