"""What the doctor finds: one value per thing looked at."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["ok", "warning", "problem"]
"""`warning`: trayagent works, with less comfort; `problem`: something it needs is missing."""


class Check(Struct, frozen=True):
    """A thing looked at: how it is, and the line that mends it."""

    name: str
    """What was looked at, in one or two words: `tray`, `notifications`, `keyring`."""
    verdict: Verdict
    detail: str
    """One sentence in plain words."""
    mend: str = ""
    """What to do or type next; empty when there is nothing to do."""
