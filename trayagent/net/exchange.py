"""One request and its answer, as the engine's thread and a caller in another thread share it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import ClassVar, Final, Protocol

from msgspec import Struct, field

from trayagent.model.errors import DownloadError
from trayagent.net.redirects import Endpoint
from trayagent.net.refusals import brings_file
from trayagent.net.response import Head

Resolve = Callable[[str, int], Sequence[str]]
"""The addresses of a host that is to be asked at a port; raises OSError."""

BUFFER: Final = 512 * 1024
"""Bytes that libcurl hands over at a time, at most; with TLS a record's 16 KiB.

A body that says it is no longer is told of when all of it is here; of a longer one no more than this
gathers in memory.
"""
LOOKED_AT: Final = 512
"""Bytes of any other body that its caller waits for at first."""


class Patience(Struct, frozen=True):
    """How long an answer may take, in seconds, and how slow it may be."""

    connect: float = 20.0
    first_byte: float = 300.0
    """From the request to the end of the answer's head, connecting included; of a whole file to its first byte."""
    stall: float = 60.0
    """The window in which at least `stall` x `slowest` bytes must arrive."""
    slowest: int = 1024
    """Bytes a second; a slower server is given up on, to be tried again later."""


class Sink(Protocol):
    """Where the body of one exchange goes. Called on the engine's thread, so it must not wait."""

    def take(self, pieces: Sequence[bytes], count: int) -> float | None:
        """Take all these pieces of `count` bytes; returns the seconds to wait before the next.

        None: not now, none of it.

        After None, whoever made room calls `Transport.resume`. Raises EnoughError when it wants no
        more than it took, DownloadError for what ends the exchange.
        """


class EnoughError(Exception):
    """The sink has all it wants, though the answer has more."""


class Exchange(Struct, eq=False):
    """One request and its answer: made by its caller, filled by the engine's thread."""

    endpoint: Endpoint
    headers: Sequence[bytes]
    wake: Callable[[], None]
    """Called on the engine's thread whenever this exchange is worth a look."""
    raw: bool = False
    """Whether a coded body (RFC 9110 §8.4) is left as it comes; else it is decoded."""
    piece: int = BUFFER
    """Bytes to hand over at a time, at most: fewer let a slow speed limit flow evenly."""
    room: int = 0
    """Bytes that gather before there is a sink, if more than a piece; of a first piece all is taken."""
    head: Head | None = None
    """Of the answer, once all of it is here."""
    pieces: deque[bytes] = field(default_factory=deque)
    """The body until there is a sink: the engine appends, the caller or the sink takes."""
    gathered: int = 0
    """Bytes of the body that came before there was a sink, taken ones included."""
    wanted: float = LOOKED_AT
    """`gathered` bytes that the caller is told at."""
    is_slow: bool = False
    """Its caller has waited for long: short or not, he is told of the first bytes."""
    began: float = 0.0
    head_at: float = 0.0
    """Monotonic seconds: when it was sent, when its head was complete."""
    ended: bool = False
    error: DownloadError | None = None
    """Why it ended early; None: it is complete, or its sink had enough."""

    def take_head(self, text: bytes, now: float) -> None:
        """A head is complete; an interim one does not count."""
        head = Head(text, self.endpoint.url, self.endpoint.origin.authority)
        if head.is_interim:
            return
        self.head, self.head_at = head, now
        if head.status not in (200, 206) and not brings_file(head.status):
            self.wanted = 0  # nobody waits for the body of a redirect or a refusal
        elif not self.is_slow and head.length is not None and head.length <= self.piece:
            self.wanted = inf

    def forget_answer(self) -> None:
        """What came was not the answer; nobody was told of it."""
        self.head = None
        self.pieces.clear()
        self.gathered, self.wanted = 0, LOOKED_AT

    def take_pieces(self) -> bytes:
        """All that is here, for its caller; the engine may add more meanwhile."""
        taken = []
        while self.pieces:
            taken.append(self.pieces.popleft())
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def end(self, error: DownloadError | None) -> None:
        """It is over; the last thing the engine does with it."""
        self.error = error
        self.ended = True
        self.wake()

    def __repr__(self) -> str:
        status = self.head.status if self.head else "asking"
        return f"<Exchange with {self.endpoint.origin.netloc}: {status}{', over' if self.ended else ''}>"


class SilenceWatch(Struct, eq=False):
    """How much came in the last parts of a window; a pause of our own proves nothing."""

    PARTS: ClassVar[int] = 4

    came: int = 0
    """Bytes since the last look."""
    held: bool = False
    """Whether we did not read for a while ourselves since then."""
    is_begun: bool = False
    """Whether anything has come at all."""
    counts: list[int] = []
    """Bytes of each part, the last ones of them."""

    def add(self, count: int) -> None:
        """Count bytes that came."""
        self.came += count
        self.is_begun = True

    def is_stalled(self, least: float) -> bool:
        """Look, once for each part of the window: did fewer than `least` bytes come in all of it?"""
        if self.held:
            self.counts.clear()
            self.held = False
        else:
            self.counts = [*self.counts[1 - self.PARTS :], self.came]
        self.came = 0
        return len(self.counts) == self.PARTS and sum(self.counts) < least
