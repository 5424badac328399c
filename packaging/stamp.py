"""The checkout that is packed, and the one date of a build.

The date is that of the commit, so that the same commit gives the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The scripts describe and pack the checkout they lie in, also where no trayagent, or another one, is
# installed. This is the only place that sees to it: a script that packs imports this before any of ours.
sys.path.insert(0, str(ROOT))

LONG_AGO = 1_577_836_800
"""2020-01-01, for a tree that is neither a checkout nor told (what hatchling takes, too)."""


def epoch() -> int:
    """SOURCE_DATE_EPOCH, else the date of the commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told:
        return int(told)
    if not (ROOT / ".git").exists():
        return LONG_AGO
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # a machine without git, or a broken checkout
        return LONG_AGO
    return int(done.stdout)
