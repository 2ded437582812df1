using System.Buffers.Binary;
using PeftGen.Checkpoints;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

/// <summary>Training states that are damaged: refused before anything changes, whatever torch would do with them.</summary>
public sealed class TrainingStateDamageTests : IDisposable
{
    private const string Seed = "dropout.seed", Generator = "dropout.state.cpu", Weight = "blocks.0.up.delta";
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TempFolder _folder = new();
    private readonly TinyModel _model = new();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string, string> Damages => new()
    {
        { "short", "bytes, expected 5056" },
        { "long", "bytes, expected 5056" },
        { "empty", "bytes, expected 5056" },
        { "zeros", "says 0 for whether it was seeded" },
        { "floats", "is Float32 [5056], expected bytes" },
        { "matrix", "is Byte [2, 2528], expected bytes" },
        { "left 0", "with 0 left" },
        { "left 625", "with 625 left" },
        { "left −1", "with -1 left" },
        { "next 625", "is at word 625" },
        { "next huge", "is at word 18446744073709551615" },
        { "beyond the words", "is at word 600 with 600 left" },
        { "a word of 64 bits", "as word 5, expected 32 bits" },
        { "normal 7", "says 7 and" },
        { "float 9", "and 9 for whether" },
        { "device cuda:99", "'cuda:99', which this machine does not have" },
        { "device nonsense", "'nonsense', which this machine does not have" },
        { "device cpu:-1", "'cpu:-1', which this machine does not have" },
        { "no seed", "has no 'dropout.seed'" },
        { "seed of floats", "'dropout.seed' is Float64" },
        { "two seeds", "'dropout.seed' is Int64 [2]" },
        { "shape", "[8, 5] there, [8, 6] expected" },
        { "integers", "Int32 there, Float32 expected" },
        { "half", "is BFloat16, expected Float32" },
        { "missing", "Missing: 1 (blocks.0.up.delta)" },
        { "surplus", "Surplus: 1 (more)" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_state_is_refused_and_changes_nothing(string damage, string expected)
    {
        var state = StateOf(Trained(1));
        Damage(state, damage);
        var adapter = Trained(2);
        var (before, draws) = (adapter.parameters().Select(p => p.clone()).ToList(), adapter.TrainingState());
        Assert.Contains(expected, Assert.Throws<AdapterException>(() => adapter.LoadTrainingState(state)).Message, StringComparison.Ordinal);
        var file = _folder["state.safetensors"];
        SafetensorsWriter.Write(file, state.Select(entry => (entry.Key, entry.Value)));
        var message = Assert.Throws<AdapterException>(() => adapter.LoadTrainingState(file)).Message;
        Assert.StartsWith(file + ": ", message, StringComparison.Ordinal);
        Assert.All(adapter.parameters().Zip(before), pair => TensorAssert.Same(pair.Second, pair.First));
        var after = adapter.TrainingState();
        Assert.All(draws, entry => TensorAssert.Same(entry.Value, after[entry.Key]));
    }

    [Fact]
    public void A_disposed_tensor_is_refused()
    {
        var state = StateOf(Trained(1));
        state[Weight].Dispose();
        Assert.Contains($"'{Weight}' is disposed", Assert.Throws<AdapterException>(() => Trained(2).LoadTrainingState(state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void States_at_every_place_in_torch_s_words_are_taken()
    {
        var adapter = Trained(1);
        var other = Trained(2);
        using var x = randn([2, 4, TinyModel.Dim]);
        adapter.train();
        other.train();
        for (var step = 0; step < 30; step++)
        {
            _model.forward(adapter, x).Dispose();
            other.LoadTrainingState(adapter.TrainingState());
            TensorAssert.Same(adapter.TrainingState()[Generator], other.TrainingState()[Generator]);
        }
    }

    [Fact]
    public void Bytes_of_a_state_changed_at_random_end_in_an_error_or_in_a_generator_that_draws()
    {
        var random = new Random(18);
        var good = StateOf(Trained(1))[Generator].data<byte>().ToArray();
        var adapter = Trained(2);
        adapter.train();
        using var x = randn([2, 4, TinyModel.Dim]);
        var taken = 0;
        for (var round = 0; round < 300; round++)
        {
            var bytes = good.ToArray();
            // The counters in front, and what is behind the words, as often as the words.
            for (var flips = random.Next(1, 4); flips > 0; flips--)
                bytes[random.Next(3) switch { 0 => random.Next(24), 1 => random.Next(5016, bytes.Length), _ => random.Next(bytes.Length) }] ^= (byte)(1 << random.Next(8));
            var state = StateOf(Trained(1));
            state[Generator] = tensor(bytes);
            try
            {
                adapter.LoadTrainingState(state);
                taken++;
            }
            catch (AdapterException)
            {
                continue;
            }

            // All words once, so that a wrong counter would read behind them.
            for (var i = 0; i < 4; i++)
                _model.forward(adapter, x).Dispose();
        }

        Assert.InRange(taken, 1, 299);
    }

    private static void Damage(Dictionary<string, Tensor> state, string damage)
    {
        var bytes = state[Generator].data<byte>().ToArray();
        switch (damage)
        {
            case "short": state[Generator] = tensor(bytes[..^8]); break;
            case "long": state[Generator] = tensor((byte[])[.. bytes, 0]); break;
            case "empty": state[Generator] = zeros([0], ScalarType.Byte); break;
            case "zeros": state[Generator] = zeros([bytes.Length], ScalarType.Byte); break;
            case "floats": state[Generator] = zeros([bytes.Length]); break;
            case "matrix": state[Generator] = tensor(bytes).view(2, -1); break;
            case "left 0": Write(8, 0); break;
            case "left 625": Write(8, 625); break;
            case "left −1": Write(8, -1); break;
            case "next 625": Write(16, 625); break;
            case "next huge": Write(16, -1); Write(20, -1); break;
            case "beyond the words": Write(8, 600); Write(16, 600); break;
            case "a word of 64 bits": Write(24 + (8 * 5) + 4, 1); break;
            case "normal 7": Write(5040, 7); break;
            case "float 9": Write(5052, 9); break;
            case "no seed": state.Remove(Seed); break;
            case "seed of floats": state[Seed] = tensor(1.5); break;
            case "two seeds": state[Seed] = tensor(new long[] { 1, 2 }); break;
            case "shape": state[Weight] = zeros(8, 5); break;
            case "integers": state[Weight] = zeros([8, 6], ScalarType.Int32); break;
            case "half": state[Weight] = state[Weight].to(ScalarType.BFloat16); break;
            case "missing": state.Remove(Weight); break;
            case "surplus": state["more"] = zeros(1); break;
            default:
                state["dropout.state." + damage["device ".Length..]] = state[Generator];
                break;
        }

        void Write(int at, int value)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), value);
            state[Generator] = tensor(bytes);
        }
    }

    private Dictionary<string, Tensor> StateOf(TinyModel.TinyAdapter adapter) => adapter.TrainingState();

    /// <summary>An adapter whose dropout has drawn.</summary>
    private TinyModel.TinyAdapter Trained(ulong seed)
    {
        var adapter = _model.CreateAdapter(seed, new Delta("up", scale: 0.1, dropout: 0.5));
        adapter.train();
        using var x = randn([2, 4, TinyModel.Dim]);
        _model.forward(adapter, x).Dispose();
        return adapter;
    }
}
