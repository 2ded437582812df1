using System.Text;

namespace PeftGen.Checkpoints;

/// <summary>Regular expressions of targets in the words of Python's <c>re</c>, in which files have them. Reading needs no translation: targets know both dialects.</summary>
internal static class PythonRegex
{
    /// <summary>The expression in Python's words; null: it has a part that Python lacks.</summary>
    /// <param name="expression">The expression, which is well-formed.</param>
    public static string? Of(string expression)
    {
        var translation = new StringBuilder();
        var names = new HashSet<string>();
        for (var i = 0; i < expression.Length; i++)
        {
            var c = expression[i];
            var rest = expression.AsSpan(i);
            if (c == '\\')
            {
                // Only this letter means the end of the text in .NET and nothing in Python.
                translation.Append(c).Append(expression[++i] == 'z' ? 'Z' : expression[i]);
            }
            else if (c == '[')
            {
                var end = EndOfSet(expression, i);
                translation.Append(expression, i, end - i + 1);
                i = end;
            }
            else if (rest.StartsWith("(?'") || (rest.StartsWith("(?<") && rest[3] is not ('=' or '!')))
            {
                var end = expression.IndexOf(rest[2] == '<' ? '>' : '\'', i + 3);
                var name = expression[(i + 3)..end];
                if (!names.Add(name) || char.IsDigit(name[0]))
                    return null;
                translation.Append("(?P<").Append(name).Append('>');
                i = end;
            }
            else if ((rest.StartsWith("(?<") && !HasFixedLength(expression, i)) || (rest.StartsWith("(?") && rest.Length > 2 && !IsOfPython(expression, i)))
            {
                return null;
            }
            else
            {
                translation.Append(c);
            }
        }

        return translation.ToString();
    }

    /// <summary>Whether a part that looks behind has one length, as Python wants it.</summary>
    private static bool HasFixedLength(string expression, int start)
    {
        for (var (i, depth) = (start, 0); i < expression.Length; i++)
        {
            if (expression[i] == '\\')
                i++;
            else if (expression[i] == '[')
                i = EndOfSet(expression, i);
            else if (expression[i] == '(')
                depth++;
            else if (expression[i] == ')' && --depth == 0)
                return true;
            else if (i > start + 1 && expression[i] is '*' or '+' or '?' or '{' or '|')
                return false;
        }

        return false;
    }

    /// <summary>Whether Python has the options of a group: for all only at the beginning.</summary>
    private static bool IsOfPython(string expression, int start)
    {
        if (!char.IsAsciiLetter(expression[start + 2]) || expression[start + 2] == 'P')
            return expression[start + 2] != '-' || expression.IndexOf(':', start) is > 0 and var colon && colon < expression.IndexOf(')', start);
        var end = expression.IndexOfAny([':', ')'], start);
        return end > 0 && expression[(start + 2)..end].All(option => option is 'i' or 'm' or 's' or '-') && (expression[end] == ':' || (start == 0 && !expression[..end].Contains('-')));
    }

    private static int EndOfSet(string expression, int start)
    {
        var first = expression[start + 1] == '^' ? start + 2 : start + 1;
        for (var i = first; i < expression.Length; i++)
        {
            if (expression[i] == '\\')
                i++;
            else if (expression[i] == ']' && i > first)
                return i;
        }

        return expression.Length - 1;
    }
}
