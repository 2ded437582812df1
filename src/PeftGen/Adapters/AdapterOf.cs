using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A node beside a module of a compiled class, or of one that derives from it.</summary>
/// <remarks>
/// Emitted methods take it with a type parameter of their own: <c>forward&lt;TModel&gt;(AdapterOf&lt;TModel&gt; adapter, …)</c>.
/// For <c>null</c>, or a tensor, C# then finds no <typeparamref name="TModel"/>: such a call can only be the model's own <c>forward</c>.
/// </remarks>
/// <typeparam name="TModel">The first class of the lineage that is compiled.</typeparam>
public abstract class AdapterOf<TModel> : AdapterNode where TModel : nn.Module;
