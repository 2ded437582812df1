using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.RealCode.Trials;

/// <summary>Makes a model of a compiled root, adapts it and runs it.</summary>
internal static class TrialRun
{
    private const double MergeTolerance = 1e-3;

    /// <summary>The part of a project that compiles without the packages that are not here: files with errors are left out, and then those that need them.</summary>
    public static CSharpCompilation Sound(CSharpCompilation compilation)
    {
        while (true)
        {
            var wrong = compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => d.Location.SourceTree).OfType<SyntaxTree>().Distinct().ToList();
            if (wrong.Count == 0)
                return compilation;
            compilation = compilation.RemoveSyntaxTrees(wrong);
        }
    }

    /// <summary>A project with a root and what is emitted for it; null where the root's own file is left out.</summary>
    /// <param name="sound">The project without what does not compile.</param>
    /// <param name="name">The root's full name.</param>
    /// <param name="attribute">The attribute that makes it a root.</param>
    public static Compilation? Compile(CSharpCompilation sound, string name, string attribute)
    {
        if (ModuleClasses.Find(sound).FirstOrDefault(c => c.Name == name) is not { } root)
            return null;
        CSharpGeneratorDriver.Create([new PeftGenerator().AsSourceGenerator()], parseOptions: (CSharpParseOptions)root.Declaration.SyntaxTree.Options)
            .RunGeneratorsAndUpdateCompilation(ModuleClasses.Annotate(sound, root, attribute), out var updated, out _);
        return updated;
    }

    /// <summary>Tries a root.</summary>
    /// <param name="compiled">The project with what is emitted.</param>
    /// <param name="name">The root's full name.</param>
    public static Trial Of(Compilation? compiled, string name)
    {
        if (compiled is null)
            return new Trial(TrialOutcome.NotTried, "its code needs packages that are not here");
        using var image = new MemoryStream();
        var emitted = compiled.Emit(image);
        return emitted.Success ? Try(Assembly.Load(image.ToArray()).GetTypes().Single(t => NameOf(t) == name))
            : new Trial(TrialOutcome.NotTried, $"{emitted.Diagnostics.First(d => d.Severity == DiagnosticSeverity.Error)}");
    }

    private static string? NameOf(Type type) => type.FullName?.Replace('+', '.');

    private static Trial Try(Type type)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(1);
        if (Instances.New(type, out var failure) is not nn.Module model)
            return new Trial(TrialOutcome.NotTried, $"no instance: {failure}");
        model.eval();
        if (type.GetMethod("CreateAdapter") is not { } create)
            return new Trial(TrialOutcome.Fails, "no CreateAdapter was emitted");
        if (type.GetNestedType("Adapted")?.GetMethods().Where(m => m.DeclaringType == m.ReflectedType && TakesTensors(m)).OrderByDescending(m => m.Name == "forward").FirstOrDefault() is not { } adapted
            || type.GetMethod(adapted.Name, [.. adapted.GetParameters().Select(p => p.ParameterType)]) is not { } forward)
            return new Trial(TrialOutcome.NotTried, "no method of it takes tensors");
        if (Inputs.For(model, forward, out failure) is not { } inputs)
            return new Trial(TrialOutcome.NotTried, $"no inputs: {failure}");
        try
        {
            return Try(model, create, forward, adapted, inputs);
        }
        catch (TargetInvocationException e)
        {
            return new Trial(TrialOutcome.Fails, $"{e.InnerException!.GetType().Name}: {e.InnerException.Message.ReplaceLineEndings(" ")}");
        }
    }

    private static Trial Try(nn.Module model, MethodInfo create, MethodInfo forward, MethodInfo adapted, object?[] inputs)
    {
        Tensor Base() => Inputs.TensorIn(forward.Invoke(model, inputs))!;
        Tensor Through(nn.Module adapter)
        {
            var with = model.GetType().GetMethod("With")!.Invoke(model, [adapter])!;
            ((nn.Module)with).eval();
            return Inputs.TensorIn(adapted.Invoke(with, inputs))!;
        }

        var before = Base();
        if (!Same(before, Base()))
            return new Trial(TrialOutcome.NotTried, "the model itself gives another output each time");
        var adapter = (nn.Module)create.Invoke(model, new object?[create.GetParameters().Length])!;
        adapter.eval();
        var startsAsBase = Same(before, Through(adapter));
        Vary(adapter);
        var through = Through(adapter);
        Trial Wrong(string message) => new(TrialOutcome.Wrong, message, startsAsBase);
        if (!Same(before, Base()))
            return Wrong("the base is no longer what it was");
        if (Same(before, through))
            return Wrong("the adapter changes nothing");
        through.sum().backward();
        if (adapter.named_parameters().FirstOrDefault(p => p.parameter.requires_grad && p.parameter.grad is null) is { name: not null } without)
            return Wrong($"{without.name} gets no gradient");
        var folder = Directory.CreateTempSubdirectory("trial").FullName;
        try
        {
            typeof(AdapterFiles).GetMethod(nameof(AdapterFiles.Save))!.MakeGenericMethod(adapter.GetType()).Invoke(null, [adapter, folder, null]);
            var load = model.GetType().GetMethod("LoadAdapter")!;
            var loaded = (nn.Module)load.Invoke(model, [folder, .. load.GetParameters().Skip(1).Select(p => p.DefaultValue)])!;
            loaded.eval();
            if (!Same(through, Through(loaded)))
                return Wrong("it is another one after saving and loading");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        if (adapter.GetType().GetMethod("MergeInto") is { } merge)
        {
            merge.Invoke(adapter, [model, true]);
            var merged = Base();
            if (!merged.allclose(through, MergeTolerance, MergeTolerance))
                return Wrong($"merged differs from adapted by {(merged - through).abs().max().ToSingle():g3}");
        }

        return new Trial(TrialOutcome.Runs, "", startsAsBase);
    }

    private static bool TakesTensors(MethodInfo method) => method.ReturnType != typeof(void) && method.GetParameters().Any(p => p.ParameterType == typeof(Tensor) || p.ParameterType.IsClass && p.ParameterType != typeof(string));

    private static void Vary(nn.Module adapter)
    {
        using var generator = new Generator(5);
        using var quiet = no_grad();
        foreach (var parameter in adapter.parameters().Where(p => p.requires_grad))
            parameter.add_(randn(parameter.shape, generator: generator).to(parameter.dtype) * 0.1);
    }

    private static bool Same(Tensor a, Tensor b) => a.shape.SequenceEqual(b.shape) && a.isnan().logical_and(b.isnan()).logical_or(a.eq(b)).all().ToBoolean();
}
