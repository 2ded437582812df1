namespace PeftGen.FewShot;

/// <summary>What the user gave cannot be used; the message says what was found and what to do.</summary>
internal sealed class FewShotException(string message, Exception? inner = null) : Exception(message, inner);
