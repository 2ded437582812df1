using System.Collections;
using System.Diagnostics;

namespace PeftGen.Packaging.Tests;

/// <summary>Runs the <c>dotnet</c> command as somebody at a prompt would, whatever started this test.</summary>
internal static class DotnetCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Returns what the command printed.</summary>
    /// <exception cref="InvalidOperationException">The command failed; the message holds what it printed.</exception>
    /// <exception cref="TimeoutException">The command did not end in time.</exception>
    public static async Task<string> RunAsync(string directory, CancellationToken cancellation, params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        ForgetOuterBuild(start);

        using var process = Process.Start(start) ?? throw new InvalidOperationException("dotnet could not be started.");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Limit);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            var printed = await output + await error;
            return process.ExitCode == 0 ? printed : throw new InvalidOperationException(
                $"'dotnet {string.Join(' ', arguments)}' in {directory} ended with {process.ExitCode} and printed:\n{printed}");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"'dotnet {string.Join(' ', arguments)}' in {directory} took longer than {Limit}.");
        }
    }

    /// <summary>
    /// <c>dotnet test</c> leaves variables to its children that tie a build to its own; and a build server that outlives the command
    /// would keep the pipes open that this class reads to their end.
    /// </summary>
    private static void ForgetOuterBuild(ProcessStartInfo start)
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase) || name.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase))
            {
                start.Environment.Remove(name);
            }
        }

        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
    }
}
