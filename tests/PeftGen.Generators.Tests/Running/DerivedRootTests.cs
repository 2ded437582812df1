using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using TorchSharp;

namespace PeftGen.Generators.Tests;

/// <summary>Models of classes that derive from an annotated one.</summary>
public class DerivedRootTests
{
    private const string Root = """
        [Scale(targets: "q,v,extra")]
        public partial class Root : Module<Tensor, Tensor>
        {
            protected readonly Linear q = Linear(4, 4);
            private readonly Linear v = Linear(4, 4);

            public Root() : base("root") => RegisterComponents();

            public override Tensor forward(Tensor x) => Mix(q.forward(x));

            public virtual Tensor Mix(Tensor x) => v.forward(x);

            public virtual string Title => "root";
        }
        """;

    [Fact]
    public void OverridesAndLayersOfADerivedClassAreRun() => RunningModel.Check(Root + """
        public partial class Model : Root
        {
            private readonly Linear extra = Linear(4, 4);

            public Model() => RegisterComponents();

            public override Tensor forward(Tensor x) => base.forward(x) * 2 + q.forward(x);

            public override Tensor Mix(Tensor x) => extra.forward(base.Mix(x));
        }
        """, "q", "v", "extra");

    [Fact]
    public void ClassesBetweenTheRootAndTheModel() => RunningModel.Check(Root.Replace("[Scale(targets: \"q,v,extra\")]", "[Scale(targets: \"q,v\")]", StringComparison.Ordinal) + """
        public partial class Middle : Root
        {
            public override Tensor Mix(Tensor x) => base.Mix(x) + q.forward(x);
        }

        public sealed partial class Model : Middle
        {
            public override Tensor forward(Tensor x) => base.forward(x) + Mix(x);
        }
        """, "q", "v");

    [Fact]
    public void AbstractRoots() => RunningModel.Check("""
        [Scale(targets: "q,v")]
        public abstract partial class Root<T> : Module<Tensor, Tensor>
        {
            protected readonly Linear q = Linear(4, 4);

            protected Root() : base("root") { }

            protected abstract Tensor Head(Tensor x);

            public override Tensor forward(Tensor x) => Head(q.forward(x));
        }

        public sealed partial class Model : Root<int>
        {
            private readonly Linear v = Linear(4, 4);

            public Model() => RegisterComponents();

            protected override Tensor Head(Tensor x) => v.forward(x);
        }
        """, "q", "v");

    [Fact]
    public void WithoutCodeOfItsOwnItNeedNotBePartial()
    {
        var generated = Generated.From(Project.Of(Root.Replace("q,v,extra", "q,v", StringComparison.Ordinal) + """
            public class Model : Root
            {
                public override string Title => "model";
            }
            """));
        Assert.Empty(generated.Reported);
        RunningModel.Check(Root.Replace("q,v,extra", "q,v", StringComparison.Ordinal) + "public class Model : Root { public override string Title => \"model\"; }", "q", "v");
    }

    [Fact]
    public void AnAdapterOfTheBaseClassIsNotOneOfTheDerived()
    {
        var assembly = RunningModel.Load(Generated.From(Root.Replace("q,v,extra", "q,v", StringComparison.Ordinal) + """
            public partial class Model : Root
            {
                public override Tensor forward(Tensor x) => base.forward(x) * 2;
            }
            """));
        dynamic root = Activator.CreateInstance(assembly.GetType("Root")!)!, model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        var (of, x) = (root.CreateAdapter(), torch.ones(2, 4));
        Assert.Equal("this adapter is a Root.ScaleAdapter, and the model runs with a Model.Adapter. Give what CreateAdapter or LoadAdapter of this very model, or of one of its class, returned.",
            Assert.Throws<AdapterException>(() => { model.forward(of, x); }).Message);
        model.forward(model.CreateAdapter(), x);
        root.forward(of, x);
    }

    [Fact]
    public void WhereItIsNotPartialTheBuildSaysSoAndNoAdapterIsMade()
    {
        var generated = Generated.From(Root.Replace("q,v,extra", "q,v", StringComparison.Ordinal) + """
            public class Model : Root
            {
                public override Tensor forward(Tensor x) => base.forward(x) * 2;
            }
            """);
        var reported = Assert.Single(generated.Reported);
        Assert.Equal(("PG016", "Model"), (reported.Id, reported.Location.SourceTree!.GetText().ToString(reported.Location.SourceSpan)));
        Assert.Equal("Model derives from Root, which is compiled, and has code or layers of its own for an adapter to run, but is not partial, so no adapter can be made for a model with it; declare it 'partial'", reported.GetMessage());
        dynamic model = Activator.CreateInstance(RunningModel.Load(generated).GetType("Model")!)!;
        Assert.StartsWith("a Model derives from Root and has a forward of its own", Assert.Throws<AdapterException>(() => { model.CreateAdapter(); }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void InAnotherAssembly()
    {
        var library = Generated.From(Project.Of(Root.Replace("q,v,extra", "q,v", StringComparison.Ordinal)).WithAssemblyName("RootLibrary")).AssertCompiles();
        using MemoryStream first = new(), second = new();
        Assert.True(library.Compilation.Emit(first).Success);
        var user = Project.WithoutMethods([("User.cs", """
            using TorchSharp;
            using static TorchSharp.torch;

            public class Titled : Root { public override string Title => "titled"; protected override void Dispose(bool disposing) => base.Dispose(disposing); }

            public class Doubled : Root { public override Tensor forward(Tensor x) => base.forward(x) * 2; }

            public class Mixed : Root { public override Tensor Mix(Tensor x) => x; public Tensor More(Tensor x) => x; }

            public class New : Root { public new Tensor forward(Tensor x) => base.forward(x) * 2; }

            public class Above : Doubled { }
            """)]).WithAssemblyName("RootUser").AddReferences(MetadataReference.CreateFromImage(first.ToArray()));
        var emitted = user.Emit(second);
        Assert.True(emitted.Success, string.Join("\n", emitted.Diagnostics));
        first.Position = second.Position = 0;
        var context = new AssemblyLoadContext(nameof(InAnotherAssembly));
        var root = context.LoadFromStream(first);
        context.Resolving += (_, name) => name.Name == "RootLibrary" ? root : null;
        var derived = context.LoadFromStream(second);
        using var x = torch.ones(2, 4);

        dynamic titled = Activator.CreateInstance(derived.GetType("Titled")!)!, plain = Activator.CreateInstance(root.GetType("Root")!)!;
        var adapter = titled.CreateAdapter();
        Assert.Equal(((torch.Tensor)titled.forward(x)).data<float>().ToArray(), ((torch.Tensor)titled.forward(adapter, x)).data<float>().ToArray());
        foreach (var (name, method) in new[] { ("Doubled", "forward"), ("Mixed", "Mix"), ("New", "forward"), ("Above", "forward") })
        {
            dynamic model = Activator.CreateInstance(derived.GetType(name)!)!;
            foreach (var refused in new Action[] { () => model.CreateAdapter(), () => model.forward(plain.CreateAdapter(), x) })
                Assert.StartsWith($"a {name} derives from Root and has a {method} of its own, which an adapter cannot run", Assert.Throws<AdapterException>(refused).Message, StringComparison.Ordinal);
        }
    }
}
