namespace PeftGen;

/// <summary>
/// Keeps weights from changing under calls that run through an adapter: a change waits until they have ended, and holds new ones back.
/// A call runs on any thread; it is counted, not tied to one.
/// </summary>
internal sealed class RunningCalls
{
    private readonly object _gate = new();
    private readonly AsyncLocal<Call?> _innermost = new();
    private int _running;
    private int _suspendable;
    private int _changes;
    private bool _isChanging;

    /// <summary>Begins a call; it waits while weights change.</summary>
    /// <param name="isSuspendable">Whether it can be left before it has ended: it is a task, or gives items one by one.</param>
    /// <returns>Ends it.</returns>
    public IDisposable Begin(bool isSuspendable)
    {
        var call = new Call(this, _innermost.Value, isSuspendable);
        lock (_gate)
        {
            // A call within another may not wait for a change that waits for the other.
            while (_changes > 0 && !IsInside)
                Monitor.Wait(_gate);
            _running++;
            _suspendable += isSuspendable ? 1 : 0;
        }

        // What can be suspended ends on another flow than it began on, or leaves to its caller what it set.
        if (!isSuspendable)
            _innermost.Value = call;
        return call;
    }

    /// <summary>Changes weights while no call runs.</summary>
    /// <param name="what">What the change is, for messages.</param>
    /// <param name="change">The change.</param>
    /// <exception cref="AdapterException">Waiting would never end: the change is asked for within a call, or one is suspended.</exception>
    public void Change(string what, Action change)
    {
        lock (_gate)
        {
            if (IsInside)
                throw new AdapterException($"cannot {what}: it is asked for within a call that runs this model through an adapter, whose weights would change under it. Do it after the call has returned.");
            if (_suspendable > 0)
                throw new AdapterException($"cannot {what}: a call that runs this model through an adapter has not ended. Await its task, or go through all its items or dispose their enumerator, first.");
            _changes++;
            while (_running > 0 || _isChanging)
                Monitor.Wait(_gate);
            _isChanging = true;
        }

        try
        {
            change();
        }
        finally
        {
            lock (_gate)
            {
                _isChanging = false;
                _changes--;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private bool IsInside => _innermost.Value is { HasEnded: false };

    private void End(Call call)
    {
        lock (_gate)
        {
            _running--;
            _suspendable -= call.IsSuspendable ? 1 : 0;
            if (_running == 0)
                Monitor.PulseAll(_gate);
        }

        if (!call.IsSuspendable)
            _innermost.Value = call.Outer;
    }

    private sealed class Call(RunningCalls calls, Call? outer, bool isSuspendable) : IDisposable
    {
        public Call? Outer { get; } = outer;

        public bool IsSuspendable { get; } = isSuspendable;

        public bool HasEnded { get; private set; }

        public void Dispose()
        {
            if (HasEnded)
                return;
            HasEnded = true;
            calls.End(this);
        }
    }
}
