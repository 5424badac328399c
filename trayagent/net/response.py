"""A response whose headers are here and whose body is still to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Final, Self

from multidict import CIMultiDict, CIMultiDictProxy

from trayagent.model import sizes
from trayagent.model.errors import DownloadError
from trayagent.net.failures import translated
from trayagent.net.limits import Limits
from trayagent.net.takeover import Sink, possible, take_over
from trayagent.net.watch import Watch
from trayagent.net.wire import Answer

FAST_FROM: Final = 64 * 1024
"""Bytes; shorter bodies gain nothing from the fast path."""

_READ_WHOLE: Final = (
    "ETag",
    "Last-Modified",
    "Content-Type",
    "Content-Encoding",
    "Repr-Digest",
    "Content-Digest",
    "Digest",
)


class Response:
    """Use as a context manager: leaving it frees the connection; a body read to its end keeps it alive."""

    def __init__(
        self,
        answer: Answer,
        url: str,
        host: str,
        buffer: memoryview,
        limits: Limits,
        give_back: Callable[[str], None],
    ) -> None:
        self.status = answer.status
        self.headers = _combined(answer.headers)
        self.url = url
        """The address that answered, after redirects; may hold a query: never to be shown."""
        self.host = host
        self.waited = 0.0
        """Seconds from the request to the headers, connecting included."""
        self._answer = answer
        self._buffer = buffer
        self._limits = limits
        self._give_back: Callable[[str], None] | None = give_back

    @cached_property
    def length(self) -> int | None:
        """Content-Length; None when the end is told by chunks or by closing.

        Raises DownloadError `server_error` when the framing contradicts itself (RFC 9112 §6.3).
        """
        coding = self.headers.get("Transfer-Encoding", "chunked").strip().lower()
        if coding != "chunked":
            raise DownloadError("server_error", "it sends in a coding that nobody asked for")
        if len(set(self.headers.getall("Content-Range", ()))) > 1:
            raise DownloadError("server_error", "it contradicts itself about the range")
        said = self.headers.getall("Content-Length", ())
        if not said:
            return None
        if "Transfer-Encoding" in self.headers or len(set(said)) > 1:
            raise DownloadError("server_error", "it contradicts itself about the length")
        length = sizes.parse_count(said[0])
        if length is None:
            raise DownloadError("server_error", "it gives no proper length")
        return length

    @property
    def framed(self) -> bool:
        """Whether the end of the body is told, so that a cut cannot pass for the end."""
        return "Content-Length" in self.headers or "Transfer-Encoding" in self.headers

    async def head(self, least: int) -> tuple[bytes, DownloadError | None]:
        """The first bytes of the body, at least so many; fewer only at its end or with why it failed.

        Raises DownloadError when not one byte came.
        """
        head = b""
        try:
            with translated():
                head = self._answer.content.read_nowait()
                if len(head) >= least or self._answer.content.is_eof():
                    return head, None
                async with self._watch() as watch:
                    while len(head) < least and (piece := await self._answer.content.readany()):
                        watch.count(len(piece))
                        head += piece
        except DownloadError as error:
            if not head:
                raise
            return head, error
        return head, None

    async def read(self, limit: int) -> bytes:
        """The whole body; raises DownloadError, `too_large` beyond `limit` bytes."""
        body = bytearray()
        with translated():
            async with self._watch() as watch:
                while piece := await self._answer.content.readany():
                    watch.count(len(piece))
                    body += piece
                    if len(body) > limit:
                        raise DownloadError("too_large", "its answer")
        return bytes(body)

    async def receive(self, sink: Sink) -> None:
        """The rest of the body into `sink`, until its end or until the sink has all it wants.

        Raises DownloadError `stalled`, `truncated`, `network` and whatever the sink raises.
        """
        length = self.length
        content = self._answer.content
        with translated():
            async with self._watch() as watch:
                while sink.room() and (piece := content.read_nowait()):
                    await _put(piece, sink, watch)
                left = 0 if length is None else length - content.total_bytes
                if left >= FAST_FROM and sink.room() and possible(self._answer):
                    await take_over(self._answer, left, sink, self._buffer, watch)
                    return
                while sink.room() and (piece := await content.readany()):
                    watch.count(len(piece))
                    await _put(piece, sink, watch)

    def _watch(self) -> Watch:
        return Watch(self._limits.stall, self._limits.slowest)

    def close(self) -> None:
        """Give the connection back: for reuse when the body was read to its end, else closed."""
        if self._give_back is not None:
            self._answer.close()
            self._give_back(self.host)
            self._give_back = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Response {self.status} from {self.host}>"


def _combined(headers: CIMultiDictProxy[str]) -> CIMultiDictProxy[str]:
    """The headers, where several lines of one that is read whole are one line (RFC 9110 §5.3).

    So no second line goes unseen: of two ETags neither proves anything, and a digest may stand in any.
    """
    if len(set(map(str.lower, headers))) == len(headers):
        return headers
    repeated = [name for name in _READ_WHOLE if len(headers.getall(name, ())) > 1]
    combined = CIMultiDict(headers)
    for name in repeated:
        combined[name] = ", ".join(dict.fromkeys(headers.getall(name)))
    return CIMultiDictProxy(combined)


async def _put(piece: bytes, sink: Sink, watch: Watch) -> None:
    view = memoryview(piece)
    while view and (room := sink.room()):
        delay = sink.write(view[:room])
        view = view[room:]
        if delay > 0:
            watch.hold()
            await asyncio.sleep(delay)
            watch.hold()
