namespace PeftGen.Generators.Tests;

/// <summary>Ways to lay out files, namespaces and names.</summary>
public class SourceFormTests
{
    [Fact]
    public void BlockNamespacesWithUsingsAndAliasesInside() => RunningModel.Check("""
        namespace Outer
        {
            using System.Text;
            using Lin = TorchSharp.Modules.Linear;
            using F = TorchSharp.torch.nn.functional;

            namespace Inner.Deep
            {
                using Pair = (TorchSharp.torch.Tensor left, TorchSharp.torch.Tensor right);
                using static System.Math;

                [Scale(targets: "q")]
                public partial class Model : Module<Tensor, Tensor>
                {
                    private readonly Lin q = Linear(4, 4);

                    public Model() : base("model") => RegisterComponents();

                    public override Tensor forward(Tensor x)
                    {
                        Pair pair = (q.forward(x), x * Max(1, 2));
                        return F.relu(pair.left) + pair.right + new StringBuilder("abc").Length;
                    }
                }
            }
        }
        """, "q");

    [Fact]
    public void FileScopedNamespaceWithoutImplicitUsings() => RunningModel.Check(
        [
            ("Model.cs", """
                using System;
                using TorchSharp.Modules;
                using T = TorchSharp.torch.Tensor;
                using nn = TorchSharp.torch.nn;
                namespace Some.Models;
                using PeftGen;

                [Methods.Scale(targets: "q")]
                public partial class Model : nn.Module<T, T>
                {
                    private readonly Linear q = nn.Linear(4, 4);
                    public Model() : base("model") { RegisterComponents(); }
                    public override T forward(T x) { return nn.functional.relu(q.forward(x)) + Math.PI; }
                }
                """),
        ],
        "q");

    [Fact]
    public void PartsInSeveralFiles() => RunningModel.Check(
        [
            ("Model.cs", """
                namespace Models;

                public partial class Model : Module<Tensor, Tensor>
                {
                    private readonly Linear q = Linear(4, 4), v = Linear(4, 4);

                    public Model() : base("model") => RegisterComponents();
                }
                """),
            ("Model.Forward.cs", """
                using Activation = System.Func<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;

                namespace Models;

                partial class Model
                {
                    public override Tensor forward(Tensor x) => Apply(Helper(q.forward(x)), y => y.relu());

                    private partial Tensor Helper(Tensor x);

                    private static Tensor Apply(Tensor x, Activation f) => f(x);
                }
                """),
            ("Model.Helper.cs", """
                namespace Models
                {
                    using static TorchSharp.torch.nn.functional;

                    partial class Model
                    {
                        private partial Tensor Helper(Tensor x) => gelu(v.forward(x));
                    }
                }
                """),
            ("Model.Adapt.cs", "namespace Models; [Scale] partial class Model;"),
        ],
        "q", "v");

    [Fact]
    public void SeveralClassesInAFileAndTheGlobalNamespace() => RunningModel.Check("""
        public partial class A : Module<Tensor, Tensor> { readonly Linear q = Linear(4, 4); public A() : base("a") { RegisterComponents(); } public override Tensor forward(Tensor x) { return q.forward(x); } }
        public partial class B : Module<Tensor, Tensor> { readonly A a = new(); public B() : base("b") { RegisterComponents(); } public override Tensor forward(Tensor x) { return a.forward(x) + 1; } }
        [Scale(targets: "q")] public partial class Model : Module<Tensor, Tensor> { readonly B b = new(); public Model() : base("m") { RegisterComponents(); } public override Tensor forward(Tensor x) { return b.forward(x); } }
        """, "b.a.q");

    [Fact]
    public void FieldsNamedAsEmittedParameters() => RunningModel.Check("""
        [Scale(targets: "adapter,context,model")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear adapter = Linear(4, 4), context = Linear(4, 4), model = Linear(4, 4), adaptation = Linear(4, 4);
            private readonly int options = 1, self = 1, result = 1;

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor adapterNode) => Run(adapterNode, adapter: 0, model: 1);

            public Tensor Run(Tensor hook, int adapter, int model) =>
                this.model.forward(context.forward(this.adapter.forward(hook))) + adaptation.forward(hook) + adapter + model + options + self + result;
        }
        """, "adapter", "context", "model");

    [Fact]
    public void KeywordIdentifiers() => RunningModel.Check("""
        namespace @namespace.@event;

        public partial class @class : Module<Tensor, Tensor>
        {
            private readonly Linear @base = Linear(4, 4);

            public @class() : base("class") => RegisterComponents();

            public override Tensor forward(Tensor @in) => @base.forward(@in);
        }

        [Scale(targets: "base,lock")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear @lock = Linear(4, 4);
            private readonly ModuleList<@class> @new = ModuleList(new @class());
            private readonly @class @readonly = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor @params)
            {
                foreach (var @case in @new)
                    @params = @case.forward(@params);
                return @readonly.call(@lock.forward(@do(@params, @out: 2)));
            }

            public Tensor @do(Tensor @ref, int @out = 1) => @lock.forward(@ref) * @out;
        }
        """, "lock", "new.0.base", "readonly.base");

    [Fact]
    public void NullableOffAndOldStyle() => RunningModel.Check("""
        #nullable disable
        namespace Models
        {
            public partial class Attn : Module<Tensor, Tensor, Tensor>
            {
                private Linear q;

                public Attn() : base("attn")
                {
                    this.q = Linear(4, 4);
                    RegisterComponents();
                }

                public override Tensor forward(Tensor x, Tensor mask = null)
                {
                    if (!(mask is null)) { x = x + mask; }
                    return q.forward(x);
                }
            }

            [Scale(targets: "q")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private Attn attn;

                public Model() : base("model")
                {
                    attn = new Attn();
                    RegisterComponents();
                }

                public override Tensor forward(Tensor x)
                {
                    string nothing = null;
                    return nothing == null ? attn.forward(x, null) : attn.forward(x);
                }
            }
        }
        """, "attn.q");

    [Fact]
    public void PreprocessorRawStringsAndInterpolation() => RunningModel.Check(""""
        [Scale(targets: "q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
        #if DEBUG_SHAPES
                Console.WriteLine(x.shape);
        #endif
        #region body
                var text = $"""
                    {q.forward(x).shape.Length} is the rank
                    """;
        #pragma warning disable CS0168
                int unused;
        #pragma warning restore CS0168
                return q.forward(x) * text.Length;
        #endregion
            }
        }
        """", "q");

    [Fact]
    public void NamedCheckpointPaths() => RunningModel.Check("""
        [Scale(targets: "self_attn.q_proj,v_proj")]
        public partial class Model : Module<Tensor, Tensor>
        {
            [Name("self_attn.q_proj")] private readonly Linear query = Linear(4, 4);
            [Name("self_attn.v_proj")] public Linear Value { get; } = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => Value.forward(query.forward(x));
        }
        """, "self_attn.q_proj", "self_attn.v_proj");

    /// <summary>A linked file has a path outside the project, and may be named as one within.</summary>
    [Fact]
    public void LinkedFiles() => RunningModel.Check(
        [
            ("/elsewhere/shared/Model.cs", """
                namespace Linked;

                public partial class Layer : Module<Tensor, Tensor>
                {
                    private readonly Linear fc = Linear(4, 4);

                    public Layer() : base("layer") => RegisterComponents();

                    public override Tensor forward(Tensor x) => fc.forward(x);
                }
                """),
            ("Model.cs", """
                [Scale(targets: "fc")]
                public partial class Model : Module<Tensor, Tensor>
                {
                    private readonly Linked.Layer layer = new();

                    public Model() : base("model") => RegisterComponents();

                    public override Tensor forward(Tensor x) => layer.forward(x);
                }
                """),
        ],
        "layer.fc");

    [Fact]
    public void TopLevelPrograms()
    {
        var project = Project.Of("""
            var model = new Net();
            using var adapter = model.CreateAdapter();
            Console.WriteLine(model.forward(adapter, ones(1, 4)).shape[1]);

            [Scale(targets: "fc")]
            public partial class Net : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);

                public Net() : base("net") => RegisterComponents();

                public override Tensor forward(Tensor x) => fc.forward(x);
            }
            """);
        var generated = Generated.From(project.WithOptions(project.Options.WithOutputKind(Microsoft.CodeAnalysis.OutputKind.ConsoleApplication)));
        Assert.Empty(generated.Reported);
        var program = RunningModel.Load(generated);
        var (console, printed) = (Console.Out, new StringWriter());
        Console.SetOut(printed);
        try
        {
            program.EntryPoint!.Invoke(null, [Array.Empty<string>()]);
        }
        finally
        {
            Console.SetOut(console);
        }

        Assert.Equal("4", printed.ToString().Trim());
    }
}
