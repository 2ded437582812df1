using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>How emitted code names the slots and nodes of an adapter.</summary>
internal sealed class AdapterPaths(NameModel parameters, EmittedNames emitted, ModelGraph graph, Reachability reach, BodyScanner scanner)
{
    /// <summary><c>adapter.mlp.up_proj</c></summary>
    public string SlotOf(IReadOnlyList<(ModelClass owner, ModelChild child)> chain, SyntaxNode place)
    {
        var slot = parameters.Adapter;
        foreach (var (owner, child) in chain)
        {
            slot += "." + emitted.PropertyOf(owner, child.Name);
            if (child.Shape != ChildShape.Composite || reach.IsOwnLinear(child.Type))
                continue;
            // A node whose class nobody else may see is kept as what all nodes are.
            if (Visibility.OfMember(owner.Symbol, child.Type) is null)
                slot = $"(({AdapterTypeAt(child.Type, place)}){slot}!)";
            else if (child.IsNullable)
                slot += "!";
        }

        return slot;
    }

    public string AdapterTypeAt(ITypeSymbol module, SyntaxNode place) => $"{Display(module.WithNullableAnnotation(NullableAnnotation.NotAnnotated), place)}.{emitted.NodeOf(module)}";

    public string Display(ITypeSymbol type, SyntaxNode place) => type.ToMinimalDisplayString(scanner.ModelOf(place.SyntaxTree), place.SpanStart);

    /// <summary><c>adapter.self_attn</c>, or a look-up where the code does not name the child by its own class.</summary>
    public string NodeOf(Receiver receiver, SyntaxNode place) =>
        receiver.IsDirect && receiver.Target.child.Shape == ChildShape.Composite && graph.ClassOf(receiver.Target.child.Type) == graph.ClassOf(receiver.Type)
            ? SlotOf(receiver.Chain, place)
            : $"{parameters.Adapter}.In(this).Node<{AdapterTypeAt(receiver.Type, place)}>({receiver.Syntax.WithoutTrivia()})";

    /// <summary>What a layer, or a module known by an abstract type, runs through.</summary>
    public string CalleeOf(Receiver receiver, bool isLayer, SyntaxNode place) =>
        receiver.IsDirect ? SlotOf(receiver.Chain, place)
        : isLayer ? $"{parameters.Adapter}.In(this)"
        : $"{parameters.Adapter}.In(this).NodeOf({receiver.Syntax.WithoutTrivia()})";
}
