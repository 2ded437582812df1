namespace PeftGen;

/// <summary>
/// A regular expression that a whole path has to match. It is derived by the path's characters one after another (Brzozowski, "Derivatives of Regular Expressions", 1964), so that
/// the time is that of the path's length and no expression makes it wait; and it can be asked about all paths at once that differ in an index.
/// </summary>
internal sealed class PathExpression
{
    private const int MostStates = 20_000;
    private const int LongestText = 100_000;
    private readonly object _gate = new();
    private readonly string _text;
    private readonly Dictionary<(int, Surroundings, char), ExpressionNode> _derived = [];
    private ExpressionNodes _nodes = null!;
    private State _start = null!;

    private PathExpression(string text)
    {
        _text = text;
        Begin();
    }

    /// <summary>Reads an expression.</summary>
    /// <exception cref="FormatException">It is malformed, or has what is not supported.</exception>
    public static PathExpression Parse(string text)
    {
        if (text.Length > LongestText)
            throw new FormatException($"a regular expression has {text.Length} characters; write less than {LongestText}, for example a name with * in place of many paths");
        return new PathExpression(text);
    }

    /// <summary>Whether a path matches. Of a path with <c>*</c> for an index: whether it does for some index.</summary>
    public bool MatchesSome(string path)
    {
        lock (_gate)
            return After(path) is not { } states || states.Any(IsEnd);
    }

    /// <summary>Whether a path matches. Of a path with <c>*</c> for an index: whether it does for every index.</summary>
    public bool MatchesAll(string path)
    {
        lock (_gate)
            return After(path) is { } states && states.All(IsEnd);
    }

    private void Begin()
    {
        _nodes = new ExpressionNodes();
        _derived.Clear();
        var parser = new ExpressionParser(_text, _nodes);
        var start = parser.Parse();
        _start = new State([start, .. parser.Behind], null);
    }

    /// <summary>What is left of the expression after a path, for each choice of its indices; null: there are too many to tell.</summary>
    private ICollection<State>? After(string path)
    {
        // What was learnt of earlier paths is forgotten before it takes much memory.
        if (_nodes.IsLarge)
            Begin();
        ICollection<State> states = [_start];
        for (var i = 0; i < path.Length && states.Count <= MostStates; i++)
            states = IsIndex(path, i) ? AfterIndex(states) : Distinct(states.Select(state => Next(state, path[i])));
        return states.Count <= MostStates ? states : null;
    }

    private static bool IsIndex(string path, int i) => path[i] == '*' && (i == 0 || path[i - 1] == '.') && (i + 1 == path.Length || path[i + 1] == '.');

    /// <summary>After a number, which is 0 or begins with another digit.</summary>
    private Dictionary<string, State>.ValueCollection AfterIndex(IEnumerable<State> states)
    {
        var before = states.ToList();
        var found = new Dictionary<string, State>();
        var queue = new Queue<State>();
        foreach (var state in before.SelectMany(state => "123456789".Select(digit => Next(state, digit))))
            Add(state);
        while (queue.Count > 0 && found.Count <= MostStates)
        {
            var state = queue.Dequeue();
            foreach (var digit in "0123456789")
                Add(Next(state, digit));
        }

        foreach (var zero in before.Select(state => Next(state, '0')))
            found[zero.Key] = zero;
        return found.Values;

        void Add(State state)
        {
            if (found.ContainsKey(state.Key))
                return;
            found.Add(state.Key, state);
            queue.Enqueue(state);
        }
    }

    private static List<State> Distinct(IEnumerable<State> states) => [.. states.GroupBy(state => state.Key).Select(same => same.First())];

    private State Next(State state, char c)
    {
        var here = Around(state, c);
        return new State([.. state.Parts.Select(part => Derive(part, here, c))], c);
    }

    private static bool IsEnd(State state) => state.Parts[0].IsEmptyAt(Around(state, null));

    private static Surroundings Around(State state, char? next)
    {
        var here = state.Last is null ? Surroundings.Start : Surroundings.None;
        if (next is null)
            here |= Surroundings.End;
        if ((state.Last is { } last && CharacterSet.IsWord(last)) != (next is { } c && CharacterSet.IsWord(c)))
            here |= Surroundings.Boundary;
        for (var i = 1; i < state.Parts.Count; i++)
            if (state.Parts[i].IsEmptyAt(here))
                here |= (Surroundings)((int)Surroundings.Behind << (i - 1));
        return here;
    }

    /// <summary>What may follow a character, of what an expression matches.</summary>
    private ExpressionNode Derive(ExpressionNode node, Surroundings here, char c)
    {
        if (!_derived.TryGetValue((node.Id, here, c), out var derived))
            _derived[(node.Id, here, c)] = derived = node.Form switch
            {
                ExpressionForm.Set => node.Set!.Contains(c) ? _nodes.Empty : _nodes.Nothing,
                ExpressionForm.Sequence => DeriveSequence(node, here, c),
                ExpressionForm.Either => _nodes.Either(node.Parts.Select(part => Derive(part, here, c)).ToList()),
                ExpressionForm.Both => _nodes.Both(node.Parts.Select(part => Derive(part, here, c)).ToList()),
                ExpressionForm.Not => _nodes.Not(Derive(node.Parts[0], here, c)),
                ExpressionForm.Repeat => _nodes.Sequence(Derive(node.Parts[0], here, c), node),
                _ => _nodes.Nothing,
            };
        return derived;
    }

    private ExpressionNode DeriveSequence(ExpressionNode node, Surroundings here, char c)
    {
        var ways = new List<ExpressionNode>();
        for (; node.Form == ExpressionForm.Sequence; node = node.Parts[1])
        {
            ways.Add(_nodes.Sequence(Derive(node.Parts[0], here, c), node.Parts[1]));
            if (!node.Parts[0].IsEmptyAt(here))
                return _nodes.Either(ways);
        }

        ways.Add(Derive(node, here, c));
        return _nodes.Either(ways);
    }

    /// <summary>What is left of an expression.</summary>
    /// <param name="Parts">The expression, and those that look behind.</param>
    /// <param name="Last">The character before; null: the text begins.</param>
    private sealed record State(IReadOnlyList<ExpressionNode> Parts, char? Last)
    {
        // Of the character before only this counts.
        public string Key { get; } = $"{string.Join(",", Parts.Select(p => p.Id))} {(Last is { } last ? CharacterSet.IsWord(last) : null)}";
    }
}
