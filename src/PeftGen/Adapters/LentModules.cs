using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Modules that are registered with one that does not own them: <c>.to()</c> and <c>train()</c> reach them, disposal does not.</summary>
internal sealed class LentModules
{
    private readonly List<string> _names = [];

    public void Register(nn.Module borrower, string name, nn.Module module)
    {
        borrower.register_module(name, module);
        _names.Add(name);
    }

    /// <summary>Takes the modules out of the borrower, before it disposes what it has registered.</summary>
    public void GiveBack(nn.Module borrower)
    {
        // Registering nothing under a name is how TorchSharp removes what was there.
        foreach (var name in _names)
            borrower.register_module(name, null!);
        _names.Clear();
    }
}
