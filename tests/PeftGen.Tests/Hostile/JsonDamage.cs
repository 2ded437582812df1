using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Tests.Hostile;

/// <summary>Changes JSON at one place: valid text with a value that nobody expects there, or text that is nearly valid.</summary>
internal static class JsonDamage
{
    private static readonly string[] Values =
    [
        "null", "true", "false", "0", "1", "-1", "2", "8.0", "0.5", "-0.0", "1e-320", "1e400", "-1e400", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "99999999999999999999", "1e9",
        "65537", "100000000", "NaN", "Infinity", "\"\"", "\" \"", "\"x\"", "\"8\"", "\"true\"", "\"null\"", "\"../..\"", "\"/etc/passwd\"", "\".\"", "\"a\\u0000b\"", "\"\\ud800\"", "\"\\udc00x\"", "\"(\"", "\"[\"", "\"*\"",
        "\"regex:(\"", "\"q,,v\"", "\"all-linear\"", "\"LORA\"", "\"union\"", "\"ä→𝄞\"", "[]", "[null]", "[[]]", "[0]", "[-1]", "[2147483648]", "[0.5]", "[\"\"]", "[\"x\",null]", "[\"x\",1]", "[{}]", "{}", "{\"a\":null}",
        "{\"\":1}", "{\"default\":null}", "{\"x\":\"y\"}", "{\"x\":2147483647}", "{\"(\":1}", "{\"a\":1,\"a\":2}", "[1,]", "01", "'x'", "\"\\x\"", "// comment\n1",
    ];

    /// <summary>A text with one place changed.</summary>
    public static byte[] Apply(JsonNode root, Random random)
    {
        var nodes = All(root).Count();
        var at = random.Next(nodes);
        var text = new StringBuilder();
        var writer = new Writer(text, at, random);
        writer.Write(root);
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        // Now and then bytes that are no UTF-8, within what is else valid.
        if (random.Next(12) == 0 && bytes.Length > 2)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(128, 256);
        return bytes;
    }

    private static IEnumerable<JsonNode?> All(JsonNode? node) => node switch
    {
        JsonObject json => json.SelectMany(field => All(field.Value)).Prepend(json),
        JsonArray array => array.SelectMany(All).Prepend(array),
        _ => [node],
    };

    private sealed class Writer(StringBuilder text, int at, Random random)
    {
        private int _next;

        public void Write(JsonNode? node)
        {
            var here = _next++ == at;
            if (here && random.Next(4) != 0)
            {
                text.Append(random.Next(40) == 0 ? new string('[', 20_000) : Values[random.Next(Values.Length)]);
                _next += All(node).Count() - 1;
                return;
            }

            switch (node)
            {
                case JsonObject json:
                    Write('{', '}', json.Select(field => (Action)(() =>
                    {
                        text.Append(JsonSerializer.Serialize(field.Key)).Append(':');
                        Write(field.Value);
                    })), json.Count, here);
                    break;
                case JsonArray array:
                    Write('[', ']', array.Select(item => (Action)(() => Write(item))), array.Count, here);
                    break;
                default:
                    text.Append(node?.ToJsonString() ?? "null");
                    break;
            }
        }

        /// <summary>The entries; of the node that is changed, one is left out or there twice.</summary>
        private void Write(char open, char close, IEnumerable<Action> entries, int count, bool here)
        {
            var (odd, twice) = (here && count > 0 ? random.Next(count) : -1, random.Next(2) == 0);
            text.Append(open);
            var first = true;
            foreach (var (index, entry) in entries.Index())
                for (var time = index != odd ? 1 : twice ? 2 : 0; time > 0; time--)
                {
                    if (!first)
                        text.Append(',');
                    first = false;
                    entry();
                }

            text.Append(close);
        }
    }
}
