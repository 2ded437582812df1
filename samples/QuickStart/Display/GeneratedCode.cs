using System.Reflection;
using PeftGen.Models;

namespace PeftGen.QuickStart.Display;

/// <summary>Where the build wrote the code that the compiler generated.</summary>
internal static class GeneratedCode
{
    /// <summary>Says where to read it.</summary>
    public static void Show(Screen screen)
    {
        var folder = typeof(GeneratedCode).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "GeneratedCode").Value!;
        screen.Heading("The generated code");
        screen.Fact("folder", folder);
        screen.Fact("read first", $"{nameof(LlamaAttention)}: the calls of its projections go through the adapter's slots");
        screen.Fact("declared", "samples/QuickStart/Declarations.cs");
    }
}
