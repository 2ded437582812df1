using System.Globalization;
using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Numbers of a declaration beside the sizes of what they are for, where these are constants in the code.</summary>
internal static class SizeChecks
{
    private const int Multiple = 0;

    public static void Run(CheckContext context)
    {
        var matches = context.Matches.Where(m => m.IsSite && m.Extent == Extent.All).ToLookup(m => m.Claim.Method);
        foreach (var method in context.Roots.Values.SelectMany(m => m))
        {
            foreach (var parameter in method.Data.AttributeConstructor!.Parameters.Where(p => DeclaredMethod.Has(p, "BoundedBySizeAttribute")))
                CheckLarger(context, method, parameter, [.. context.Matches.Where(m => m.IsSite && m.Claim.Method == method && m.Place.Kind == PlaceKind.Layer && context.IsCertain(m.Place.Owner))]);
            foreach (var property in DeclaredMethod.Properties(method.Type))
            {
                foreach (var fits in DeclaredMethod.AttributesOf(property, "FitsAttribute"))
                    CheckFits(context, method, property, fits, [.. matches[method].Where(m => m.Place.IsCertain && m.Place.Kind == PlaceKind.Layer)]);
                foreach (var divides in DeclaredMethod.AttributesOf(property, "DividesWidthAttribute"))
                    CheckDivides(context, method, property, divides, [.. matches[method].Where(m => m.Place.IsCertain && m.Claim.Kind == SiteKind.Residual)]);
            }
        }
    }

    /// <summary>A number that is larger than the layer it is for.</summary>
    private static void CheckLarger(CheckContext context, DeclaredMethod method, IParameterSymbol parameter, List<TargetMatch> matches)
    {
        if (method.ValueOf(parameter.Name)?.Value is not int value || method.PlaceOf(parameter.Name).argument is null)
            return;
        foreach (var match in matches)
            if (new[] { context.Creations.NumberOf(match.Place.Child!, "inputSize", "inputs"), context.Creations.NumberOf(match.Place.Child!, "outputSize", "outputs") }.Min() is { } size && size < value)
                context.Diagnostics.Add("PG031", method.Syntax.SyntaxTree, method.PlaceOf(parameter.Name).span, parameter.Name, Text(value), NameOf(match), Text(size));
    }

    /// <summary>A number that has to fit an argument of the layer.</summary>
    private static void CheckFits(CheckContext context, DeclaredMethod method, IPropertySymbol property, AttributeData fits, List<TargetMatch> matches)
    {
        if (fits.ConstructorArguments is not [{ Value: string targets }, { Value: int relation }, { Value: string argument }] || method.ValueOf(property.Name) is not { } value
            || (DeclaredMethod.Named(fits, "Unless")?.Value is string other && method.IsSet(other)))
            return;
        var numbers = (value.Kind == TypedConstantKind.Array ? value.IsNull ? [] : value.Values.Select(v => v.Value) : [value.Value]).OfType<int>().ToList();
        foreach (var match in matches.Where(m => m.Claim.Property == targets))
        {
            if (context.Creations.NumberOf(match.Place.Child!, argument) is not { } size || size < 1 || numbers.Where(n => relation == Multiple ? n % size != 0 : n >= size).Select(n => (int?)n).FirstOrDefault() is not { } wrong)
                continue;
            Report(context, method, property, wrong, relation == Multiple ? $"no multiple of {Text(size)}, the {argument} of {NameOf(match)}" : $"none of the {Text(size)} that {NameOf(match)} has ({argument}), counted from 0");
            return;
        }
    }

    /// <summary>A number that has to divide the width of the states, and the reduced one.</summary>
    private static void CheckDivides(CheckContext context, DeclaredMethod method, IPropertySymbol property, AttributeData divides, List<TargetMatch> matches)
    {
        if (divides.ConstructorArguments is not [{ Value: string reduced }, { Value: int standard }])
            return;
        var number = method.ValueOf(property.Name)?.Value is int given ? given : standard;
        var varies = DeclaredMethod.Named(divides, "Unless")?.Value is string other && method.IsSet(other);
        var reduction = !varies && method.ValueOf(reduced)?.Value is double factor && factor > 0 ? factor : 1;
        foreach (var match in number < 1 ? [] : matches)
        {
            if (WidthOf(context, match.Place) is not { } width)
                continue;
            var narrow = Math.Max(1, (long)Math.Floor(width / reduction));
            if (width % number == 0 && narrow % number == 0)
                continue;
            var wrong = width % number != 0 ? $"no divisor of {Text(width)}, the width of the states there" : $"no divisor of {Text(narrow)}, the width of the states divided by {method.WrittenName(reduced)} ({Text(width)} / {reduction.ToString("R", CultureInfo.InvariantCulture)})";
            Report(context, method, property, number, wrong);
            return;
        }
    }

    /// <summary>The width of the states at a residual: that of the norm after the sum, or of those in the class that adds it; null: the code does not show it.</summary>
    private static long? WidthOf(CheckContext context, Place place)
    {
        var uses = context.Scanner.ResidualsOf(place.Owner).Where(r => r.path.Length == 0 || place.Path == r.path || place.Path.EndsWith("." + r.path, StringComparison.Ordinal)).Select(r => r.use).ToList();
        var children = uses.SelectMany(use => use.Norm is { } norm ? norm.Receiver.IsDirect ? [norm.Receiver.Target.child] : []
            : place.Owner.Children.Where(c => LayerKinds.Of(KnownTypes.Lineage(c.Type)) == CandidateKind.Norm)).Distinct().ToList();
        var widths = children.Select(c => context.Creations.NumberOf(c, "normalized_shape")).Distinct().ToList();
        return uses.Count > 0 && widths is [{ } only] ? only : null;
    }

    private static void Report(CheckContext context, DeclaredMethod method, IPropertySymbol property, long number, string wrong) => context.Diagnostics.Add(
        "PG046", method.Syntax.SyntaxTree, method.PlaceOf(property.Name).span, method.WrittenName(property.Name), method.Name, Text(number), wrong);

    private static string NameOf(TargetMatch match) => $"{match.Place.Owner.Symbol.Name}.{match.Place.Child!.Name}";

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
