using System.CommandLine;
using PeftGen.Benchmarks;
using PeftGen.Benchmarks.Serving;

return new RootCommand("Measures PeftGen.") { EditorBenchmark.Command, ServeCommand.Command }.Parse(args).Invoke();
