using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>What is recorded of parts of an adapter by themselves.</summary>
internal static class Extras
{
    private const string Prefix = "extra.", Input = Prefix + "block_input", Output = Prefix + "block_output", Inverse = Prefix + "block_inverse_of_input";

    /// <summary>Compares the tensors that slots compute of their own, and the change that an invertible part makes.</summary>
    public static void Compare(AdapterNode adapter, GoldenCase golden, ExpectedTensors expected)
    {
        using var scope = NewDisposeScope();
        using var quiet = no_grad();
        foreach (var slot in adapter.Slots())
            foreach (var (key, value) in slot.Derived(golden.Format))
                if (Prefix + key.Replace("{name}", golden.AdapterName, StringComparison.Ordinal) is var name && expected.Has(name))
                    expected.Compare(name, value, golden.Tolerance);
        if (!expected.Has(Input))
            return;
        var block = adapter.Slots().OfType<IInvertible>().Single();
        var x = expected.Take(Input);
        expected.Compare(Output, block.forward(x), golden.Tolerance);
        expected.Compare(Inverse, block.inverse(x), golden.Tolerance);
    }
}
