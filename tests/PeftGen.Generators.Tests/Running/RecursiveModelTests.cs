using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>Classes that hold themselves, or what holds them.</summary>
public class RecursiveModelTests
{
    [Fact]
    public void AClassWithAFieldOfItsOwn() => RunningModel.Check("""
        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Model? next;

            public Model() : this(3) { }

            private Model(int depth) : base("model")
            {
                next = depth > 0 ? new Model(depth - 1) : null;
                RegisterComponents();
            }

            public override Tensor forward(Tensor x)
            {
                var y = fc.forward(x);
                return next is null ? y : next.forward(y);
            }
        }
        """, "fc", "next.fc", "next.next.fc", "next.next.next.fc");

    /// <summary>A target may name a depth of its own.</summary>
    [Theory]
    [InlineData("next.next.next.fc", "next.next.next.fc")]
    [InlineData(@"regex:(next\\.){2}fc", "next.next.fc")]
    [InlineData("next.fc", "next.fc", "next.next.fc", "next.next.next.fc")]
    public void ATargetAtADepth(string target, params string[] sites) => RunningModel.Check($$"""
        [Scale(targets: "{{target}}")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Model? next;

            public Model() : this(3) { }

            private Model(int depth) : base("model")
            {
                next = depth > 0 ? new Model(depth - 1) : null;
                RegisterComponents();
            }

            public override Tensor forward(Tensor x) => next?.forward(fc.forward(x)) ?? fc.forward(x);
        }
        """, sites);

    [Fact]
    public void ATreeInLists() => RunningModel.Check("""
        public partial class Tree : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly ModuleList<Tree> branches = ModuleList<Tree>();

            public Tree(int depth) : base("tree")
            {
                for (var i = 0; i < depth; i++)
                    branches.Add(new Tree(depth - 1));
                RegisterComponents();
            }

            public override Tensor forward(Tensor x)
            {
                var y = fc.forward(x);
                foreach (var branch in branches)
                    y = y + branch.forward(y);
                return y;
            }
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Tree tree = new(2);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => tree.forward(x);
        }
        """, "tree.fc", "tree.branches.0.fc", "tree.branches.0.branches.0.fc", "tree.branches.1.fc", "tree.branches.1.branches.0.fc");

    [Fact]
    public void ByWayOfOtherClasses() => RunningModel.Check("""
        public partial class Even : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Odd? odd;
            public Even(int depth) : base("even") { odd = depth > 0 ? new Odd(depth - 1) : null; RegisterComponents(); }
            public override Tensor forward(Tensor x) => odd is null ? fc.forward(x) : odd.forward(fc.forward(x));
        }

        public partial class Odd : Module<Tensor, Tensor>
        {
            private readonly Even? even;
            public Odd(int depth) : base("odd") { even = depth > 0 ? new Even(depth - 1) : null; RegisterComponents(); }
            public override Tensor forward(Tensor x) => even is null ? x * 2 : even.forward(x);
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Even top = new(4);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => top.forward(x);
        }
        """, "top.fc", "top.odd.even.fc", "top.odd.even.odd.even.fc");

    /// <summary>A child that knows what it lies in: the layers of that are one site each, at their own paths.</summary>
    [Fact]
    public void AChildThatRefersToItsOwner() => RunningModel.Check("""
        public partial class Child : Module<Tensor, Tensor>
        {
            private readonly Linear own = Linear(4, 4);
            private Model? owner;

            public Child() : base("child") => RegisterComponents();

            public void Belongs(Model model) => owner = model;

            public override Tensor forward(Tensor x) => owner!.Shared(own.forward(x));
        }

        [Scale(targets: "own,shared")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Child child = new();
            private readonly Linear shared = Linear(4, 4);

            public Model() : base("model")
            {
                RegisterComponents();
                child.Belongs(this);
            }

            public Tensor Shared(Tensor x) => shared.forward(x);

            public override Tensor forward(Tensor x) => child.forward(shared.forward(x));
        }
        """, "child.own", "shared");

    /// <summary>As above, where the child's field says nothing of the owner's class.</summary>
    [Fact]
    public void AChildThatRefersToItsOwnerAbstractly()
    {
        var model = RunningModel.Check("""
            public partial class Child : Module<Tensor, Tensor>
            {
                private readonly Linear own = Linear(4, 4);
                private Module<Tensor, Tensor>? owner;
                private int depth;

                public Child() : base("child") => RegisterComponents();

                public void Belongs(Module<Tensor, Tensor> model) => owner = model;

                public override Tensor forward(Tensor x)
                {
                    if (depth > 0)
                        return own.forward(x);
                    depth++;
                    try { return owner!.forward(own.forward(x)); }
                    finally { depth--; }
                }
            }

            [Scale(targets: "own,shared")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Child child = new();
                private readonly Linear shared = Linear(4, 4);

                public Model() : base("model")
                {
                    RegisterComponents();
                    child.Belongs(this);
                }

                public override Tensor forward(Tensor x) => child.forward(shared.forward(x));
            }
            """, "child.own", "shared");
        Assert.Equal(2, ((nn.Module)model.Adapter).parameters().Count());
        // Walks of several adapters side by side end, too.
        var stacked = PeftGen.Stack.Of(model.Adapter, model.Model.CreateAdapter());
        Tensor output = model.Model.forward(stacked, model.Input);
        Assert.Equal(model.Base.shape, output.shape);
    }

    /// <summary>A class without an attribute that no root reaches.</summary>
    [Fact]
    public void AClassThatNoRootReaches() => RunningModel.Check("""
        public class Chain : Module<Tensor, Tensor>
        {
            private readonly Chain? next = null;
            public Chain() : base("chain") => RegisterComponents();
            public override Tensor forward(Tensor x) => next?.forward(x) ?? x;
        }

        public class Growing<T> : Module<Tensor, Tensor> where T : class
        {
            private readonly Growing<Growing<T>>? next = null;
            public Growing() : base("growing") => RegisterComponents();
            public override Tensor forward(Tensor x) => next?.forward(x) ?? x;
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => fc.forward(x);
        }
        """, "fc");

    /// <summary>TorchSharp itself comes to no end on such a model, so the adapter says so first.</summary>
    [Fact]
    public void AModelThatIsRegisteredWithinItselfIsRefused()
    {
        var assembly = RunningModel.Load(Generated.From("""
            public partial class Child : Module<Tensor, Tensor>
            {
                private readonly Linear own = Linear(4, 4);
                private Model? owner;
                public Child() : base("child") => RegisterComponents();
                public void Belongs(Model model) { owner = model; register_module("owner", model); }
                public override Tensor forward(Tensor x) => own.forward(x);
            }

            [Scale(targets: "own")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Child child = new();
                public Model() : base("model") { RegisterComponents(); child.Belongs(this); }
                public override Tensor forward(Tensor x) => child.forward(x);
            }
            """));
        dynamic model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        var refused = Assert.Throws<AdapterException>(() => model.CreateAdapter());
        Assert.StartsWith("child.owner: the Model that is registered here is the model itself", refused.Message, StringComparison.Ordinal);
    }
}
