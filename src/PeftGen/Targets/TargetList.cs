namespace PeftGen;

/// <summary>What can be a target: a module or parameter of the model.</summary>
/// <param name="Path">The path from the annotated class; <c>*</c> stands for an index that is not known.</param>
/// <param name="IsLinear">Whether it is a linear layer, which <c>all-linear</c> means.</param>
public readonly record struct TargetCandidate(string Path, bool IsLinear)
{
    /// <summary>The parts of a fused layer, in the order of its outputs; null: it is one layer.</summary>
    public IReadOnlyList<string>? Parts { get; init; }

    /// <summary>What it is by its type.</summary>
    internal CandidateKind Kind { get; init; }
}

/// <summary>
/// A list of targets, separated by commas. Each is an exact name or dotted suffix as HF PEFT matches it (<c>q_proj</c>, <c>self_attn.q_proj</c>),
/// with <c>*</c> for a segment or a part of one (<c>*_proj</c>) and <c>**</c> for any number; <c>all-linear</c>; or, where nothing has the name, a role from
/// <see cref="RoleTable"/> (<c>q</c>, <c>ffn_out</c>). A name with other characters than letters, digits, <c>_</c> and <c>-</c> stands in single quotes: <c>langs.'en de'</c>. A name on a fused layer means the whole layer; <c>c_attn[q,v]</c>, or a role that is the
/// name of a part, means those parts. A list that begins with <c>regex:</c> is one regular expression that matches whole paths.
/// </summary>
public sealed class TargetList : IEquatable<TargetList>
{
    /// <summary>The target that means every linear layer but the output head.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>What a list that is one regular expression begins with.</summary>
    internal const string RegexPrefix = "regex:";

    private TargetList(string text, IReadOnlyList<TargetItem> items)
    {
        Text = text;
        Items = items;
    }

    /// <summary>The list as it was written.</summary>
    public string Text { get; }

    /// <summary>The targets one by one.</summary>
    public IReadOnlyList<TargetItem> Items { get; }

    /// <summary>Reads a list.</summary>
    /// <exception cref="FormatException">The list is empty or a target is malformed; the message names it.</exception>
    public static TargetList Parse(string text)
    {
        if (!TryParse(text, out var list, out var error))
            throw new FormatException(error.Message);
        return list;
    }

    /// <summary>Reads a list.</summary>
    /// <param name="text">The text.</param>
    /// <param name="list">The list, if there is no error.</param>
    /// <param name="error">What is wrong and where in the text.</param>
    public static bool TryParse(string text, out TargetList list, out TargetError error)
    {
        var items = new List<TargetItem>();
        error = default;
        list = new TargetList(text, items);
        try
        {
            if (text.StartsWith(RegexPrefix, StringComparison.Ordinal))
            {
                error = new TargetError(0, text.Length, "");
                items.Add(new TargetItem(TargetPattern.ParseRegex(text.Substring(RegexPrefix.Length)), 0, text.Length));
                return true;
            }

            var start = 0;
            foreach (var part in Split(text))
            {
                var name = part.Trim();
                var at = start + (part.Length - part.TrimStart().Length);
                error = new TargetError(name.Length == 0 ? start : at, Math.Max(name.Length, 1), "");
                if (name.Length == 0)
                    throw new FormatException("a target is empty; write names separated by commas, for example 'q_proj,v_proj'");
                items.Add(ReadItem(name, at));
                start += part.Length + 1;
            }

            return true;
        }
        catch (FormatException e)
        {
            error = error with { Message = e.Message };
            return false;
        }
    }

    /// <summary>The text between commas that stand in no brackets and no quotes.</summary>
    private static IEnumerable<string> Split(string text)
    {
        var (start, depth, quoted) = (0, 0, false);
        for (var i = 0; i < text.Length; i++)
        {
            quoted ^= text[i] == '\'';
            depth += quoted ? 0 : text[i] switch { '[' => 1, ']' => -1, _ => 0 };
            if (text[i] != ',' || depth > 0 || quoted)
                continue;
            yield return text.Substring(start, i - start);
            start = i + 1;
        }

        yield return text.Substring(start);
    }

    private static TargetItem ReadItem(string name, int at)
    {
        var bracket = name.IndexOf('[', name.LastIndexOf('\'') + 1);
        if (bracket < 0)
            return new TargetItem(name == AllLinear ? null : TargetPattern.Parse(name), at, name.Length);
        var parts = name.Substring(bracket + 1).TrimEnd(']').Split(',').Select(p => p.Trim()).ToList();
        if (bracket == 0 || name.IndexOf(']', bracket) != name.Length - 1 || parts.Any(p => p.Length == 0 || !p.All(c => char.IsLetterOrDigit(c) || c == '_')) || parts.Distinct().Count() != parts.Count)
            throw new FormatException($"'{name}' is no layer with parts; write the layer's name and different parts in brackets, for example 'c_attn[q,v]'");
        return new TargetItem(TargetPattern.Parse(name.Substring(0, bracket)), at, name.Length) { Parts = parts };
    }

    /// <summary>Decides what each target means for a model: a name, or, where nothing has that name, a role.</summary>
    /// <param name="candidates">All modules and parameters of the model.</param>
    public ResolvedTargets Resolve(IReadOnlyCollection<TargetCandidate> candidates) => Resolve(new ModelShape(candidates));

    /// <summary>The same, of a model whose shape is known already.</summary>
    internal ResolvedTargets Resolve(ModelShape model) => new([.. Items.Select(item => item.Resolve(model))]);

    /// <inheritdoc/>
    public bool Equals(TargetList? other) => other is not null && Text == other.Text;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TargetList);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Text);

    /// <inheritdoc/>
    public override string ToString() => Text;
}

/// <summary>What is wrong with a list of targets.</summary>
/// <param name="Start">The first character concerned.</param>
/// <param name="Length">How many characters are concerned.</param>
/// <param name="Message">What was found and what is expected.</param>
public readonly record struct TargetError(int Start, int Length, string Message);

/// <summary>One target of a list and where it stands in the text.</summary>
/// <param name="Pattern">The pattern; null: all linear layers but the head.</param>
/// <param name="Start">The first character in the list's text.</param>
/// <param name="Length">The number of characters.</param>
public sealed record TargetItem(TargetPattern? Pattern, int Start, int Length)
{
    /// <summary>The parts of a fused layer that are meant; null: the whole layer.</summary>
    public IReadOnlyList<string>? Parts { get; init; }

    /// <summary>The target as it was written.</summary>
    public string Text => (Pattern?.Text ?? TargetList.AllLinear) + (Parts is null ? "" : $"[{string.Join(",", Parts)}]");

    internal ResolvedItem Resolve(ModelShape model) =>
        new(this, Pattern is { IsName: true } && !model.Names.Contains(Pattern.Text) ? RoleTable.Find(Pattern.Text) : null) { Model = model };
}

/// <summary>A target with its meaning in one model.</summary>
/// <param name="Item">The target.</param>
/// <param name="Role">The role that it stands for; null: it is a pattern.</param>
public sealed record ResolvedItem(TargetItem Item, Role? Role)
{
    /// <summary>The model in which roles are looked for.</summary>
    internal ModelShape? Model { get; init; }

    /// <summary>Whether a module or parameter is meant, whole or in parts.</summary>
    public bool Matches(TargetCandidate candidate) =>
        MatchesPath(candidate) ? Item.Parts is not { } wanted || (candidate.Parts is { } parts && wanted.All(parts.Contains)) : IsRoleOfPart(candidate);

    /// <summary>Whether a module or parameter is meant whatever the indices in its path are, which <c>*</c> stands for.</summary>
    internal bool MatchesWhatever(TargetCandidate candidate) => Role is null && Item.Pattern?.MatchesAll(candidate.Path) == false
        ? false : Matches(Role is null && Item.Pattern is not null ? candidate : candidate with { Path = candidate.Path.Replace('*', '#') });

    /// <summary>The parts that are meant of a candidate that matches; null: all of it.</summary>
    public IReadOnlyList<string>? PartsOf(TargetCandidate candidate) => MatchesPath(candidate) ? Item.Parts : IsRoleOfPart(candidate) ? [Role!.Name] : null;

    /// <summary>Whether a path is meant, whatever its parts.</summary>
    public bool MatchesPath(TargetCandidate candidate)
    {
        if (Item.Pattern is null)
            return candidate.IsLinear && !RoleTable.Head.Matches(Shape, candidate.Path);
        return Role?.Matches(Shape, candidate.Path) ?? Item.Pattern.Matches(candidate.Path);
    }

    private ModelShape Shape => Model ?? ModelShape.Empty;

    private bool IsRoleOfPart(TargetCandidate candidate) => Role is not null && Item.Parts is null && candidate.Parts?.Contains(Role.Name) == true;
}

/// <summary>A list of targets with its meaning in one model.</summary>
/// <param name="Items">The targets.</param>
public sealed record ResolvedTargets(IReadOnlyList<ResolvedItem> Items)
{
    /// <summary>Whether a module or parameter is meant by one of the targets.</summary>
    public bool Matches(TargetCandidate candidate) => Items.Any(item => item.Matches(candidate));

    /// <summary>The parts that are meant of a fused layer that matches, in the order of its outputs; null: all of it.</summary>
    public IReadOnlyList<string>? PartsOf(TargetCandidate candidate)
    {
        var wanted = Items.Where(item => item.Matches(candidate)).Select(item => item.PartsOf(candidate)).ToList();
        return wanted.Contains(null) ? null : [.. candidate.Parts!.Where(part => wanted.Any(w => w!.Contains(part)))];
    }
}
