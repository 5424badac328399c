"""`python -m trayagent` is the command `trayagent`."""

import sys

from trayagent.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
