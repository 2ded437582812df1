namespace PeftGen.Parity;

/// <summary>What was computed is not what was recorded.</summary>
public sealed class ParityException(string message) : Exception(message);

/// <summary>The case needs a host or method that does not exist here.</summary>
public sealed class UnsupportedException(string message) : Exception(message);
