namespace PeftGen.RealCode.Trials;

/// <summary>How far a compiled root came.</summary>
internal enum TrialOutcome
{
    /// <summary>It cannot be tried: its code needs what is not here, or small numbers make no model or no input of it. That is no mistake of PeftGen.</summary>
    NotTried,

    /// <summary>No adapter can be made, or it does not run.</summary>
    Fails,

    /// <summary>It runs and gives something wrong.</summary>
    Wrong,

    /// <summary>It runs, learns, merges, and is the same after saving and loading.</summary>
    Runs,
}

/// <summary>What became of a root when it was made, adapted and run.</summary>
/// <param name="Outcome">How far it came.</param>
/// <param name="Message">Why no further.</param>
/// <param name="StartsAsBase">Whether the fresh adapter leaves the outputs as they are, bit for bit; null where it was not run.</param>
internal sealed record Trial(TrialOutcome Outcome, string Message = "", bool? StartsAsBase = null);
