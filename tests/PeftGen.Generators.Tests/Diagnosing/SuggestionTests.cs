using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>What a target that matches nothing may have meant: by what the word means first, then by how it is spelt.</summary>
public class SuggestionTests
{
    [Theory]
    // Another family's names: the role that they have.
    [InlineData("q_proj", "query,key,value,dense", "did you mean the role 'q', which Model.query has?", "q")]
    [InlineData("v_proj", "query,key,value,dense", "did you mean the role 'v', which Model.value has?", "v")]
    [InlineData("q_proj", "c_attn,c_proj", "did you mean the role 'q', which Model.c_attn has?", "q")]
    [InlineData("value", "c_attn,c_proj", "did you mean the role 'v', which Model.c_attn has?", "v")]
    [InlineData("Q", "q_proj,v_proj", "did you mean the role 'q', which Model.q_proj has?", "q")]
    [InlineData("V", "q_proj,v_proj", "did you mean the role 'v', which Model.v_proj has?", "v")]
    [InlineData("QUERY", "q_proj,v_proj", "did you mean the role 'q', which Model.q_proj has?", "q")]
    // Other ways to write what there is.
    [InlineData("Q_Proj", "q_proj,v_proj", "did you mean 'q_proj'?", "q_proj")]
    [InlineData("vProj", "q_proj,v_proj", "did you mean 'v_proj'?", "v_proj")]
    [InlineData("all", "q_proj,v_proj", "did you mean 'all-linear'?", "all-linear")]
    [InlineData("all_linear", "q_proj,v_proj", "did you mean 'all-linear'?", "all-linear")]
    [InlineData("linear", "q_proj,v_proj", "did you mean 'all-linear'?", "all-linear")]
    [InlineData("Linear", "q_proj,v_proj", "did you mean 'all-linear'?", "all-linear")]
    [InlineData("q_porj", "q_proj,v_proj", "did you mean 'q_proj'?", "q_proj")]
    // Nothing has the role: no layer of another one.
    [InlineData("q_proj", "c_fc,c_proj", "there are c_fc, c_proj, and 'all-linear' means every linear layer", null)]
    [InlineData("k_proj", "q_proj,o_proj", "there are o_proj, q_proj, and 'all-linear' means every linear layer", null)]
    [InlineData("fc1", "fc2", "there are fc2, and 'all-linear' means every linear layer", null)]
    public void MeansWhatTheWordMeans(string target, string layers, string message, string? suggestion)
    {
        var names = layers.Split(',');
        var reported = Assert.Single(Generated.From($$"""
            [Scale(1, "{{target}}")]
            public partial class Model : Module<Tensor, Tensor>
            {
                {{string.Concat(names.Select(name => $"private readonly Linear {name} = {(name == "c_attn" ? "Linear(4, 12)" : "Linear(4, 4)")};\n"))}}
                public Model() : base("model") => RegisterComponents();
                public override Tensor forward(Tensor x) => {{names.Aggregate("x", (inner, name) => $"{name}.forward({inner})")}};
            }
            """).Reported);
        Assert.Equal($"'{target}' matches nothing below Model; {message}", reported.GetMessage(null));
        Assert.Equal(suggestion, reported.Properties.GetValueOrDefault("Suggestions"));
    }

    /// <summary>What lies in a class of another assembly cannot be seen, where its fields are private.</summary>
    [Theory]
    [InlineData("private readonly Library.Block block = new();", ": Module<Tensor, Tensor>", "x => block.forward(own.forward(x))", "Model.block, whose class Block")]
    [InlineData("", ": Library.Block", "x => base.forward(own.forward(x))", "Model, whose base class Block")]
    public void WhatCanOnlyLieInAnotherAssembly(string field, string @base, string forward, string where)
    {
        var library = Project.Library("""
            namespace Library;
            public class Block : Module<Tensor, Tensor>
            {
                private readonly Linear hidden = Linear(4, 4);
                public Block() : base("block") => RegisterComponents();
                public override Tensor forward(Tensor x) => hidden.forward(x);
            }
            """);
        var project = Project.Of($$"""
            [Scale(1, "own,hidden")]
            public partial class Model {{@base}}
            {
                private readonly Linear own = Linear(4, 4);
                {{field}}
                public Model() {{(@base.Contains("Library", StringComparison.Ordinal) ? "" : ": base(\"model\")")}} => RegisterComponents();
                public override Tensor forward(Tensor x) => {{forward[(forward.IndexOf('>', StringComparison.Ordinal) + 2)..]}};
            }
            """).AddReferences(library);
        var reported = Assert.Single(Generated.From(project).Reported, d => d.Severity == DiagnosticSeverity.Error);
        Assert.Equal("PG012", reported.Id);
        Assert.Equal($"'hidden' can only lie below {where} is in another assembly and was not compiled by PeftGen; compile it there, or choose other targets", reported.GetMessage(null));
    }
}
