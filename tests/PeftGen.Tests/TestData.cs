namespace PeftGen.Tests;

/// <summary>Files in <c>tests/data</c>, which are copied beside the tests.</summary>
public static class TestData
{
    public static string Path(params string[] parts) => System.IO.Path.Combine([AppContext.BaseDirectory, "data", .. parts]);
}
