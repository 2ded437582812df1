namespace PeftGen;

/// <summary>Over which tokens a gate takes its mean.</summary>
public enum GatePooling
{
    /// <summary>All, padding too, as the reference does: how far a batch is padded changes the outputs.</summary>
    All,

    /// <summary>Those where the call's attention mask is 1.</summary>
    Masked,
}
