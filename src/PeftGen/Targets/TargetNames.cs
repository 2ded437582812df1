namespace PeftGen;

/// <summary>Names of modules, as a list of targets writes them.</summary>
internal static class TargetNames
{
    /// <summary>Whether a character of a name needs no quotes.</summary>
    public static bool IsPlain(char c) => char.IsLetterOrDigit(c) || c is '_' or '-';

    /// <summary>The target that means just the modules of a name or dotted suffix: in quotes where it would mean something else, such as a role.</summary>
    /// <param name="name">The name.</param>
    public static string Of(string name) => name != TargetList.AllLinear && RoleTable.Find(name) is null ? OfModule(name) : Quote(name);

    /// <summary>The same of a name that a module has for sure, which is therefore no role.</summary>
    /// <param name="name">The name.</param>
    public static string OfModule(string name) => IsPlainText(name) ? name : Quote(name);

    /// <summary>The target that means the modules whose path ends with a text, which may begin within a name.</summary>
    /// <param name="end">The end of the path.</param>
    public static string EndingWith(string end) => "*" + (IsPlainText(end) ? end : Quote(end));

    private static bool IsPlainText(string name) => name.Length > 0 && name.Split('.').All(segment => segment.Length > 0 && segment.All(IsPlain));

    private static string Quote(string name) => "'" + name.Replace("'", "''") + "'";
}
