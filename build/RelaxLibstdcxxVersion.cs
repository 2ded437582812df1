// An MSBuild task, compiled by OldLibstdcxx.targets while a project is being built. Plain C# against netstandard2.0.
#nullable disable
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;

/// <summary>
/// Writes a copy of <c>libLibTorchSharp.so</c> that loads with a libstdc++ older than GCC 13: see OldLibstdcxx.targets for the reason.
/// </summary>
/// <remarks>
/// Three fields change, all in place, so that the file keeps its layout:
/// the need for GLIBCXX_3.4.32 becomes weak, which the loader accepts unmet; the name of the one symbol wanted from it becomes
/// <c>getpid</c>, a libc function that takes nothing, changes nothing and whose result the caller ignores; and that symbol's
/// version becomes libc's.
/// </remarks>
public sealed class RelaxLibstdcxxVersion : Microsoft.Build.Utilities.Task
{
    private const string NewVersion = "GLIBCXX_3.4.32";

    /// <summary>The library as the package ships it.</summary>
    [Required]
    public string Source { get; set; }

    /// <summary>Where the changed copy goes.</summary>
    [Required]
    public string Destination { get; set; }

    /// <summary>Writes the copy although this machine's libstdc++ is recent enough.</summary>
    public bool Always { get; set; }

    /// <summary>True where <see cref="Destination"/> now holds a copy to use in the place of <see cref="Source"/>.</summary>
    [Output]
    public bool Written { get; set; }

    public override bool Execute()
    {
        if (!Always && !HostIsTooOld())
        {
            return true;
        }

        var source = new FileInfo(Source);
        var destination = new FileInfo(Destination);
        // The copy bears the time of its source, so a copy of the same size and time was made from this very file.
        if (destination.Exists && destination.Length == source.Length && destination.LastWriteTimeUtc == source.LastWriteTimeUtc)
        {
            Written = true;
            return true;
        }

        try
        {
            var image = File.ReadAllBytes(Source);
            if (!new VersionNeed(image).Relax())
            {
                return true;
            }

            Replace(image, source.LastWriteTimeUtc);
            Written = true;
            return true;
        }
        catch (UnexpectedLayoutException found)
        {
            Log.LogError(
                null, "PEFTGENB01", null, Source, 0, 0, 0, 0,
                "This machine's libstdc++ is older than GCC 13 (it lacks {0}), and {1} cannot be adapted to it: {2}. " +
                "Either install libstdc++6 13 or newer (Debian 13, Ubuntu 24.04), or use the TorchSharp version that PeftGen was " +
                "built for, or set the MSBuild property PeftGenOldLibstdcxx to 'never' and provide a newer libstdc++ in LD_LIBRARY_PATH.",
                NewVersion, Path.GetFileName(Source), found.Message);
            return false;
        }
        catch (Exception failure) when (failure is IOException || failure is UnauthorizedAccessException)
        {
            Log.LogError(null, "PEFTGENB04", null, Source, 0, 0, 0, 0, "The library cannot be adapted to this machine's libstdc++: {0}", failure.Message);
            return false;
        }
    }

    /// <summary>Writes beside the destination and renames: a build that runs at the same time sees the old file or the new one.</summary>
    private void Replace(byte[] image, DateTime time)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(Destination));
        Directory.CreateDirectory(directory);
        var beside = Path.Combine(directory, "." + Path.GetFileName(Destination) + "." + Guid.NewGuid().ToString("N"));
        try
        {
            File.WriteAllBytes(beside, image);
            File.SetLastWriteTimeUtc(beside, time);
            if (File.Exists(Destination))
            {
                File.Replace(beside, Destination, null);
            }
            else
            {
                File.Move(beside, Destination);
            }
        }
        finally
        {
            File.Delete(beside);
        }
    }

    private static bool HostIsTooOld()
    {
        var found = HostLibraries().ToList();
        var wanted = Encoding.ASCII.GetBytes("\0" + NewVersion + "\0");
        return found.Any(path => IndexOf(File.ReadAllBytes(path), wanted) < 0);
    }

    /// <summary>
    /// The libstdc++ that this process runs on, which is what the system's loader gives to any .NET program; where .NET was built
    /// without it, the one in the usual folders. Several are mapped where LD_LIBRARY_PATH puts a forwarding one in front: the oldest
    /// counts, since programs are also started without that variable.
    /// </summary>
    private static IEnumerable<string> HostLibraries()
    {
        const string name = "libstdc++.so.6";
        var mapped = File.ReadAllLines("/proc/self/maps")
            .Select(line => line.IndexOf('/') is var at && at >= 0 ? line.Substring(at) : "")
            .Where(path => Path.GetFileName(path).StartsWith(name, StringComparison.Ordinal) && File.Exists(path))
            .Distinct()
            .ToList();
        return mapped.Count > 0
            ? mapped
            : new[] { "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib" }
                .Select(folder => Path.Combine(folder, name)).Where(File.Exists).Take(1);
    }

    private static int IndexOf(byte[] image, byte[] wanted)
    {
        for (var start = 0; start <= image.Length - wanted.Length; start++)
        {
            var same = 0;
            while (same < wanted.Length && image[start + same] == wanted[same])
            {
                same++;
            }

            if (same == wanted.Length)
            {
                return start;
            }
        }

        return -1;
    }

    /// <summary>The file is not laid out as expected; the message says what was found.</summary>
    private sealed class UnexpectedLayoutException : Exception
    {
        public UnexpectedLayoutException(string found) : base(found) { }
    }

    /// <summary>What a 64-bit little-endian ELF file asks of the versions of other libraries, as far as the change needs it.</summary>
    private sealed class VersionNeed
    {
        private const string Symbol = "_ZSt21ios_base_library_initv";
        private const string Harmless = "getpid";
        private const string HarmlessVersion = "GLIBC_2.2.5";
        private const ushort WeakFlag = 2;
        private const int SymbolSize = 24;

        private readonly byte[] image;
        private readonly Section names;
        private readonly Section symbols;
        private readonly Section symbolVersions;
        private readonly Section needs;
        private readonly Section dynamic;

        public VersionNeed(byte[] image)
        {
            this.image = image;
            if (image.Length < 64 || image[0] != 0x7f || image[1] != 'E' || image[2] != 'L' || image[3] != 'F'
                || image[4] != 2 || image[5] != 1 || U16(18) != 62)
            {
                throw new UnexpectedLayoutException("it is not a 64-bit x86 ELF file");
            }

            symbols = Find(11, "dynamic symbols");
            names = Find(3, "dynamic strings", symbols.Link);
            symbolVersions = Find(0x6fffffff, "symbol versions");
            needs = Find(0x6ffffffe, "needed versions");
            dynamic = Find(6, "dynamic section");
        }

        /// <summary>Changes the image; false where it asks for nothing that an older libstdc++ lacks.</summary>
        public bool Relax()
        {
            var needed = Needed();
            var tooNew = needed.SingleOrDefault(need => need.Library == "libstdc++.so.6" && need.Version == NewVersion);
            if (tooNew == null || (U16(tooNew.Offset + 4) & WeakFlag) != 0)
            {
                return false;
            }

            var libc = needed.FirstOrDefault(need => need.Library == "libc.so.6" && need.Version == HarmlessVersion)
                ?? throw new UnexpectedLayoutException("it does not ask libc.so.6 for " + HarmlessVersion);

            var count = symbols.Size / SymbolSize;
            var wanting = Enumerable.Range(0, count)
                .Where(index => (U16(symbolVersions.Offset + 2 * index) & 0x7fff) == tooNew.Index).ToList();
            var wantedNames = string.Join(", ", wanting.Select(index => Name(NameOf(index))));
            if (wantedNames != Symbol)
            {
                throw new UnexpectedLayoutException("it wants [" + wantedNames + "] from " + NewVersion + ", expected " + Symbol + " alone");
            }

            var symbol = wanting[0];
            var name = NameOf(symbol);
            RequireUnshared(name, symbol, count);

            Put16(tooNew.Offset + 4, (ushort)(U16(tooNew.Offset + 4) | WeakFlag));
            Put16(symbolVersions.Offset + 2 * symbol, (ushort)libc.Index);
            var text = new byte[Symbol.Length];
            Encoding.ASCII.GetBytes(Harmless, 0, Harmless.Length, text, 0);
            Array.Copy(text, 0, image, names.Offset + name, text.Length);
            return true;
        }

        /// <summary>Linkers let a name end in another one's tail; one that pointed into the renamed bytes would change with them.</summary>
        private void RequireUnshared(int name, int symbol, int count)
        {
            var others = Enumerable.Range(0, count).Where(index => index != symbol).Select(NameOf)
                .Concat(Needed().SelectMany(need => new[] { need.LibraryName, need.VersionName }))
                .Concat(DynamicNames());
            if (others.Any(other => other >= name && other < name + Symbol.Length)
                || (name > 0 && image[names.Offset + name - 1] != 0))
            {
                throw new UnexpectedLayoutException("the name " + Symbol + " shares its bytes with another one");
            }
        }

        /// <summary>Names in the dynamic section: DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH.</summary>
        private IEnumerable<int> DynamicNames()
        {
            for (var at = dynamic.Offset; at + 16 <= dynamic.Offset + dynamic.Size; at += 16)
            {
                var tag = Int(at);
                if (tag == 1 || tag == 14 || tag == 15 || tag == 29)
                {
                    yield return Int(at + 8);
                }
            }
        }

        private List<Need> Needed()
        {
            var found = new List<Need>();
            var entry = needs.Offset;
            for (var step = 1; step != 0; entry += step)
            {
                var library = U32(entry + 4);
                var aux = entry + U32(entry + 8);
                for (int left = U16(entry + 2); left > 0; left--)
                {
                    var version = U32(aux + 8);
                    found.Add(new Need(aux, U16(aux + 6), library, Name(library), version, Name(version)));
                    aux += U32(aux + 12);
                }

                step = U32(entry + 12);
            }

            return found;
        }

        private int NameOf(int symbol) => U32(symbols.Offset + SymbolSize * symbol);

        private string Name(int offset)
        {
            var start = names.Offset + offset;
            var end = offset >= 0 && offset < names.Size ? Array.IndexOf(image, (byte)0, start, names.Size - offset) : -1;
            return end >= 0 ? Encoding.ASCII.GetString(image, start, end - start)
                : throw new UnexpectedLayoutException("a name lies outside the dynamic strings");
        }

        private Section Find(int type, string what, int index = -1)
        {
            var table = Int(40);
            var size = U16(58);
            for (var current = 0; current < U16(60); current++)
            {
                var header = table + current * size;
                if (U32(header + 4) != type || (index >= 0 && index != current))
                {
                    continue;
                }

                var section = new Section(Int(header + 24), Int(header + 32), U32(header + 40));
                return section.Offset <= image.Length - section.Size ? section
                    : throw new UnexpectedLayoutException("its " + what + " lie outside the file");
            }

            throw new UnexpectedLayoutException("it has no " + what);
        }

        private ushort U16(int at) => BitConverter.ToUInt16(image, Checked(at, 2));

        /// <summary>An unsigned field; all that are read here are small in any real file.</summary>
        private int U32(int at)
        {
            var value = BitConverter.ToInt32(image, Checked(at, 4));
            return value >= 0 ? value : throw new UnexpectedLayoutException("a table points outside the file");
        }

        private int Int(int at)
        {
            var value = BitConverter.ToInt64(image, Checked(at, 8));
            return value >= 0 && value <= int.MaxValue ? (int)value : int.MaxValue;
        }

        private void Put16(int at, ushort value)
        {
            image[Checked(at, 2)] = (byte)value;
            image[at + 1] = (byte)(value >> 8);
        }

        private int Checked(int at, int size) => at >= 0 && at <= image.Length - size ? at
            : throw new UnexpectedLayoutException("a table points outside the file");

        private sealed class Section
        {
            public Section(int offset, int size, int link)
            {
                Offset = offset;
                Size = size;
                Link = link;
            }

            public int Offset { get; }

            public int Size { get; }

            public int Link { get; }
        }

        private sealed class Need
        {
            public Need(int offset, int index, int libraryName, string library, int versionName, string version)
            {
                Offset = offset;
                Index = index;
                LibraryName = libraryName;
                Library = library;
                VersionName = versionName;
                Version = version;
            }

            public int Offset { get; }

            public int Index { get; }

            public int LibraryName { get; }

            public string Library { get; }

            public int VersionName { get; }

            public string Version { get; }
        }
    }
}
