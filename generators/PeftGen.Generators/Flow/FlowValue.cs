using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;

namespace PeftGen.Generators.Flow;

/// <summary>What a variable or expression holds at one place of a body. Two places that hold the same have one object.</summary>
internal abstract class FlowValue;

/// <summary>The result of an operation.</summary>
internal sealed class Computed(IOperation operation) : FlowValue
{
    public IOperation Operation { get; } = operation;
}

/// <summary>What a parameter was given by the caller.</summary>
internal sealed class Argument(IParameterSymbol parameter) : FlowValue
{
    public IParameterSymbol Parameter { get; } = parameter;
}

/// <summary>An element of a tuple, or of what is taken apart like one.</summary>
internal sealed class Part(FlowValue whole, int index) : FlowValue
{
    public FlowValue Whole { get; } = whole;

    public int Index { get; } = index;
}

/// <summary>One of several values, by the way on which a place is reached.</summary>
internal sealed class Merge(BasicBlock block, bool isLoop) : FlowValue
{
    public BasicBlock Block { get; } = block;

    /// <summary>Whether one of the ways is a turn of a loop before.</summary>
    public bool IsLoop { get; } = isLoop;

    /// <summary>The values, in the order of the ways into the block.</summary>
    public List<FlowValue> Values { get; } = [];

    /// <summary>The one value that it turned out to be; null: there are several.</summary>
    public FlowValue? Single { get; set; }
}

/// <summary>Nothing that the body shows.</summary>
internal sealed class Unseen : FlowValue;
