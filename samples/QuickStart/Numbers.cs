using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace PeftGen.QuickStart;

/// <summary>Options that are whole numbers, and what is said where they are none.</summary>
internal static class Numbers
{
    /// <summary>Makes an option read whole numbers.</summary>
    /// <param name="option">The option.</param>
    /// <param name="least">The least number; null: any.</param>
    public static Option<int?> OfOne(Option<int?> option, int? least = null)
    {
        option.CustomParser = result => Read(result, option.Name, least) is [var number] ? number : null;
        return option;
    }

    /// <inheritdoc cref="OfOne(Option{int?}, int?)"/>
    public static Option<int> OfOne(Option<int> option, int? least = null)
    {
        option.CustomParser = result => Read(result, option.Name, least) is [var number] ? number : 0;
        return option;
    }

    /// <inheritdoc cref="OfOne(Option{int?}, int?)"/>
    public static Option<int[]> OfSeveral(Option<int[]> option, int? least = null)
    {
        option.AllowMultipleArgumentsPerToken = true;
        option.CustomParser = result => Read(result, option.Name, least);
        return option;
    }

    private static int[] Read(ArgumentResult result, string name, int? least)
    {
        var numbers = new List<int>();
        foreach (var token in result.Tokens)
            if (!int.TryParse(token.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
                result.AddError($"{name} is '{token.Value}', expected a whole number{(least is null ? "" : $" of at least {least}")}.");
            else if (number < least)
                result.AddError($"{name} is {number}, expected at least {least}.");
            else
                numbers.Add(number);
        return [.. numbers];
    }
}
