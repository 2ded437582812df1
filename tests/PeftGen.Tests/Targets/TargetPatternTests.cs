using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace PeftGen.Tests;

/// <summary>Names, wildcards and regular expressions beside paths, of which an index may not be known.</summary>
public class TargetPatternTests
{
    private static readonly string[] _paths =
    [
        "model.layers.0.self_attn.q_proj", "layers.3.q", "layers.10.experts.1.up", "q_proj", "a", "", "a.b", "model.layers.21.mlp.up_proj.weight", "vision.layers.1.q_proj", "h.7.attn.c_attn", "ünïcode.x-1",
    ];

    [Theory]
    [InlineData(@".*\.[qv]_proj")]
    [InlineData(@"(?!.*vision).*\.q_proj")]
    [InlineData(@"(?<!vision\.layers\.1\.)q_proj|.*(?<!vision\.layers\.1\.)q_proj")]
    [InlineData(@"^(?:.*?(?:language|model|h).*?(?:self_attn|attn|mlp).*?(?:q_proj|up_proj|c_attn).*?)$")]
    [InlineData(@"(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|mlp)\.(?:(?:q_proj|up_proj)))")]
    [InlineData(@"(?<block>layers\.\d+)\..*")]
    [InlineData(@"(?i)MODEL\..*|Q_Proj")]
    [InlineData(@"[^.]+")]
    [InlineData(@"\w+\.\W*.*")]
    [InlineData(@"(a|b|\.)*")]
    [InlineData(@"(?=.*q).*(?=j)j")]
    [InlineData(@"")]
    [InlineData(@"a{0}b?.{3,5}")]
    [InlineData(@"\x61\.\u0062")]
    [InlineData(@"[]a.-]*")]
    [InlineData(@"ü.*\S-\d")]
    public void AnExpressionMeansWhatItMeansToRegex(string expression)
    {
        var pattern = TargetPattern.ParseRegex(expression);
        var regex = new Regex($@"\A(?:{expression})\z", RegexOptions.CultureInvariant);
        Assert.All(_paths, path => Assert.True(regex.IsMatch(path) == pattern.Matches(path), $"{expression} on '{path}'"));
    }

    /// <summary>Expressions of chance, each as .NET matches it.</summary>
    [Fact]
    public void ExpressionsOfChanceMeanWhatTheyMeanToRegex()
    {
        var random = new Random(5);
        var matched = 0;
        for (var i = 0; i < 4000; i++)
        {
            var expression = Expression(random, 3);
            var pattern = TargetPattern.ParseRegex(expression);
            var regex = new Regex($@"\A(?:{expression})\z", RegexOptions.CultureInvariant | RegexOptions.Singleline, TimeSpan.FromSeconds(5));
            for (var j = 0; j < 12; j++)
            {
                var path = string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => "ab.1"[random.Next(4)]));
                Assert.True(regex.IsMatch(path) == pattern.Matches(path), $"{expression} on '{path}'");
                matched += pattern.Matches(path) ? 1 : 0;
            }
        }

        Assert.InRange(matched, 2000, 46000);
    }

    private static string Expression(Random random, int depth)
    {
        var text = new StringBuilder();
        for (var parts = random.Next(1, 4); parts > 0; parts--)
            switch (random.Next(depth == 0 ? 5 : 10))
            {
                case 0:
                    text.Append("ab1"[random.Next(3)]);
                    break;
                case 1:
                    text.Append(@"\.");
                    break;
                case 2:
                    text.Append(new[] { ".", @"\d", @"\w", "[ab]", "[^a.]", @"[\d.]" }[random.Next(6)]);
                    break;
                case 3:
                    text.Append(new[] { @"\b", "^", "$", @"\B" }[random.Next(4)]);
                    break;
                case 4:
                    text.Append("ab1"[random.Next(3)]).Append(new[] { "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?" }[random.Next(7)]);
                    break;
                case 5 or 6:
                    text.Append('(').Append(Expression(random, depth - 1)).Append('|').Append(Expression(random, depth - 1)).Append(')');
                    break;
                case 7:
                    text.Append("(?:").Append(Expression(random, 0)).Append(')').Append(new[] { "*", "+", "?" }[random.Next(3)]);
                    break;
                case 8:
                    text.Append(random.Next(2) == 0 ? "(?=" : "(?!").Append(Expression(random, depth - 1)).Append(')');
                    break;
                default:
                    text.Append(random.Next(2) == 0 ? "(?<=" : "(?<!").Append(Expression(random, 0)).Append(')');
                    break;
            }

        return text.ToString();
    }

    /// <summary>Where an index is not known, an expression matches if it does for some index, whatever that is.</summary>
    [Theory]
    [InlineData(@"layers\.(20|21)\.experts\.\d+\.up", "layers.*.experts.*.up", true)]
    [InlineData(@"layers\.1234567\.q", "layers.*.q", true)]
    [InlineData(@"layers\.(?:[2-9]|1[0-9])\.experts\.77\.up", "layers.*.experts.*.up", true)]
    [InlineData(@"(?!layers\.[0-9]\.).*\.up", "layers.*.experts.*.up", true)]
    [InlineData(@"layers\.0[0-9]\.q", "layers.*.q", false)]
    [InlineData(@"layers\.[a-z]+\.q", "layers.*.q", false)]
    [InlineData(@"layers\.\d+\.k", "layers.*.q", false)]
    [InlineData(@"(?!layers\.\d).*", "layers.*.q", false)]
    public void AnIndexThatIsNotKnown(string expression, string path, bool matches) => Assert.Equal(matches, TargetPattern.ParseRegex(expression).Matches(path));

    [Theory]
    [InlineData("**", "a.b.c", true)]
    [InlineData("a.**", "a", true)]
    [InlineData("a.**.c", "x.a.b.b.c", true)]
    [InlineData("a.**.c.**.d", "a.c.c.b.d", true)]
    [InlineData("a.**.c.**.d", "a.c.c.b.e", false)]
    [InlineData("*.c", "c", false)]
    [InlineData("a.*.c", "a.b.b.c", false)]
    [InlineData("b.c", "a.b.c", true)]
    [InlineData("layers.3.q", "layers.*.q", true)]
    public void Wildcards(string pattern, string path, bool matches) => Assert.Equal(matches, TargetPattern.Parse(pattern).Matches(path));

    [Fact]
    public void WhatIsTooLargeIsRefused() =>
        Assert.Contains("too large", Assert.Throws<FormatException>(() => TargetList.Parse("regex:(?:a?){200}a{200}b")).Message, StringComparison.Ordinal);

    /// <summary>No expression or pattern makes a build, or a program that reads a file, wait.</summary>
    [Theory]
    [InlineData("regex:(.+)+!")]
    [InlineData("regex:(a|a)*b")]
    [InlineData("regex:(a*)*(a*)*(a*)*b")]
    [InlineData("regex:(.*a){20}b")]
    [InlineData("regex:((((a+)+)+)+)+b")]
    [InlineData("regex:(?=(a+)+b)(?!(a|aa)+c).*b")]
    [InlineData("regex:(?:a?){100}a{100}b")]
    [InlineData("**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.b")]
    public void NothingHangs(string target)
    {
        var path = string.Join(".", Enumerable.Repeat("a", 200));
        var clock = Stopwatch.StartNew();
        var list = TargetList.Parse(target).Resolve([new TargetCandidate(path, true)]);
        Assert.False(list.Matches(new TargetCandidate(path, true)));
        Assert.False(list.Matches(new TargetCandidate(path.Replace(".", "", StringComparison.Ordinal), true)));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"{target} took {clock.Elapsed}");
    }

    [Theory]
    [InlineData("(", "a '(' has no ')'")]
    [InlineData("a)", "a ')' closes nothing")]
    [InlineData("[ab", "a '[' has no ']'")]
    [InlineData("*a", "'*' repeats nothing")]
    [InlineData("a**", "a repetition repeats nothing")]
    [InlineData("a{3,2}", "{3,2} repeats more often at least than at most")]
    [InlineData(@"(a)\1", "references to groups are not supported")]
    [InlineData(@"a\", "a '\\' stands at the end")]
    [InlineData("[b-a]", "a set has a range from 'b' that ends before it, or nowhere")]
    [InlineData("(?>a)", "the group '(?>' is not supported; write '(?:' where nothing else is meant")]
    [InlineData("a++", "possessive repetitions are not supported")]
    [InlineData("(?:(?:(?:a{1000}){1000}){1000}){1000}", "it is too large once its repetitions are written out")]
    [InlineData("(?:(?:(?:){1000}){1000}){1000}", "it is too large once its repetitions are written out")]
    [InlineData(@"\p{L}", "'\\p' is not supported")]
    public void WhatIsNoExpressionSaysWhy(string expression, string why) => Assert.Equal(
        $"'{expression}' is no regular expression that PeftGen can match: {why}", Assert.Throws<FormatException>(() => TargetPattern.ParseRegex(expression)).Message);

    [Fact]
    public void NoDepthOfGroupsIsTooMuch() => Assert.Throws<FormatException>(() => TargetPattern.ParseRegex(new string('(', 50_000)));
}
