namespace PeftGen;

/// <summary>An adapter, its values or its files do not fit the model. The message says what was found, what was expected and what to do.</summary>
public class AdapterException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was found, what was expected, what to do.</param>
    public AdapterException(string message) : base(message) { }

    /// <summary>Creates the exception with its cause.</summary>
    /// <param name="message">What was found, what was expected, what to do.</param>
    /// <param name="inner">The cause.</param>
    public AdapterException(string message, Exception inner) : base(message, inner) { }
}
