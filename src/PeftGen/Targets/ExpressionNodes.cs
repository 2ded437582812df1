namespace PeftGen;

/// <summary>What a part of an expression is.</summary>
internal enum ExpressionForm
{
    /// <summary>It matches nothing.</summary>
    Nothing,

    /// <summary>It matches the empty text.</summary>
    Empty,

    /// <summary>One character of a set.</summary>
    Set,

    /// <summary>One part and then another.</summary>
    Sequence,

    /// <summary>One of several parts.</summary>
    Either,

    /// <summary>Several parts at once.</summary>
    Both,

    /// <summary>All that a part does not match.</summary>
    Not,

    /// <summary>A part any number of times.</summary>
    Repeat,

    /// <summary>Nothing of the text, where its surroundings are as they must be.</summary>
    Assertion,
}

/// <summary>What an assertion asks of its surroundings.</summary>
[Flags]
internal enum Surroundings
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The text begins here.</summary>
    Start = 1,

    /// <summary>The text ends here.</summary>
    End = 2,

    /// <summary>A word begins or ends here.</summary>
    Boundary = 4,

    /// <summary>The first of the parts that look behind; the others follow.</summary>
    Behind = 8,
}

/// <summary>A part of an expression. Equal parts are one object.</summary>
internal sealed class ExpressionNode(int id, ExpressionForm form, IReadOnlyList<ExpressionNode> parts, CharacterSet? set, Surroundings asks, bool isNegated)
{
    private readonly Surroundings _asks = asks;
    private readonly bool _isNegated = isNegated;

    public int Id { get; } = id;

    public ExpressionForm Form { get; } = form;

    public IReadOnlyList<ExpressionNode> Parts { get; } = parts;

    public CharacterSet? Set { get; } = set;

    /// <summary>Whether the empty text matches, where that does not depend on what stands around.</summary>
    public bool? IsEmpty { get; } = form switch
    {
        ExpressionForm.Empty or ExpressionForm.Repeat => true,
        ExpressionForm.Nothing or ExpressionForm.Set => false,
        ExpressionForm.Not => !parts[0].IsEmpty,
        ExpressionForm.Either => parts.Any(p => p.IsEmpty == true) ? true : parts.Any(p => p.IsEmpty is null) ? null : false,
        ExpressionForm.Sequence or ExpressionForm.Both => parts.Any(p => p.IsEmpty == false) ? false : parts.Any(p => p.IsEmpty is null) ? null : true,
        _ => null,
    };

    /// <summary>Whether the empty text matches between certain surroundings.</summary>
    public bool IsEmptyAt(Surroundings here)
    {
        // A sequence may be long, so it is no recursion.
        var node = this;
        for (; node.IsEmpty is null && node.Form == ExpressionForm.Sequence; node = node.Parts[1])
            if (!node.Parts[0].IsEmptyAt(here))
                return false;
        return node.IsEmpty ?? node.Form switch
        {
            ExpressionForm.Assertion => ((here & node._asks) != 0) != node._isNegated,
            ExpressionForm.Not => !node.Parts[0].IsEmptyAt(here),
            ExpressionForm.Either => node.Parts.Any(p => p.IsEmptyAt(here)),
            _ => node.Parts.All(p => p.IsEmptyAt(here)),
        };
    }
}

/// <summary>Makes the parts of one expression, in a form in which few are different.</summary>
internal sealed class ExpressionNodes
{
    private const int Most = 50_000;
    private readonly Dictionary<string, ExpressionNode> _known = [];

    public ExpressionNodes()
    {
        Nothing = Intern(ExpressionForm.Nothing, []);
        Empty = Intern(ExpressionForm.Empty, []);
        Anything = Repeat(Set(CharacterSet.All));
    }

    public ExpressionNode Nothing { get; }

    public ExpressionNode Empty { get; }

    /// <summary>Any text.</summary>
    public ExpressionNode Anything { get; }

    /// <summary>Whether there are too many parts for one expression.</summary>
    public bool IsLarge => _known.Count > Most;

    public ExpressionNode Set(CharacterSet set) => Intern(ExpressionForm.Set, [], set);

    public ExpressionNode Assertion(Surroundings asks, bool isNegated) => Intern(ExpressionForm.Assertion, [], null, asks, isNegated);

    public ExpressionNode Repeat(ExpressionNode part) =>
        part.Form == ExpressionForm.Repeat ? part : part == Nothing || part == Empty ? Empty : Intern(ExpressionForm.Repeat, [part]);

    public ExpressionNode Not(ExpressionNode part) =>
        part.Form == ExpressionForm.Not ? part.Parts[0] : part == Nothing ? Anything : part == Anything ? Nothing : Intern(ExpressionForm.Not, [part]);

    /// <summary>One part and then another. Alternatives are taken apart, so that what is left of an expression is a set of its ends.</summary>
    public ExpressionNode Sequence(ExpressionNode first, ExpressionNode then) =>
        first == Nothing || then == Nothing ? Nothing
        : first == Empty ? then
        : then == Empty ? first
        : first.Form == ExpressionForm.Sequence ? Sequence(first.Parts[0], Sequence(first.Parts[1], then))
        : first.Form == ExpressionForm.Either ? Either(first.Parts.Select(p => Sequence(p, then)))
        : Intern(ExpressionForm.Sequence, [first, then]);

    public ExpressionNode Either(IEnumerable<ExpressionNode> parts)
    {
        var all = Flat(parts, ExpressionForm.Either, Nothing);
        return all.Contains(Anything) ? Anything : all.Count == 0 ? Nothing : all.Count == 1 ? all[0] : Intern(ExpressionForm.Either, all);
    }

    public ExpressionNode Both(IEnumerable<ExpressionNode> parts)
    {
        var all = Flat(parts, ExpressionForm.Both, Anything);
        return all.Contains(Nothing) ? Nothing : all.Count == 0 ? Anything : all.Count == 1 ? all[0] : Intern(ExpressionForm.Both, all);
    }

    private static List<ExpressionNode> Flat(IEnumerable<ExpressionNode> parts, ExpressionForm form, ExpressionNode without) =>
        [.. parts.SelectMany(p => p.Form == form ? p.Parts : [p]).Where(p => p != without).Distinct().OrderBy(p => p.Id)];

    private ExpressionNode Intern(ExpressionForm form, IReadOnlyList<ExpressionNode> parts, CharacterSet? set = null, Surroundings asks = default, bool isNegated = false)
    {
        var key = $"{(int)form} {string.Join(",", parts.Select(p => p.Id))} {set?.Key} {(int)asks} {isNegated}";
        if (!_known.TryGetValue(key, out var node))
            _known[key] = node = new ExpressionNode(_known.Count, form, parts, set, asks, isNegated);
        return node;
    }
}
