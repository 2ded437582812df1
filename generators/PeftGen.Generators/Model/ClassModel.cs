namespace PeftGen.Generators.Model;

/// <summary>All that is emitted for one class.</summary>
/// <param name="HintName">The name of the generated file.</param>
/// <param name="Scopes">The namespaces around the class, outermost first, with the usings of each; the first is the file itself.</param>
/// <param name="Containers">The headers of the classes around it, outermost first.</param>
/// <param name="Header">The class's own header, for example <c>partial class Block&lt;T&gt;</c>.</param>
/// <param name="Name">The class with its type parameters, as its own code names it.</param>
/// <param name="IsSealed">Whether nothing derives from the class.</param>
/// <param name="Node">The name of the nested class of nodes.</param>
/// <param name="BaseAdapter">The node class of the compiled base class; null: there is none.</param>
/// <param name="Nullable">Whether the user's code is in a nullable context.</param>
/// <param name="Names">The names that emitted code uses for its own parameters.</param>
/// <param name="Members">The places of the adapter, without inherited ones.</param>
/// <param name="Bodies">The compiled methods.</param>
/// <param name="Abstractions">Signatures of abstract module types under which the class is run, as <c>IAdapted</c> needs them.</param>
/// <param name="Root">What a root has besides; null: the class is none.</param>
internal sealed record ClassModel(
    string HintName,
    EquatableArray<ScopeModel> Scopes,
    EquatableArray<string> Containers,
    string Header,
    string Name,
    bool IsSealed,
    string Node,
    string? BaseAdapter,
    bool Nullable,
    NameModel Names,
    EquatableArray<MemberModel> Members,
    EquatableArray<BodyModel> Bodies,
    EquatableArray<AbstractionModel> Abstractions,
    RootModel? Root)
{
    /// <summary>The sums in its code that are no residuals, with the reasons; null: there are none, or nobody asks.</summary>
    public string? OtherSums { get; init; }

    /// <summary>Whether the class has the attribute for gradient checkpointing.</summary>
    public bool IsCheckpointed => Bodies.Any(body => body.Checkpointed is not null);
}

/// <summary>A file or namespace with its usings.</summary>
/// <param name="Namespace">The namespace as written; null: the file.</param>
/// <param name="FileScoped">Whether the namespace ends with a semicolon.</param>
/// <param name="Usings">Usings and aliases as written, externs included.</param>
internal sealed record ScopeModel(string? Namespace, bool FileScoped, EquatableArray<string> Usings);

/// <summary>Names that occur nowhere in the class.</summary>
/// <param name="Adapter">The parameter that holds the adapter's node.</param>
/// <param name="Context">The parameter that holds the context.</param>
/// <param name="Options">The parameter that holds the options of a call.</param>
/// <param name="Hook">The local that holds a hook.</param>
/// <param name="Changed">The local that holds what a hook changed.</param>
/// <param name="Result">The local that holds a result.</param>
/// <param name="Input">The first parameter of an emitted lambda; others have a number after it.</param>
/// <param name="Node">The local that holds a node; others have a number after it.</param>
/// <param name="Once">The method that holds the body of a block that can be computed again.</param>
/// <param name="Again">The context of such a run.</param>
/// <param name="Inputs">The inputs of such a run.</param>
/// <param name="Model">The type parameter of what users call with an adapter.</param>
internal sealed record NameModel(
    string Adapter, string Context, string Options, string Hook, string Changed, string Result, string Input, string Node, string Once, string Again, string Inputs, string Model);

/// <summary>A place of the adapter.</summary>
/// <param name="Kind">The name in <c>PeftGen.MemberKind</c>.</param>
/// <param name="Name">The name in the adapter's tree.</param>
/// <param name="Property">The same as code writes it.</param>
/// <param name="Path">The path in checkpoints, relative to the class.</param>
/// <param name="Host">The field or property of the host; null: the site has none.</param>
/// <param name="Type">The type of the property, or of the elements of a list.</param>
/// <param name="IsOptional">Whether a child's node can be absent although the class is compiled.</param>
/// <param name="Access">The property's accessibility.</param>
internal sealed record MemberModel(string Kind, string Name, string Property, string Path, string? Host, string Type, bool IsOptional, string Access)
{
    /// <summary>The parts of a fused layer; null: nothing is said of it.</summary>
    public EquatableArray<string>? Fused { get; init; }
}

/// <summary>A method of the class, compiled.</summary>
/// <param name="Documentation">The name that the user's method has.</param>
/// <param name="Access">Its accessibility.</param>
/// <param name="Modifiers">Further modifiers, a blank after each.</param>
/// <param name="ReturnType">The type as written.</param>
/// <param name="Name">The emitted name, with type parameters as written.</param>
/// <param name="Parameters">The parameters as written.</param>
/// <param name="Arguments">The parameters as arguments of a call that hands them on.</param>
/// <param name="Constraints">The constraints as written.</param>
/// <param name="Body">The body; null: abstract.</param>
/// <param name="Overrides">The adapter types of base classes whose overloads this one has to override.</param>
/// <param name="Call">The name under which <c>call</c> is emitted, too; null: it is not.</param>
/// <param name="Sequence">The number of arguments of the module's own <c>forward</c>, if the method is that; else 0.</param>
/// <param name="Returns">Whether the method returns a value.</param>
internal sealed record BodyModel(
    string Documentation,
    string Access,
    string Modifiers,
    string ReturnType,
    string Name,
    string Parameters,
    string Arguments,
    string Constraints,
    BodyText? Body,
    EquatableArray<string> Overrides,
    string? Call,
    int Sequence,
    bool Returns)
{
    /// <summary>The word <c>unsafe</c> with a blank, or nothing.</summary>
    public string Unsafe { get; init; } = "";

    /// <summary>The adapter's slot for what the method returns; null: that is no site.</summary>
    public string? Output { get; init; }

    /// <summary>The arguments of a block that can be computed again; null: it cannot.</summary>
    public EquatableArray<ArgumentModel>? Checkpointed { get; init; }
}

/// <summary>An argument of a block that can be computed again.</summary>
/// <param name="Name">The parameter's name.</param>
/// <param name="IsTensor">Whether it is a tensor, which autograd keeps.</param>
/// <param name="IsNullable">Whether it may be null.</param>
/// <param name="IsAbsent">Whether it has to be null for the block to be computed again.</param>
internal sealed record ArgumentModel(string Name, bool IsTensor, bool IsNullable, bool IsAbsent);

/// <summary>A rewritten body.</summary>
/// <param name="Text">From the opening brace to the closing one, or an expression with its semicolon.</param>
/// <param name="IsExpression">Whether it is an expression.</param>
/// <param name="Origin">Where the user wrote it; null: it is not the user's.</param>
internal sealed record BodyText(string Text, bool IsExpression, OriginModel? Origin);

/// <summary>A place in the user's code; lines and characters count from 1, as in <c>#line</c>.</summary>
/// <param name="File">The file.</param>
/// <param name="Line">The first line.</param>
/// <param name="Character">The first character.</param>
/// <param name="EndLine">The last line.</param>
/// <param name="EndCharacter">The character after the last one.</param>
/// <param name="Indentation">The blanks before it, if it begins its line; else null.</param>
internal sealed record OriginModel(string File, int Line, int Character, int EndLine, int EndCharacter, string? Indentation);

/// <summary>A parameter that slots can ask for.</summary>
/// <param name="Role">The name in <c>PeftGen.InputRole</c>.</param>
/// <param name="Expression">The parameter's name.</param>
/// <param name="IsNullable">Whether it may be null.</param>
internal sealed record InputModel(string Role, string Expression, bool IsNullable);

/// <summary>An abstract module type under which a class is run.</summary>
/// <param name="Interface">The type arguments of <c>IAdapted</c>.</param>
/// <param name="Result">The result's type.</param>
/// <param name="Parameters">The parameters' types.</param>
/// <param name="Forward">The emitted name of <c>forward</c>.</param>
/// <param name="Call">The emitted name of <c>call</c>.</param>
internal sealed record AbstractionModel(string Interface, string Result, EquatableArray<string> Parameters, string Forward, string Call);

/// <summary>What a root has besides its bodies.</summary>
/// <param name="Record">The name of the private field that remembers what is merged.</param>
/// <param name="ModuleBase">The module type that <c>With</c> returns.</param>
/// <param name="Groups">The groups of methods.</param>
/// <param name="Entries">The methods that users call with an adapter.</param>
/// <param name="Input">The adapter's slot for the inputs; null: they are no site.</param>
/// <param name="Constraint">What a model has to be for its adapter to be one of this root's.</param>
/// <param name="HasPriorities">Whether the project's C# knows that one overload can come before others.</param>
internal sealed record RootModel(string Record, string ModuleBase, EquatableArray<GroupModel> Groups, EquatableArray<EntryModel> Entries, string? Input, string Constraint, bool HasPriorities);

/// <summary>A method of a root that users call with an adapter: it opens the context.</summary>
/// <param name="Access">Its accessibility.</param>
/// <param name="ReturnType">The type as written.</param>
/// <param name="Form">How it returns.</param>
/// <param name="Name">The name.</param>
/// <param name="Base">The method as the base's call names it.</param>
/// <param name="Through">The name of the compiled method.</param>
/// <param name="Parameters">The parameters as written.</param>
/// <param name="Arguments">The parameters as arguments.</param>
/// <param name="Inputs">What slots can ask for.</param>
/// <param name="IsForward">Whether it is the module's own forward.</param>
/// <param name="Cache">The parameter that tells how many tokens were seen before; null: there is none.</param>
/// <param name="ReturnsTensor">Whether it returns one tensor.</param>
/// <param name="Rank">How far C# prefers it to others of its name, which it declares further up.</param>
internal sealed record EntryModel(
    string Access, string ReturnType, EntryForm Form, string Name, string Base, string Through, string Parameters, string Arguments, EquatableArray<InputModel> Inputs,
    bool IsForward, string? Cache, bool ReturnsTensor, int Rank);

/// <summary>How a method returns; the context has to live until it has.</summary>
internal enum EntryForm
{
    /// <summary>At once, with a value.</summary>
    Value,

    /// <summary>At once, without a value.</summary>
    Nothing,

    /// <summary>By a task with a value.</summary>
    TaskOfValue,

    /// <summary>By a task.</summary>
    Task,

    /// <summary>Item by item.</summary>
    Items,

    /// <summary>Item by item, each awaited.</summary>
    AsyncItems,
}

/// <summary>A group of methods that apply together.</summary>
/// <param name="Type">The adapter type: the methods' names, or the group's, with <c>Adapter</c>.</param>
/// <param name="Access">The accessibility of the factory whose parameters are the methods.</param>
/// <param name="Infix">What stands in factory names between Create and Adapter; empty for the default group.</param>
/// <param name="Methods">The methods in the order of the attributes.</param>
/// <param name="Merges">Whether every method can merge.</param>
internal sealed record GroupModel(string Type, string Access, string Infix, EquatableArray<DeclaredMethodModel> Methods, bool Merges);

/// <summary>A declared method.</summary>
/// <param name="Type">The method's type, fully qualified.</param>
/// <param name="Parameter">The name of the factory's parameter for other values.</param>
/// <param name="Creation">The expression that makes the declared values.</param>
/// <param name="Summary">The attribute as declared, for documentation.</param>
internal sealed record DeclaredMethodModel(string Type, string Parameter, string Creation, string Summary);

/// <summary>A linear layer of the user's own, which is told to the library as one.</summary>
/// <param name="HintName">The name of the generated file.</param>
/// <param name="Namespace">The namespace; null: none.</param>
/// <param name="Containers">The classes around it, as they are opened.</param>
/// <param name="Header">The class, as it is opened.</param>
/// <param name="Weight">The field of the matrix.</param>
/// <param name="Bias">The field of the bias; null: none.</param>
/// <param name="IsTransposed">Whether the matrix is <c>[in, out]</c>.</param>
internal sealed record LinearModel(string HintName, string? Namespace, EquatableArray<string> Containers, string Header, string Weight, string? Bias, bool IsTransposed);
