"""`python -m trayagent` is the command `trayagent`: one process from its start to its end."""

import _thread
import gc
import sys

# What takes time to load is not imported here, not even typing: Ctrl-C meanwhile would be a traceback.
OBJECTS = 100_000
"""New objects between two looks for cycles, more than a start makes; Python's 700 costs a tenth of a short run."""


def run() -> None:
    """Run the command of this process's arguments, and end the process."""
    try:
        sys.unraisablehook = _repeat_lost_interrupt
        gc.set_threshold(OBJECTS)
        from trayagent.cli.main import main

        code = main()
        _ignore_signals()
        gc.freeze()  # all goes with the process: a last look at everything would take 20 ms
    except (KeyboardInterrupt, RuntimeError) as error:
        # Python 3.11 wraps one that comes while it makes a class.
        if not isinstance(error.__cause__ or error, KeyboardInterrupt):
            raise
        _ignore_signals()
        code = 130  # Exit.INTERRUPTED, which may be what was just being loaded
        if sys.stderr is not None:
            sys.stderr.write("Interrupted.\n")
    sys.exit(code)


def _ignore_signals() -> None:
    """Its outcome is fixed: a signal in the last moments, in which Python lets go of its handlers, changes nothing."""
    import signal

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _repeat_lost_interrupt(what: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C in a destructor, or where Python lets go of a module's lock, is lost: it is asked for once more."""
    if not issubclass(what.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(what)
    elif not sys.is_finalizing():
        # By another thread, and so after this: here, too, it would be lost.
        _thread.start_new_thread(_thread.interrupt_main, ())


if __name__ == "__main__":
    run()
