using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>What a call is made on.</summary>
/// <param name="Syntax">The expression.</param>
/// <param name="Chain">The children that it names, from the own one inwards; empty where it names none: a loop variable, an index, a cast of one.</param>
/// <param name="Type">The static type.</param>
/// <param name="IsConditional">Whether it is called with <c>?.</c>.</param>
/// <param name="HasThis">Whether the code can refer to <c>this</c>.</param>
internal sealed record Receiver(ExpressionSyntax Syntax, IReadOnlyList<(ModelClass owner, ModelChild child)> Chain, ITypeSymbol Type, bool IsConditional, bool HasThis)
{
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
internal sealed record SelfUse(InvocationExpressionSyntax Call, IMethodSymbol Method, bool HasThis) : Use(Call);

/// <summary>A read of a parameter.</summary>
internal sealed record ParameterUse(ExpressionSyntax Read, ModelClass Owner, ModelChild Child, bool IsWrite) : Use(Read);

/// <summary>A sum with a residual: <c>LayerNorm.forward(h + r)</c>, with the layer's call, or <c>Residual.Add(h, r)</c>, without.</summary>
internal sealed record ResidualUse(InvocationExpressionSyntax Call, LayerUse? Norm, BinaryExpressionSyntax? Sum) : Use(Call);

/// <summary>Keys and values on their way into attention: <c>Attention.Attach(x, q, k, v, mask)</c>.</summary>
internal sealed record AttentionUse(InvocationExpressionSyntax Call) : Use(Call);

/// <summary>A module's method used as a value: <c>heads.Select(head.forward)</c>.</summary>
internal sealed record MethodGroupUse(ExpressionSyntax Group, Receiver Receiver) : Use(Group);

/// <summary>A method of a class with what stands in its body.</summary>
/// <param name="Type">The class.</param>
/// <param name="Symbol">The method; of a partial one the definition.</param>
/// <param name="Syntax">The part with the body.</param>
/// <param name="Definition">The part with the signature that callers see.</param>
/// <param name="Uses">What may have to be rewritten.</param>
internal sealed record MethodScan(ModelClass Type, IMethodSymbol Symbol, MethodDeclarationSyntax Syntax, MethodDeclarationSyntax Definition, IReadOnlyList<Use> Uses);
