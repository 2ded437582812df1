namespace PeftGen.QuickStart;

/// <summary>What the user gave cannot be used; the message says what was found and what to do.</summary>
internal sealed class QuickStartException(string message, Exception? inner = null) : Exception(message, inner);
