using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>How a value hangs on a module.</summary>
internal enum Tie
{
    /// <summary>It is the module, or a list that the class itself holds.</summary>
    Itself,

    /// <summary>It is a module that lies in another one, met past that.</summary>
    Elsewhere,

    /// <summary>It is some module below, met by asking for all of them.</summary>
    Below,

    /// <summary>It is another object that holds the module.</summary>
    Holder,

    /// <summary>It is a weight of the module, or a list of them, as the base has it.</summary>
    Weight,
}

/// <summary>Where the module in a value comes from.</summary>
/// <param name="Seed">The expression that names the module.</param>
/// <param name="Tie">How the value hangs on it.</param>
internal sealed record Origin(IOperation Seed, Tie Tie)
{
    /// <summary>The child of another class that the module is; null: it is none, or not known.</summary>
    public (ModelClass owner, ModelChild child)? Foreign { get; init; }

    /// <summary>Further modules in the same value.</summary>
    public IReadOnlyList<Origin> Others { get; init; } = [];

    public IEnumerable<Origin> All => Others.Prepend(this);

    public Origin As(Tie tie) => this with { Tie = tie, Others = [.. Others.Select(o => o.As(tie))] };

    /// <summary>With what another value brings.</summary>
    public Origin With(Origin other) => other.All.Where(o => All.All(known => known.Seed != o.Seed)).ToList() is { Count: > 0 } more ? this with { Others = [.. Others, .. more.Select(o => o with { Others = [] })] } : this;

    /// <summary>All modules of several values; null: there is none.</summary>
    public static Origin? Join(IEnumerable<Origin?> origins) => origins.Aggregate((Origin?)null, (joined, origin) => joined is null || origin is null ? joined ?? origin : joined.With(origin));
}

/// <summary>Something in code that is not compiled that runs a module as the base does.</summary>
/// <param name="In">The member that it stands in; null: the library.</param>
/// <param name="Method">The method of a module class that it calls: it matters only if that reaches a site; null: a layer's call.</param>
/// <param name="Variable">The type by which it knows the module; null: any.</param>
/// <param name="ReadsWeight">Whether it reads a weight instead.</param>
internal sealed record Sink(ISymbol? In, IMethodSymbol? Method = null, ITypeSymbol? Variable = null, bool ReadsWeight = false)
{
    /// <summary>The field that the module is kept in: it matters only if that field is run, and not through an adapter.</summary>
    public (ModelClass owner, ModelChild child)? Field { get; init; }

    /// <summary>The child that the code runs: it matters only if that is adapted.</summary>
    public (ModelClass owner, ModelChild child)? Child { get; init; }
}

/// <summary>What a method does with what it is handed.</summary>
internal sealed class Summary
{
    /// <summary>Where it is run.</summary>
    public List<Sink> Sinks { get; } = [];

    /// <summary>Whether the result is it, or holds it.</summary>
    public bool Returns { get; set; }

    /// <summary>Whether the result is one of its weights.</summary>
    public bool ReturnsWeight { get; set; }

    /// <summary>Whether the object that the method belongs to keeps it.</summary>
    public bool Keeps { get; set; }

    /// <summary>The static members, and those of other objects, in which it is kept.</summary>
    public List<ISymbol> KeptIn { get; } = [];
}
