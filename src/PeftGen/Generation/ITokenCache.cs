namespace PeftGen;

/// <summary>What a model keeps of the tokens that it has seen, handed to forward as an argument: a cache of keys and values. Methods that change inputs have to know how long it is.</summary>
public interface ITokenCache
{
    /// <summary>How many tokens of each row were seen, padding included.</summary>
    long Length { get; }
}
