"""Whether a failed try is followed by another, and when: pure decisions, the same for agent and `get`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trayagent.model import retry
from trayagent.model.errors import DownloadError

FOLDER_CHECK: Final = 10.0
"""Seconds between two looks whether the folder takes files again."""
NETWORK_CHECK: Final = 20.0
"""Seconds between two tries while this machine has no network."""
ONCE_MORE: Final = 1.0
"""Seconds after which a download whose worker died is given to another."""
LONGEST: Final = retry.LONGEST_SECONDS + 100.0
"""Seconds; a cool-down that ends later means that the clock was set back."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again in so many seconds; `counts` says whether the try is used up."""

    seconds: float
    counts: bool = True


def decide(
    error: DownloadError, attempts: int, retries: int, rand: float, *, offline: bool = False
) -> Again | None:
    """What follows try number `attempts + 1`: another one, or None, the end. `rand` is in [0, 1).

    1. Nobody was asked, because the host cools down: it waits for that, and nothing is used up.
    2. A full disk, a folder that is gone or read-only, no network at all: no fault of the download
       either; it waits until that is over.
    3. Whatever died inside us may not die twice: once more.
    4. What the server or the network may mend by themselves: as often as `retries` allows.
    """
    if not error.spent:
        return Again(retry.delay(1, retry_after=error.retry_after, rand=rand), counts=False)
    if error.traits.blocks_folder:
        return Again(FOLDER_CHECK, counts=False)
    if offline:
        return Again(NETWORK_CHECK, counts=False)
    if error.code == "internal" and attempts == 0:
        return Again(ONCE_MORE)
    if not error.traits.is_retryable or attempts >= retries:
        return None
    return Again(retry.delay(attempts + 1, retry_after=error.retry_after, rand=rand))


class CoolHosts:
    """The hosts (`host:port`) that asked us to slow down, and until when; clocks are Unix seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def restore(self, until: Mapping[str, float]) -> None:
        """What was known before the last end of the program."""
        self._until = dict(until)

    def note(self, host: str, error: DownloadError, again: Again | None, now: float) -> None:
        """A download of this host ended so: whether it may be tried again or not, the host wants peace."""
        if error.code != "server_busy":
            return
        seconds = again.seconds if again is not None else error.retry_after or retry.FIRST_SECONDS
        self._until[host] = max(self._until.get(host, 0.0), now + seconds)

    def end(self, host: str) -> None:
        """A person wants it to be asked now."""
        self._until.pop(host, None)

    def until(self, host: str, now: float) -> float | None:
        """Until when the host is left alone; None: it is not."""
        until = self._until.get(host)
        return until if until is not None and until > now else None

    def current(self, now: float) -> dict[str, float]:
        """All that are left alone, and until when."""
        self._until = {h: until for h, until in self._until.items() if now < until <= now + LONGEST}
        return dict(self._until)

    def __repr__(self) -> str:
        return f"<CoolHosts: {len(self._until)}>"
