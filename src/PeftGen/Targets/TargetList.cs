namespace PeftGen;

/// <summary>What can be a target: a module or parameter of the model.</summary>
/// <param name="Path">The path from the annotated class; <c>*</c> stands for an index that is not known.</param>
/// <param name="IsLinear">Whether it is a linear layer, which <c>all-linear</c> means.</param>
public readonly record struct TargetCandidate(string Path, bool IsLinear);

/// <summary>
/// A list of targets, separated by commas. Each is an exact name or dotted suffix as HF PEFT matches it (<c>q_proj</c>, <c>self_attn.q_proj</c>),
/// with <c>*</c> for one segment and <c>**</c> for any number; <c>all-linear</c>; or, where nothing has the name, a role from
/// <see cref="RoleTable"/> (<c>q</c>, <c>ffn_out</c>). A list that begins with <c>regex:</c> is one regular expression that matches whole paths.
/// </summary>
public sealed class TargetList : IEquatable<TargetList>
{
    /// <summary>The target that means every linear layer but the output head.</summary>
    public const string AllLinear = "all-linear";

    private const string RegexPrefix = "regex:";

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
            foreach (var part in text.Split(','))
            {
                var name = part.Trim();
                var at = start + (part.Length - part.TrimStart().Length);
                error = new TargetError(name.Length == 0 ? start : at, Math.Max(name.Length, 1), "");
                if (name.Length == 0)
                    throw new FormatException("a target is empty; write names separated by commas, for example 'q_proj,v_proj'");
                items.Add(name == AllLinear ? new TargetItem(null, at, name.Length) : new TargetItem(TargetPattern.Parse(name), at, name.Length));
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

    /// <summary>Decides what each target means for a model: a name, or, where nothing has that name, a role.</summary>
    /// <param name="candidates">All modules and parameters of the model.</param>
    public ResolvedTargets Resolve(IReadOnlyCollection<TargetCandidate> candidates)
    {
        var names = new HashSet<string>(candidates.Select(c => c.Path.Substring(c.Path.LastIndexOf('.') + 1)));
        var items = Items.Select(item => item.Resolve(names)).ToList();
        return new ResolvedTargets(items);
    }

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
    /// <summary>The target as it was written.</summary>
    public string Text => Pattern?.Text ?? TargetList.AllLinear;

    internal ResolvedItem Resolve(HashSet<string> names)
    {
        if (Pattern is null)
            return new ResolvedItem(this, null);
        var role = Pattern.IsName && !names.Contains(Pattern.Text) ? RoleTable.Find(Pattern.Text) : null;
        return new ResolvedItem(this, role);
    }
}

/// <summary>A target with its meaning in one model.</summary>
/// <param name="Item">The target.</param>
/// <param name="Role">The role that it stands for; null: it is a pattern.</param>
public sealed record ResolvedItem(TargetItem Item, Role? Role)
{
    /// <summary>Whether a module or parameter is meant.</summary>
    public bool Matches(TargetCandidate candidate)
    {
        if (Item.Pattern is null)
            return candidate.IsLinear && !RoleTable.Head.Matches(candidate.Path);
        return Role?.Matches(candidate.Path) ?? Item.Pattern.Matches(candidate.Path);
    }
}

/// <summary>A list of targets with its meaning in one model.</summary>
/// <param name="Items">The targets.</param>
public sealed record ResolvedTargets(IReadOnlyList<ResolvedItem> Items)
{
    /// <summary>Whether a module or parameter is meant by one of the targets.</summary>
    public bool Matches(TargetCandidate candidate) => Items.Any(item => item.Matches(candidate));
}
