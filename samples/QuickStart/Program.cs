Console.WriteLine("PeftGen");
