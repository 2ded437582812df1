namespace PeftGen.Checkpoints;

/// <summary>A checkpoint on disk, or the model it is loaded into, is not what it should be. The message names the file, what was found, what was expected and what to do.</summary>
public sealed class CheckpointException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">File, what was found, what was expected, what to do.</param>
    /// <param name="inner">The error underneath, if any.</param>
    public CheckpointException(string message, Exception? inner = null) : base(message, inner) { }
}
