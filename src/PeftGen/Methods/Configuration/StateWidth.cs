using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The width of the states that a module returns.</summary>
internal static class StateWidth
{
    /// <summary>An embedding's own; else that of the first norm below, or of what the last linear layer of a sub-layer puts out, or of an embedding below.</summary>
    /// <param name="site">The module, or a layer of it.</param>
    /// <exception cref="AdapterException">It is not to be seen.</exception>
    public static long Of(Site site) =>
        (site.Host.Module as Embedding)?.weight!.shape[1]
        ?? Modules(site).Where(m => Norms.Matches($"{site.Path}.{m.name}")).SelectMany(m => m.module.parameters(recurse: false)).FirstOrDefault(p => p.dim() == 1)?.shape[0]
        ?? (site.FindLinear("ffn_out") ?? site.FindLinear("o"))?.outputs
        ?? Modules(site).Select(m => m.module).OfType<Embedding>().FirstOrDefault()?.weight!.shape[1]
        ?? throw new AdapterException(
            $"{site.Path}: the width of what it returns is not to be seen: there is no norm, no embedding, and no linear layer with a name of one that ends a sub-layer, such as down_proj or o_proj.");

    private static Role Norms => RoleTable.Find("norms")!;

    private static IEnumerable<(string name, nn.Module module)> Modules(Site site) => site.Owner.named_modules();
}
