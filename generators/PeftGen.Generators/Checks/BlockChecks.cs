using System.Globalization;
using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Numbers of blocks that a model cannot have, where its code shows how many there are: <c>layers = ModuleList(new Block(), new Block())</c>.</summary>
internal static class BlockChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var pair in context.Roots)
            foreach (var method in pair.Value)
                foreach (var property in DeclaredMethod.Properties(method.Type))
                    if (method.IsSet(property.Name) && NumbersOf(method, property) is { Count: > 0 } numbers && CountIn(context, context.Walkers[pair.Key], IsByIndex(property)) is { } count
                        && numbers.Where(n => n >= count).Select(n => (int?)n).FirstOrDefault() is { } wrong)
                        context.Diagnostics.Add("PG049", method.Syntax.SyntaxTree, method.PlaceOf(property.Name).span, property.Name, Text(wrong), pair.Key.Symbol.Name, Text(count), Text(count - 1));
    }

    /// <summary>The numbers of blocks that a property names; empty: it names none.</summary>
    private static List<int> NumbersOf(DeclaredMethod method, IPropertySymbol property) => method.ValueOf(property.Name) switch
    {
        { Kind: TypedConstantKind.Array, IsNull: false } list when DeclaredMethod.Has(property, "BlocksAttribute") || DeclaredMethod.Has(property, "LeavesOutAttribute") => [.. list.Values.Select(v => v.Value).OfType<int>()],
        { Kind: TypedConstantKind.Primitive, Value: string text } when DeclaredMethod.AttributesOf(property, "PatternAttribute").Any(a => DeclaredMethod.Named(a, "ByBlock")?.Value is true)
            && PatternEntry.TryParse(text, out var entries, out _) => [.. entries.Select(e => int.TryParse(e.Key, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1)],
        _ => [],
    };

    private static bool IsByIndex(IPropertySymbol property) => DeclaredMethod.AttributesOf(property, "BlocksAttribute").Any(a => DeclaredMethod.Named(a, "ByIndex")?.Value is true);

    /// <summary>How many blocks a model has, in all its lists that lie in no other, or in the longest of them; null: its code does not show it.</summary>
    private static int? CountIn(CheckContext context, PlaceWalker walker, bool inLongest)
    {
        // A number may be a name.
        if (!walker.IsComplete || walker.Places.Any(p => p.Path.Split('.').Any(s => s.Length > 0 && s.All(char.IsDigit))))
            return null;
        var children = walker.Places.Where(p => p.Kind == PlaceKind.Module && p.Path.IndexOf('*') < 0).SelectMany(p => p.Owner.Children).Distinct().ToList();
        var counts = children.Where(c => c.IsList).Select(context.Creations.CountOf).ToList();
        return children.Any(c => c.Shape is ChildShape.Abstract or ChildShape.Sequential) || counts.Count == 0 || counts.Any(c => c is null) ? null : inLongest ? counts.Max() : counts.Sum();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
