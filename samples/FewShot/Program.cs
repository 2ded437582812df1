using System.Text;
using PeftGen.FewShot;
using PeftGen.QuickStart.Display;

Console.OutputEncoding = Encoding.UTF8;
return await CommandLine.RunAsync(args, Screen.OfConsole(), Console.Error);
