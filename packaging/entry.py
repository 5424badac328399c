"""Where the frozen program starts: the command line, or the part of us that another part starts."""

import os
import sys

if __name__ == "__main__":
    if sys.stdout is None:  # Windows, without a console: what we say goes nowhere
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.argv[1:3] == ["sites", "worker"]:
        from trayagent.sites.worker import main as work

        sys.exit(work())
    if sys.argv[1:3] == ["-m", "trayagent"]:  # as our own parts say it to a real Python
        del sys.argv[1:3]
    from trayagent.cli.main import main

    sys.exit(main())
