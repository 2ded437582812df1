using System.Reflection;

namespace PeftGen.Tests.Methods;

/// <summary>
/// What the compiler reads from a method's metadata is what the method claims at run time: otherwise sites would be missing that an adapter
/// wants, or be compiled in vain.
/// </summary>
public sealed class MethodMetadataTests
{
    public static TheoryData<AdaptAttribute> Methods => new()
    {
        new LoRA(),
        new LoRA(targets: "q_proj,mlp.up_proj"),
        new LoRA { Bias = LoRABias.All },
        new LoRA { Bias = LoRABias.LoraOnly },
        new LoRA { ModulesToSave = "lm_head" },
        new LoRA { TrainableTokens = [1, 2] },
        new LoRA { TrainableTokens = [] },
        new LoRA { Gated = true, BiasInB = true, RsLora = true, Exclude = "q", Layers = [1], Dropout = 0.1 },
        new LoRA { Bias = LoRABias.All, ModulesToSave = "classifier,score", TrainableTokens = [4] },
        new IA3(),
        new IA3("k_proj", "v_proj") { ModulesToSave = "lm_head", Exclude = "k" },
        new IA3 { Gated = true, Pooling = GatePooling.Masked, LeaveOut = [1] },
        new MTLLoRA(2, targets: "q_proj") { Exclude = "k", LeaveOut = [0], Projections = 3 },
        new LNTuning(),
        new BitFit(),
        new BitFit("query.bias"),
        new LNTuning("ln_f") { ModulesToSave = "lm_head", Exclude = "norm" },
        new TrainableTokens([1], "wte"),
        new TrainableTokens([1]) { ModulesToSave = "lm_head" },
        new PrefixTuning { Gated = true },
        new PrefixTuning(positions: PrefixPositions.Kept) { ModulesToSave = "classifier" },
        new AdaptionPrompt(),
        new AdaptionPrompt(5, 2, "attn") { Unprojected = true },
        new AdaptionPrompt { ModulesToSave = "lm_head" },
        new Bottleneck(targets: "mlp") { Gated = true },
        new Houlsby(),
        new ParallelAdapter(targets: "mlp,self_attn"),
        new AdapterPlus(),
        new Compacter { LeaveOut = [1] },
        new CompacterPlusPlus { ModulesToSave = "lm_head" },
        new LoReFT { StoresBase = true, Tied = true, Layers = [0] },
        new NoReFT(3, 2, 1, "layers.*"),
        new DiReFT { Orthogonal = true, ModulesToSave = "lm_head" },
        new Invertible(),
        new Invertible(2, "wte", null),
    };

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_compiler_sees_the_sites_that_are_claimed(AdaptAttribute method)
    {
        var claimed = method.Claims.Select(claim => (claim.Kind, claim.Targets.Text)).ToList();
        // The library claims these for all methods.
        if (method.ModulesToSave is { } modules)
            claimed.Add((SiteKind.Parameter, modules));
        // A layer's own site serves its parameters too, so that claim needs no metadata of its own.
        var layers = claimed.Where(c => c.Kind == SiteKind.Layer).Select(c => c.Text).ToHashSet();
        Assert.Equal(
            SeenByTheCompiler(method).Order(), claimed.Where(c => c.Kind != SiteKind.Parameter || !layers.Contains(c.Text)).Order());
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void The_compiler_sees_whether_it_merges(AdaptAttribute method)
    {
        var type = method.GetType();
        var prevented = type.GetProperties().Any(p => p.GetCustomAttribute<PreventsMergeAttribute>() is not null && p.GetValue(method) is true);
        Assert.Equal(method.CanMerge, type.GetCustomAttribute<MergesAttribute>()?.Merges != false && !prevented);
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Every_constructor_parameter_has_a_property_of_its_name(AdaptAttribute method)
    {
        foreach (var parameter in method.GetType().GetConstructors().Single().GetParameters())
        {
            var property = method.GetType().GetProperty(parameter.Name!, BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance);
            Assert.True(property is not null && property.PropertyType == parameter.ParameterType, $"{method.GetType().Name} has no property for {parameter.Name}");
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Exactly_one_method_reads_what_it_writes(AdaptAttribute method)
    {
        var config = new System.Text.Json.Nodes.JsonObject { ["peft_type"] = method.PeftType };
        AdaptAttribute[] all = [new LoRA(), new MTLLoRA(), new IA3(), new LNTuning(), new BitFit(), new TrainableTokens([]), new PrefixTuning(), new AdaptionPrompt(), new Bottleneck(), new Compacter(), new LoReFT(), new NoReFT(), new DiReFT(), new Invertible()];
        var reader = Assert.Single(all, m => m.Reads(config));
        Assert.True(reader.GetType().IsInstanceOfType(method), $"{reader} reads what {method} writes");
        Assert.True(method.Reads(config), $"{method} does not read {method.PeftType}");
    }

    private static IEnumerable<(SiteKind, string)> SeenByTheCompiler(AdaptAttribute method)
    {
        foreach (var property in method.GetType().GetProperties())
        {
            var value = property.GetValue(method);
            foreach (var adapts in property.GetCustomAttributes<AdaptsAttribute>())
                if (value is string targets)
                    yield return (adapts.Kind, targets);
                else if (property.PropertyType != typeof(string) && value is not (null or false or Array { Length: 0 }))
                    yield return (adapts.Kind, adapts.Targets!);
            if (value is Enum chosen)
                foreach (var adapts in chosen.GetType().GetField(chosen.ToString())!.GetCustomAttributes<AdaptsAttribute>())
                    yield return (adapts.Kind, adapts.Targets!);
        }
    }
}
