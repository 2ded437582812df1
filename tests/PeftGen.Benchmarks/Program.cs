using System.CommandLine;
using PeftGen.Benchmarks;

return new RootCommand("Measures PeftGen.") { EditorBenchmark.Command }.Parse(args).Invoke();
