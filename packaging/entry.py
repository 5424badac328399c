"""Where the frozen program starts: the command line, or the part of us that another part starts."""

import sys

if __name__ == "__main__":
    if sys.argv[1:3] == ["sites", "worker"]:
        from trayagent.sites.worker import main as work

        sys.exit(work())
    if sys.argv[1:3] == ["-m", "trayagent"]:  # as our own parts say it to a real Python
        del sys.argv[1:3]
    from trayagent.cli.main import main

    sys.exit(main())
