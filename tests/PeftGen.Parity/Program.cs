Console.WriteLine("PeftGen.Parity");
