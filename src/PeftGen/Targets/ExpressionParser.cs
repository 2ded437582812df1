using System.Globalization;

namespace PeftGen;

/// <summary>
/// Reads what Python's and .NET's regular expressions have in common: sets, groups, alternatives, repetitions, <c>^ $ \A \Z \b</c>, looks ahead and behind.
/// What needs to go back in the text, such as a reference to a group, is refused.
/// </summary>
/// <param name="text">The expression.</param>
/// <param name="nodes">Makes its parts.</param>
internal sealed class ExpressionParser(string text, ExpressionNodes nodes)
{
    private const int MostDepth = 200;
    private const int MostSteps = 50_000;
    private const int MostRepeated = 500;
    private const int MostBehind = 16;
    private readonly List<ExpressionNode> _behind = [];
    private int _at;
    private int _depth;
    private int _steps;
    private int _repeated;
    private bool _ignoresCase;

    /// <summary>What a part makes of the rest of the expression.</summary>
    private delegate ExpressionNode Part(ExpressionNode rest);

    /// <summary>The texts, to their beginning, that parts which look behind ask for.</summary>
    public IReadOnlyList<ExpressionNode> Behind => _behind;

    /// <summary>Reads all of it.</summary>
    /// <exception cref="FormatException">It is malformed, or has what is not supported.</exception>
    public ExpressionNode Parse()
    {
        var (all, _) = ReadAlternatives();
        return _at < text.Length ? throw Wrong("a ')' closes nothing") : all(nodes.Empty);
    }

    private (Part part, bool looks) ReadAlternatives()
    {
        if (++_depth > MostDepth)
            throw Wrong("its groups are nested too deeply");
        var ignoredCase = _ignoresCase;
        var parts = new List<Part>();
        var looks = false;
        do
        {
            var (part, looksAround) = ReadSequence();
            parts.Add(part);
            looks |= looksAround;
        }
        while (Take('|'));
        _ignoresCase = ignoredCase;
        _depth--;
        return (parts.Count == 1 ? parts[0] : rest => nodes.Either(parts.Select(part => part(rest)).ToList()), looks);
    }

    private (Part part, bool looks) ReadSequence()
    {
        var parts = new List<Part>();
        var looks = false;
        while (_at < text.Length && text[_at] is not ('|' or ')'))
            if (ReadAtom() is { part: not null } atom)
            {
                parts.Add(ReadRepetition(atom.part, atom.looks));
                looks |= atom.looks;
            }

        return (rest =>
        {
            for (var i = parts.Count - 1; i >= 0; i--)
                rest = Step(parts[i], rest);
            return rest;
        }, looks);
    }

    private ExpressionNode Step(Part part, ExpressionNode rest) => ++_steps > MostSteps || nodes.IsLarge ? throw Wrong("it is too large once its repetitions are written out") : part(rest);

    private ExpressionNode Again(Part part, ExpressionNode rest) => ++_repeated > MostRepeated ? throw Wrong("it is too large once its repetitions are written out") : Step(part, rest);

    private Part ReadRepetition(Part part, bool looks)
    {
        if (ReadCount() is not var (least, most))
            return part;
        if (_at < text.Length && text[_at] == '+')
            throw Wrong("possessive repetitions are not supported");
        Take('?');
        if (_at < text.Length && text[_at] is '*' or '+' or '?')
            throw Wrong("a repetition repeats nothing");
        if (most is null && looks)
            throw Wrong("a part that looks around cannot be repeated");
        return rest =>
        {
            var once = most is null ? Step(part, nodes.Empty) : nodes.Empty;
            var end = most is null ? nodes.Sequence(nodes.Repeat(once), rest) : rest;
            for (var i = least; i < most; i++)
                end = nodes.Either([Again(part, end), rest]);
            for (var i = 0; i < least; i++)
                end = Again(part, end);
            return end;
        };
    }

    /// <summary><c>*</c>, <c>+</c>, <c>?</c>, <c>{2}</c>, <c>{2,}</c>, <c>{2,3}</c>; null: none stands there.</summary>
    private (int least, int? most)? ReadCount()
    {
        if (_at == text.Length)
            return null;
        switch (text[_at])
        {
            case '*':
                _at++;
                return (0, null);
            case '+':
                _at++;
                return (1, null);
            case '?':
                _at++;
                return (0, 1);
            case '{' when text.IndexOf('}', _at) is > 0 and var close && text.Substring(_at + 1, close - _at - 1).Split(',') is var numbers
                && numbers.Length <= 2 && numbers.All(n => n.All(c => c is >= '0' and <= '9')) && numbers.Any(n => n.Length > 0):
                var (least, most) = (Count(numbers[0]) ?? 0, numbers.Length == 1 ? Count(numbers[0]) : Count(numbers[1]));
                if (most < least)
                    throw Wrong($"{{{least},{most}}} repeats more often at least than at most");
                _at = close + 1;
                return (least, most);
            default:
                return null;
        }
    }

    private int? Count(string digits) => digits.Length == 0 ? null
        : int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= MostSteps ? count : throw Wrong($"{digits} repetitions are too many");

    /// <summary>The next part; one without a part is none, such as an option or a comment.</summary>
    private (Part? part, bool looks) ReadAtom()
    {
        var c = text[_at++];
        switch (c)
        {
            case '(':
                return ReadGroup();
            case '[':
                return (One(ReadSet()), false);
            case '.':
                return (One(CharacterSet.Dot), false);
            case '^':
                return (Ask(Surroundings.Start), false);
            case '$':
                return (Ask(Surroundings.End), false);
            case '*' or '+' or '?':
                throw Wrong($"'{c}' repeats nothing");
            case '\\':
                return (ReadEscape(), false);
            default:
                return (One(CharacterSet.Of(c, _ignoresCase)), false);
        }
    }

    private (Part? part, bool looks) ReadGroup()
    {
        if (!Take('?'))
            return Close(ReadAlternatives());
        if (Take(':') || TakeName())
            return Close(ReadAlternatives());
        if (Take('#'))
        {
            _at = text.IndexOf(')', _at) is >= 0 and var end ? end + 1 : throw Wrong("a comment has no end");
            return default;
        }

        if (Take('=') || Peek("!"))
            return LookAhead(isNegated: Take('!'));
        if (Peek("<=") || Peek("<!"))
        {
            _at++;
            return LookBehind(isNegated: text[_at++] == '!');
        }

        return ReadOptions();
    }

    private (Part part, bool looks) LookAhead(bool isNegated)
    {
        var (seen, _) = Close(ReadAlternatives());
        return (rest => nodes.Both([isNegated ? nodes.Not(seen(nodes.Anything)) : seen(nodes.Anything), rest]), true);
    }

    private (Part part, bool looks) LookBehind(bool isNegated)
    {
        var (seen, looks) = Close(ReadAlternatives());
        if (looks || _behind.Count == MostBehind)
            throw Wrong("looks within looks, and very many of them, are not supported");
        var asks = (Surroundings)((int)Surroundings.Behind << _behind.Count);
        _behind.Add(nodes.Sequence(nodes.Anything, seen(nodes.Empty)));
        return (Ask(asks, isNegated), true);
    }

    /// <summary><c>(?i)</c> for the rest of the group, <c>(?i:…)</c> for a group of its own.</summary>
    private (Part? part, bool looks) ReadOptions()
    {
        var (start, isOn, before) = (_at, true, _ignoresCase);
        for (; _at < text.Length && text[_at] is not (')' or ':'); _at++)
            if (text[_at] == '-')
                isOn = false;
            else if (text[_at] == 'i')
                _ignoresCase = isOn;
            else if (text[_at] is not ('s' or 'm' or 'n'))
                throw Wrong($"the group '(?{text.Substring(start, 1)}' is not supported; write '(?:' where nothing else is meant");
        if (!Take(':'))
            return Take(')') ? default((Part?, bool)) : throw Wrong("a group has no end");
        var group = Close(ReadAlternatives());
        _ignoresCase = before;
        return group;
    }

    /// <summary>The name of a group, <c>&lt;name&gt;</c>, <c>P&lt;name&gt;</c> or <c>'name'</c>.</summary>
    private bool TakeName()
    {
        var open = Peek("P<") ? 2 : Peek("'") || (Peek("<") && !Peek("<=") && !Peek("<!")) ? 1 : 0;
        if (open == 0)
            return false;
        var end = text.IndexOf(text[_at + open - 1] == '<' ? '>' : '\'', _at + open);
        if (end < 0 || !text.Substring(_at + open, end - _at - open).All(CharacterSet.IsWord))
            throw Wrong("the name of a group is none");
        _at = end + 1;
        return true;
    }

    private (Part part, bool looks) Close((Part part, bool looks) group) => Take(')') ? group : throw Wrong("a '(' has no ')'");

    private Part ReadEscape()
    {
        if (_at == text.Length)
            throw Wrong("a '\\' stands at the end");
        var c = text[_at++];
        return c switch
        {
            'A' => Ask(Surroundings.Start),
            'z' or 'Z' => Ask(Surroundings.End),
            'b' => Ask(Surroundings.Boundary),
            'B' => Ask(Surroundings.Boundary, isNegated: true),
            _ when CharacterSet.OfEscape(c) is { } set => One(set),
            _ => One(CharacterSet.Of(Literal(c), _ignoresCase)),
        };
    }

    /// <summary>The character that an escape stands for.</summary>
    private char Literal(char escape) => escape switch
    {
        't' => '\t',
        'n' => '\n',
        'r' => '\r',
        'f' => '\f',
        'v' => '\v',
        'a' => '\a',
        'x' => Code(2),
        'u' => Code(4),
        >= '0' and <= '9' or 'k' => throw Wrong("references to groups are not supported"),
        _ when char.IsLetter(escape) => throw Wrong($"'\\{escape}' is not supported"),
        _ => escape,
    };

    private char Code(int digits)
    {
        if (_at + digits > text.Length || !int.TryParse(text.Substring(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
            throw Wrong($"the code of a character has {digits} digits");
        _at += digits;
        return (char)code;
    }

    private CharacterSet ReadSet()
    {
        var isNegated = Take('^');
        var sets = new List<CharacterSet>();
        for (var start = _at; ; )
        {
            if (_at == text.Length)
                throw Wrong("a '[' has no ']'");
            if (text[_at] == ']' && _at > start)
                break;
            if (Peek("-["))
                throw Wrong("sets within sets are not supported");
            var first = ReadSetCharacter(out var set);
            if (set is not null)
                sets.Add(set);
            else if (!Peek("-") || _at + 1 >= text.Length || text[_at + 1] == ']')
                sets.Add(CharacterSet.Of(first, _ignoresCase));
            else
                sets.Add(ReadRange(first));
        }

        _at++;
        var all = CharacterSet.Union(sets);
        return isNegated ? all.Negated() : all;
    }

    private CharacterSet ReadRange(char first)
    {
        _at++;
        var last = ReadSetCharacter(out var set);
        return set is null && last >= first ? CharacterSet.Between(first, last, _ignoresCase) : throw Wrong($"a set has a range from '{first}' that ends before it, or nowhere");
    }

    private char ReadSetCharacter(out CharacterSet? set)
    {
        var c = text[_at++];
        set = null;
        if (c != '\\')
            return c;
        if (_at == text.Length)
            throw Wrong("a '\\' stands at the end");
        var escape = text[_at++];
        set = CharacterSet.OfEscape(escape);
        return set is not null ? c : escape == 'b' ? '\b' : Literal(escape);
    }

    private Part One(CharacterSet set)
    {
        var node = nodes.Set(set);
        return rest => nodes.Sequence(node, rest);
    }

    private Part Ask(Surroundings asks, bool isNegated = false)
    {
        var node = nodes.Assertion(asks, isNegated);
        return rest => nodes.Sequence(node, rest);
    }

    private bool Peek(string next) => string.CompareOrdinal(text, _at, next, 0, next.Length) == 0;

    private bool Take(char c)
    {
        if (_at == text.Length || text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private FormatException Wrong(string why) => new($"'{text}' is no regular expression that PeftGen can match: {why}");
}
