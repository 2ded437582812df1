using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Leaving;

namespace PeftGen.Generators.Parsing;

/// <summary>What a call is made on.</summary>
/// <param name="Syntax">The expression.</param>
/// <param name="Chain">The children that it names, from the own one inwards; empty where it names none: a loop variable, an index, a cast of one.</param>
/// <param name="Type">The static type.</param>
/// <param name="Conditional">The expression with <c>?.</c> that begins with it; null where it is called with a dot.</param>
internal sealed record Receiver(
    ExpressionSyntax Syntax, IReadOnlyList<(ModelClass owner, ModelChild child)> Chain, ITypeSymbol Type, ConditionalAccessExpressionSyntax? Conditional = null)
{
    /// <summary>The module type to cast to where the code knows only TorchSharp's interface; null: none.</summary>
    public ITypeSymbol? Cast { get; init; }

    public bool IsDirect => Chain.Count > 0;

    public (ModelClass owner, ModelChild child) Target => Chain[Chain.Count - 1];
}

/// <summary>Something in a body that may have to be rewritten.</summary>
internal abstract record Use(ExpressionSyntax Node);

/// <summary>The call of a layer, or of a module known by an abstract type: <c>q_proj.forward(x)</c>.</summary>
internal sealed record LayerUse(InvocationExpressionSyntax Call, Receiver Receiver, bool IsLayer) : Use(Call);

/// <summary>The call of a method of a module class of this compilation: <c>self_attn.forward(x, mask)</c>.</summary>
internal sealed record NodeUse(InvocationExpressionSyntax Call, Receiver Receiver, ModelClass Type, IMethodSymbol Method, bool IsHooked) : Use(Call);

/// <summary>The call of a method of the same object: <c>Attend(q, k)</c>, <c>base.forward(x)</c>.</summary>
internal sealed record SelfUse(InvocationExpressionSyntax Call, IMethodSymbol Method) : Use(Call);

/// <summary>A read of a parameter.</summary>
/// <param name="Read">The expression.</param>
/// <param name="Chain">The children on the way, with the parameter at the end.</param>
/// <param name="IsWrite">Whether it is written instead.</param>
internal sealed record ParameterUse(ExpressionSyntax Read, IReadOnlyList<(ModelClass owner, ModelChild child)> Chain, bool IsWrite) : Use(Read)
{
    public (ModelClass owner, ModelChild child) Target => Chain[Chain.Count - 1];
}

/// <summary>
/// A sum with a residual: <c>LayerNorm.forward(h + r)</c>, with the layer's call; <c>r + mlp.forward(x)</c>, <c>x += …</c>, <c>x.add(…)</c> or <c>Residual.Add(h, r)</c>, with the norm's call, if any, in a statement after it.
/// </summary>
/// <param name="Site">The expression that becomes the slot's call.</param>
/// <param name="Norm">The call of the norm after the sum; null: none.</param>
/// <param name="Sum">The sum; null for the intrinsic, which has h and r as arguments.</param>
/// <param name="OutputIsLast">Whether the sub-layer's output is the second operand.</param>
/// <param name="Producer">The children that the sub-layer's output comes from, from the own one inwards; empty: not known.</param>
internal sealed record ResidualUse(
    ExpressionSyntax Site, LayerUse? Norm, ExpressionSyntax? Sum, bool OutputIsLast, IReadOnlyList<(ModelClass owner, ModelChild child)> Producer) : Use(Site)
{
    /// <summary>Whether the norm's call holds the sum.</summary>
    public bool IsWithinNorm => Norm?.Call == Site;
}

/// <summary>The norm of a sum that stands apart: <c>x = norm.forward(x)</c> after <c>x = h + r</c>. The sum runs it, and here nothing is left to do.</summary>
/// <param name="Norm">The call.</param>
/// <param name="Sum">The sum.</param>
internal sealed record NormedUse(LayerUse Norm, ExpressionSyntax Sum) : Use(Norm.Call);

/// <summary>A place where keys and values enter attention.</summary>
internal abstract record AttentionSiteUse(ExpressionSyntax Place) : Use(Place);

/// <summary>Keys and values on their way into attention: <c>Attention.Attach(x, q, k, v, mask)</c>, or <c>scaled_dot_product_attention(q, k, v, …)</c>.</summary>
/// <param name="Call">The call.</param>
/// <param name="Input">Of the latter, the parameter that is the attention's input; null: the call has it.</param>
internal sealed record AttentionUse(InvocationExpressionSyntax Call, string? Input) : AttentionSiteUse(Call);

/// <summary>Attention written by hand.</summary>
/// <param name="Product">The product of queries and keys.</param>
/// <param name="Input">The attention's input.</param>
/// <param name="Queries">The product's first operand; it may be written twice.</param>
/// <param name="Keys">The second.</param>
/// <param name="IsTurned">Whether that is <c>[…, head_dim, keys]</c>.</param>
/// <param name="Scores">What the softmax is given.</param>
/// <param name="Masks">The masks on the way to it.</param>
/// <param name="Shapes">Reads of the shape of the scores.</param>
/// <param name="Values">What the weights are multiplied with; it may be written twice, and is known where the scores are computed.</param>
/// <param name="QueryScale">By what the queries were multiplied; null: they were not.</param>
/// <param name="KeyScale">The same, of the keys.</param>
/// <param name="RowsFirst">Where heads are folded into the batch, whether those of a row follow each other; null: not seen.</param>
internal sealed record HandAttentionUse(
    ExpressionSyntax Product, string Input, ExpressionSyntax Queries, ExpressionSyntax Keys, bool IsTurned, ExpressionSyntax Scores, IReadOnlyList<MaskOperand> Masks, IReadOnlyList<ExpressionSyntax> Shapes, ExpressionSyntax Values,
    string? QueryScale, string? KeyScale, bool? RowsFirst) : AttentionSiteUse(Product);

/// <summary>What looks like attention written by hand, and cannot be followed.</summary>
/// <param name="Product">The product of queries and keys.</param>
/// <param name="Why">Why not.</param>
internal sealed record OtherAttention(ExpressionSyntax Product, string Why);

/// <summary>Positions on their way to their embedding: <c>Attention.Positions(positions)</c>.</summary>
internal sealed record PositionsUse(InvocationExpressionSyntax Call) : Use(Call);

/// <summary>A method used as a value: <c>Twice(head.forward)</c>, <c>inputs.Select(Project)</c>.</summary>
/// <param name="Group">The expression that names the method.</param>
/// <param name="Receiver">What the method is called on; null: the same object.</param>
/// <param name="Method">The method, with the parameters that the delegate gets.</param>
/// <param name="Type">The module class that has the method; null: a layer, or a module known by an abstract type.</param>
/// <param name="IsLayer">Whether the receiver takes one tensor and returns one.</param>
internal sealed record MethodGroupUse(ExpressionSyntax Group, Receiver? Receiver, IMethodSymbol Method, ModelClass? Type, bool IsLayer) : Use(Group);

/// <summary>A layer's weight or bias, read past the layer: <c>functional.linear(x, head.weight)</c>.</summary>
internal sealed record WeightUse(MemberAccessExpressionSyntax Read, Receiver Receiver, string Parameter) : Use(Read);

/// <summary>A module that leaves the compiled code for something that runs it as the base does.</summary>
/// <param name="Node">Where the code that is compiled lets it go.</param>
/// <param name="Place">Where it is handed over; another place where an object kept it.</param>
/// <param name="Receiver">The module; null: the object itself.</param>
/// <param name="What">How the code names it.</param>
/// <param name="Sinks">What runs it.</param>
internal sealed record LeavingUse(ExpressionSyntax Node, ExpressionSyntax Place, Receiver? Receiver, string What, IReadOnlyList<Sink> Sinks) : Use(Node)
{
    /// <summary>The type by which the code knows some module below the object; null: it names the module.</summary>
    public ITypeSymbol? Below { get; init; }

    /// <summary>Whether only weights are read: those that no forward reads are left alone.</summary>
    public bool IsOfWeights => Sinks.All(s => s.ReadsWeight);
}

/// <summary>A member with code that takes no adapter, or that C# calls without being told to: a getter, an operator, <c>Dispose</c> after <c>using</c>.</summary>
/// <param name="Node">The expression.</param>
/// <param name="Receiver">What it is called on; null: the object itself, or not known.</param>
/// <param name="Method">The method.</param>
internal sealed record MemberUse(ExpressionSyntax Node, Receiver? Receiver, IMethodSymbol Method) : Use(Node);

/// <summary>Code that is kept in a field: the adapter of the call that kept it would run in all others.</summary>
/// <param name="Code">The lambda or method, or what holds it.</param>
/// <param name="Field">The field.</param>
internal sealed record KeptUse(ExpressionSyntax Code, string Field) : Use(Code);

/// <summary>A call through an interface that module classes implement.</summary>
internal sealed record InterfaceUse(InvocationExpressionSyntax Call, IMethodSymbol Method) : Use(Call);

/// <summary>A method of a class with what stands in its body.</summary>
/// <param name="Type">The class.</param>
/// <param name="Symbol">The method; of a partial one the definition.</param>
/// <param name="Syntax">The part with the body.</param>
/// <param name="Definition">The part with the signature that callers see.</param>
/// <param name="Uses">What may have to be rewritten.</param>
internal sealed record MethodScan(ModelClass Type, IMethodSymbol Symbol, MethodDeclarationSyntax Syntax, MethodDeclarationSyntax Definition, IReadOnlyList<Use> Uses);
