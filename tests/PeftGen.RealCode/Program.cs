return PeftGen.RealCode.RealCodeCommand.Run(args);
