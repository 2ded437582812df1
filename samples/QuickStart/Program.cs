using System.Text;
using PeftGen.QuickStart;

Console.OutputEncoding = Encoding.UTF8;
return await CommandLine.RunAsync(args);
