"""What the tests of the engine share: an answer that is waited for in a thread, and sinks of all kinds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings
from trayagent.model.transfer import Request
from trayagent.net.exchange import EnoughError, Patience, Sink
from trayagent.net.request import HttpClient
from trayagent.net.response import Head

QUICK = Patience(connect=5, first_byte=5, stall=0.8, slowest=1024)
LONGEST = 20.0
"""Seconds that a test waits for the engine to say something."""


class Kept(Sink):
    """A sink that keeps all it gets, up to `most` bytes; `pause` seconds after each piece."""

    def __init__(self, most: int | None = None, pause: float = 0.0) -> None:
        self.data = bytearray()
        self.sizes: list[int] = []
        self.times: list[float] = []
        self._most = most
        self._pause = pause

    def take(self, pieces: Sequence[bytes], count: int) -> float | None:
        """Keep it; EnoughError once there is `most`."""
        self.sizes.append(count)
        self.times.append(time.monotonic())
        self.data += b"".join(pieces)
        if self._most is not None and len(self.data) >= self._most:
            del self.data[self._most :]
            raise EnoughError
        return self._pause


class Asked:
    """One answer; all its methods block."""

    def __init__(
        self,
        client: HttpClient,
        request: Request,
        extra: Mapping[str, str] | None = None,
        **how: Any,
    ) -> None:
        self.signal: SimpleQueue[object] = SimpleQueue()
        self.answer = client.ask(request, extra, partial(self.signal.put, None), **how)

    def head(self) -> Head:
        """The head, once it is here."""
        while (head := self.answer.poll()) is None:
            self._wait()
        return head

    def gathered(self, least: int) -> int:
        """Bytes that have gathered once there are so many, or it is over."""
        exchange, until = self.answer.exchange, time.monotonic() + LONGEST
        while not exchange.ended and exchange.gathered < least and time.monotonic() < until:
            time.sleep(0.002)
        return exchange.gathered

    def into(self, sink: Sink) -> None:
        """The body into a sink; raises why it ended early."""
        self.answer.attach(sink)
        self.end()
        try:
            while self.answer.exchange.pieces:
                sink.take((piece := self.answer.exchange.pieces.popleft(),), len(piece))
        except EnoughError:
            pass
        if (error := self.answer.exchange.error) is not None:
            raise error

    def read(self) -> bytes:
        """All of the body."""
        sink = Kept()
        self.into(sink)
        return bytes(sink.data)

    def end(self) -> None:
        """Return once the engine is done with it."""
        while not self.answer.exchange.ended:
            self._wait()

    def cancel(self) -> None:
        """End it now."""
        self.answer.cancel()
        self.end()

    def _wait(self) -> None:
        try:
            self.signal.get(timeout=LONGEST)
        except Empty:
            raise AssertionError(f"nothing was heard of {self.answer!r}") from None


class Asker:
    """A client and the private places it may ask."""

    def __init__(self, client: HttpClient, *named: str) -> None:
        self.client = client
        self.named = frozenset(named)

    def start(
        self, url: str, extra: Mapping[str, str] | None = None, *, how: Any = None, **options: Any
    ) -> Asked:
        """Ask; `options` are the Request's, `how` those of `HttpClient.ask`."""
        options.setdefault("named", self.named)
        return Asked(self.client, Request(url, **options), extra, **(how or {}))

    async def answer(self, url: str, *extra: Mapping[str, str], **options: Any) -> Answered:
        """Head and body."""

        def work() -> Answered:
            asked = self.start(url, *extra, **options)
            return Answered(asked.head(), asked.read())

        return await asyncio.to_thread(work)

    async def get(self, url: str, *extra: Mapping[str, str], **options: Any) -> bytes:
        """The body, whatever the status."""
        return (await self.answer(url, *extra, **options)).body

    async def fail(self, url: str, *extra: Mapping[str, str], **options: Any) -> DownloadError:
        """Why there is no body."""
        try:
            came = await self.answer(url, *extra, **options)
        except DownloadError as error:
            return error
        raise AssertionError(f"{came!r} was taken")


class Answered:
    """What came."""

    def __init__(self, head: Head, body: bytes) -> None:
        self.head = head
        self.body = body

    def __repr__(self) -> str:
        return f"<{self.head!r}: {self.body[:100]!r}>"


@contextmanager
def asking(
    *named: str, network: NetworkSettings | None = None, patience: Patience = QUICK, **client: Any
) -> Iterator[Asker]:
    """A client that may ask the places named; the rest is the HttpClient's."""
    with HttpClient(network, patience, **client) as made:
        yield Asker(made, *named)


def names(**answers: list[list[str]]) -> Callable[[str, int], list[str]]:
    """A name service that says what it is told to, in turn; the last answer stays."""
    said = {name.replace("_", "."): list(turns) for name, turns in answers.items()}

    def resolve(host: str, port: int) -> list[str]:
        del port
        turns = said[host]
        return turns.pop(0) if len(turns) > 1 else turns[0]

    return resolve
