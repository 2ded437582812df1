using System.Reflection;
using PeftGen.Models;

namespace PeftGen.QuickStart.Display;

/// <summary>Where the build wrote the code that the compiler generated.</summary>
internal static class GeneratedCode
{
    /// <summary>The folder, from the root of the repository.</summary>
    public static string Folder { get; } = typeof(GeneratedCode).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "GeneratedCode").Value!;

    /// <summary>Says where to read it.</summary>
    public static void Show(Screen screen)
    {
        screen.Heading("The generated code");
        screen.Fact("declared", "samples/QuickStart/Declarations.cs");
        screen.Fact("folder", Folder);
        screen.Fact("read first", $"{typeof(LlamaAttention).FullName}.g.cs: where it calls a projection, the call goes through the adapter's slot");
    }
}
