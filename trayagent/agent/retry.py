"""Whether a failed try is followed by another, and when: a pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trayagent.model import backoff
from trayagent.model.errors import BLOCKED, WAITS, DownloadError

FOLDER_CHECK: Final = 30.0
"""Seconds between two looks whether the folder takes files again."""

NETWORK_CHECK: Final = 20.0
"""Seconds between two tries while this machine has no network."""
ONCE_MORE: Final = 1.0
"""Seconds after which a download whose worker died is given to another."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again in so many seconds; `counts` says whether the try is used up."""

    seconds: float
    counts: bool = True


def decide(
    error: DownloadError, attempts: int, retries: int, rand: float, *, offline: bool = False
) -> Again | None:
    """What follows try number `attempts + 1`: another one, or None, the end.

    A full disk, a folder that is gone or read-only, or no network at all, is no fault of the download:
    it waits until that is over.
    """
    if error.code in BLOCKED:
        return Again(FOLDER_CHECK, counts=False)
    if offline:
        return Again(NETWORK_CHECK, counts=False)
    if error.code == "internal" and attempts == 0:
        return Again(ONCE_MORE)  # whatever it was may not happen twice
    if error.code not in WAITS:
        return None
    if attempts >= retries:
        return None
    return Again(backoff.delay(attempts + 1, retry_after=error.retry_after, rand=rand))
