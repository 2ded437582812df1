namespace PeftGen.Parity.Tests;

/// <summary>The recorded cases in <c>tests/data</c>, which are copied beside the tests.</summary>
public static class Goldens
{
    public static string Root { get; } = Path.Combine(AppContext.BaseDirectory, "data");

    public static TheoryData<string> Cases => new(GoldenCase.Find(Root, []).Select(golden => golden.Name));
}
