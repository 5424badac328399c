"""`python -m trayagent` is the command `trayagent`: one process from its start to its end."""

import gc
import sys
from typing import Final, NoReturn

OBJECTS: Final = 100_000
"""New objects between two looks for cycles, more than a start makes; Python's 700 costs a tenth of a short run."""


def run() -> NoReturn:
    """Run the command of this process's arguments, and end the process."""
    gc.set_threshold(OBJECTS)
    from trayagent.cli.main import main

    code = main()
    gc.freeze()  # all goes with the process: a last look at everything would take 20 ms
    sys.exit(code)


if __name__ == "__main__":
    run()
