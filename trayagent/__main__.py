"""`python -m trayagent` is the command `trayagent`: one process from its start to its end."""

import gc
import sys

# Nothing else is imported here, not even typing: who presses Ctrl-C meanwhile would see a traceback.
OBJECTS = 100_000
"""New objects between two looks for cycles, more than a start makes; Python's 700 costs a tenth of a short run."""


def run() -> None:
    """Run the command of this process's arguments, and end the process."""
    try:
        gc.set_threshold(OBJECTS)
        from trayagent.cli.main import main

        code = main()
        gc.freeze()  # all goes with the process: a last look at everything would take 20 ms
    except (KeyboardInterrupt, RuntimeError) as error:
        # Python 3.11 wraps one that comes while it makes a class.
        if not isinstance(error.__cause__ or error, KeyboardInterrupt):
            raise
        code = 130  # Exit.INTERRUPTED, which may be what was just being loaded
        if sys.stderr is not None:
            sys.stderr.write("Interrupted.\n")
    sys.exit(code)


if __name__ == "__main__":
    run()
