"""Whether a failed try is followed by another, and when; the same for the agent and `get`.

`delay` is the exponential back-off with jitter, with the server's own wish as a minimum; `next_try`
decides for one download, `CoolHosts` remembers which hosts asked for peace. All of it is pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from trayagent.model.errors import DownloadError
from trayagent.model.units import seconds_of

FIRST_SECONDS: Final = 2.0
"""Before the second try, before jitter."""
LONGEST_SECONDS: Final = 3600.0
"""No server is waited for longer, whatever it says."""
FOLDER_CHECK_SECONDS: Final = 10.0
"""Between two looks whether the folder takes files again."""
NETWORK_CHECK_SECONDS: Final = 20.0
"""Between two tries while this machine has no network."""
DEAD_WORKER_SECONDS: Final = 1.0
"""After which a download whose worker died is given to another."""
LONGEST_COOL_DOWN_SECONDS: Final = LONGEST_SECONDS + 100.0
"""A cool-down that ends later means that the clock was set back."""


def delay(attempt: int, *, retry_after: float | None = None, rand: float) -> float:
    """Seconds to wait after the failed try number `attempt` (from 1); `rand` is in [0, 1).

    The server's `retry_after` is kept as a minimum; then a little jitter keeps clients apart.
    """
    backoff = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(max(attempt - 1, 0), 32)) * (
        0.5 + 0.5 * rand
    )
    if retry_after is None or retry_after <= backoff:
        return backoff
    return min(LONGEST_SECONDS, retry_after + rand * min(5.0, 0.1 * retry_after))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` (Unix time) that a Retry-After header asks for (RFC 9110 §10.2.3).

    Both forms; a past date is 0, more than an hour is an hour, nonsense is None.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return min(LONGEST_SECONDS, float(value[:12]))
    until = seconds_of(value)
    return None if until is None else min(LONGEST_SECONDS, max(0.0, until - now))


class NextTry(Struct, frozen=True):
    """Try again in so many seconds; `counts` says whether the try is used up."""

    seconds: float
    counts: bool = True


def next_try(
    error: DownloadError, attempts: int, retries: int, rand: float, *, offline: bool = False
) -> NextTry | None:
    """What follows try number `attempts + 1`: another one, or None, the end. `rand` is in [0, 1)."""
    # 1. Nobody was asked, because the host cools down: wait for that, no try is used up.
    if not error.spent:
        return NextTry(delay(1, retry_after=error.retry_after, rand=rand), counts=False)
    # 2. A full disk, a folder that is gone or read-only, no network at all: no fault of the download
    #    either. It waits until that is over, however long that takes.
    if error.traits.blocks_folder:
        return NextTry(FOLDER_CHECK_SECONDS, counts=False)
    if offline:
        return NextTry(NETWORK_CHECK_SECONDS, counts=False)
    # 3. Something of ours died: once more, but not twice, for it may die of this very download.
    if error.code == "internal" and attempts == 0:
        return NextTry(DEAD_WORKER_SECONDS)
    # 4. What the server or the network may mend by themselves: as often as `retries` allows.
    if not error.traits.is_retryable or attempts >= retries:
        return None
    return NextTry(delay(attempts + 1, retry_after=error.retry_after, rand=rand))


class CoolHosts:
    """The hosts (`host:port`) that asked us to slow down, and until when: in seconds of one clock of the caller's."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def restore(self, until: Mapping[str, float]) -> None:
        """Take over what the store knows from an earlier run."""
        self._until = dict(until)

    def note(self, host: str, error: DownloadError, again: NextTry | None, now: float) -> None:
        """A download of this host failed: a host that is busy is left alone, whoever asks it next."""
        if error.code != "server_busy":
            return
        seconds = again.seconds if again is not None else error.retry_after or FIRST_SECONDS
        self._until[host] = max(self._until.get(host, 0.0), now + seconds)

    def bring_forward(self, seconds: float) -> None:
        """The clock was set back by so much: the waits are as long as they were."""
        self._until = {host: until - seconds for host, until in self._until.items()}

    def end(self, host: str) -> None:
        """Ask this host again at once: a person wants it."""
        self._until.pop(host, None)

    def until(self, host: str, now: float) -> float | None:
        """Until when the host is left alone; None: it is not."""
        until = self._until.get(host)
        return until if until is not None and until > now else None

    def current(self, now: float) -> dict[str, float]:
        """All that are left alone, and until when."""
        if not self._until:
            return {}
        self._until = {
            h: until
            for h, until in self._until.items()
            if now < until <= now + LONGEST_COOL_DOWN_SECONDS
        }
        return dict(self._until)

    def __repr__(self) -> str:
        return f"<CoolHosts: {len(self._until)}>"
