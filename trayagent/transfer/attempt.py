"""One attempt at one file: the steps from a request to a published name, top to bottom."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal

from trayagent.model import filenames, urls
from trayagent.model.errors import DownloadError
from trayagent.model.sizes import show_size
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.net.client import Client
from trayagent.net.cookies import Jar
from trayagent.net.response import Response
from trayagent.transfer import content, digests, ranges
from trayagent.transfer.disk import check_room, explained
from trayagent.transfer.executor import in_executor
from trayagent.transfer.lane import ENDLESS, Lane
from trayagent.transfer.marks import mark
from trayagent.transfer.names import Names
from trayagent.transfer.part import Part, part_of
from trayagent.transfer.publish import copy_new, move_new, publish, same_bytes
from trayagent.transfer.pulse import Pulse
from trayagent.transfer.statuses import refusal
from trayagent.transfer.throttle import Bucket

_KEPT: Final = ("Last-Modified", "Repr-Digest", "Digest")
_FINAL: Final = frozenset({"disk_full", "permission_denied", "too_large", "internal"})
"""Codes about this machine: no other server changes them."""
_SPOILT: Final = frozenset({"checksum_mismatch", "internal", "needs_login", "not_media"})
"""Codes after which the bytes are of no use."""

IN_MEMORY: Final = 1024 * 1024
"""Bytes; shorter bodies gather in memory and visit the disk once."""
MOST_RECOVERIES: Final = 3
"""How often one attempt goes on by itself after a cut or a lie; then the pool waits before the next."""
LENGTH_UNKNOWN: Final = "The server did not say how long the file is, so it may be incomplete."


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say about every file; sizes in bytes."""

    segments: int | Literal["auto"] = "auto"
    max_size: int = 50 * 10**9
    keep_free: int = 512 * 10**6


@dataclass(frozen=True, slots=True)
class Tools:
    """What an attempt works with."""

    client: Client
    names: Names
    terms: Terms
    buckets: Sequence[Bucket]


class Attempt:
    """The state of one attempt; used once."""

    def __init__(
        self, tools: Tools, target: Target, progress: Progress, request: Request | None = None
    ) -> None:
        request = request or Request("")
        self._client = tools.client
        self._names = tools.names
        self._terms = tools.terms
        self._buckets = tools.buckets
        self._requests = _with_mirrors(request)
        self._target = target
        self._progress = progress
        self._jar = Jar(request.cookies)
        self._part: Part | None = None
        self._final: Path | None = None
        self._base = ""
        self._number = -1
        self._size: int | None = None
        self._validator: str | None = None
        self._done: tuple[tuple[int, int], ...] = ()
        self._lanes: list[Lane] = []
        self._headers: dict[str, str] = {}
        self._seen: content.Seen | None = None
        self._framed = True
        self._warning: str | None = None
        self._spliced = False
        self._recoveries = 0

    async def run(self) -> Fetched:
        """Fetch and publish. Raises DownloadError; keeps what can be resumed."""
        try:
            await self._recall()
            while True:
                before = self._received()
                try:
                    if not self._complete():
                        await self._round()
                    return await self._finish()
                except DownloadError as error:
                    self._settle_lanes()
                    if not await self._recovers(error, progressed=self._received() > before):
                        raise
        except DownloadError as error:
            await self._keep(failed=True, spoilt=error.code in _SPOILT)
            raise
        except BaseException:
            await self._keep(failed=False)
            raise
        finally:
            self._leave()

    async def take(self, made: Content | Made) -> Fetched:
        """Publish bytes or a file that a resolver made. Raises DownloadError."""
        try:
            if isinstance(made, Content):
                await self._take_bytes(made.data)
            else:
                await self._take_file(made)
            return await self._finish()
        except DownloadError:
            await self._keep(failed=True, spoilt=True)
            raise
        finally:
            self._leave()

    async def _take_bytes(self, data: bytes) -> None:
        if not data:
            raise DownloadError("truncated", "there are no bytes")
        self._check_size(len(data))
        self._seen = content.sniff(data[: content.HEAD])
        if content.promised(self._target.kind, "", self._target.filename):
            content.check_promise(data[: content.HEAD], self._seen, "", "")
        self._size, self._done = len(data), ((0, len(data)),)
        await self._reserve(self._chosen(None, "", ""))
        assert self._part is not None
        self._part.write(data, 0)

    async def _take_file(self, made: Made) -> None:
        with explained():
            self._size = made.path.stat().st_size
            self._done = ((0, self._size),)
        await self._reserve_new(self._chosen(made.filename, "", ""))
        final = self._final
        assert final is not None

        def act() -> Part | None:
            with explained():
                self._target.folder.mkdir(parents=True, exist_ok=True)
                try:
                    move_new(made.path, part_of(final))
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    copy_new(made.path, part_of(final))
                return Part.reopen(final)

        self._part = await in_executor(act)

    async def _recall(self) -> None:
        """Take up the name, the bytes and the record of an earlier attempt."""
        final = self._target.path
        if final is None or not self._names.hold(final):
            return
        self._final = final
        with explained():
            self._part = Part.reopen(final)
        self._base = final.name
        record = self._part.record() if self._part else None
        if record is not None:
            record = ranges.to_confirm(record)
            self._size, self._validator, self._done = record.size, record.validator, record.done

    async def _recovers(self, error: DownloadError, *, progressed: bool) -> bool:
        """Whether to ask again at once; prepares for it."""
        self._recoveries += 1
        if error.code in _FINAL or self._recoveries > MOST_RECOVERIES:
            return False
        if error.code == "changed_on_server":
            return self._recoveries == 1
        if error.code == "checksum_mismatch" and self._spliced:
            await self._forget()
            self._spliced = False
            return True
        if progressed and error.code in ("truncated", "network") and self._record():
            self._spliced = True
            return True
        if len(self._requests) > 1:
            del self._requests[0]
            self._recoveries = 0
            return True
        return False

    async def _round(self) -> None:
        """Ask once, and receive as far as it goes."""
        record = self._record()
        ask = ranges.first_ask(record) if record else None
        request = self._requests[0]
        response = await self._client.open(request, ask.headers if ask else None, jar=self._jar)
        with response:
            verdict = ranges.judge(ask, response.status, response.headers)
            if verdict == "refused":
                raise self._refused(response)
            self._client.cooldown.clear(response.host)
            if verdict == "unproven":
                await self._forget()
                raise DownloadError("changed_on_server")
            self._headers = {
                name: response.headers[name] for name in _KEPT if name in response.headers
            }
            if ask is not None and verdict == "continue":
                self._spliced = True
                await self._receive(response, ask.start, ask.end)
            else:
                await self._begin(request, response)

    def _refused(self, response: Response) -> DownloadError:
        if response.status in (429, 503):
            return self._client.busy(response)
        return refusal(response.status, response.url)

    async def _begin(self, request: Request, response: Response) -> None:
        """A whole file is coming: look at it, name it, receive it."""
        length = response.length
        if length == 0:
            raise DownloadError("truncated", "the answer was empty")
        self._check_size(length)
        head = await _head(response)
        if not head:
            raise DownloadError("truncated", "the answer was empty")
        self._seen = content.sniff(head)
        self._check_promise(request, response, head)
        self._framed = response.framed
        self._size, self._validator, self._done = length, ranges.validator(response.headers), ()
        disposition = response.headers.get("Content-Disposition")
        await self._reserve(self._chosen(disposition, request.url, response.url))
        await self._receive(response, 0, length if length is not None else ENDLESS, head)

    def _check_size(self, length: int | None) -> None:
        if length is not None and length > self._terms.max_size:
            raise DownloadError("too_large", show_size(length))
        with explained():
            self._target.folder.mkdir(parents=True, exist_ok=True)
        check_room(self._target.folder, length or 0, self._terms.keep_free)

    def _check_promise(self, request: Request, response: Response, head: bytes) -> None:
        if content.promised(self._target.kind, request.url, self._target.filename):
            encoding = response.headers.get("Content-Encoding", "")
            content.check_promise(head, self._seen, encoding, urls.redact(response.url))

    async def _reserve(self, name: str) -> None:
        """Choose the final name and make its `.part` ours, starting from zero."""
        if self._final is None:
            await self._reserve_new(name)
        elif self._part is None:
            await self._progress.reserved(self._final, self._size)
            self._part = Part(self._final)
        else:
            await self._forget()
            await self._progress.reserved(self._final, self._size)
        while self._size is None or self._size >= IN_MEMORY:
            assert self._part is not None
            assert self._final is not None
            try:
                with explained():
                    if not self._part.on_disk:
                        self._part.create()
            except FileExistsError:
                await self._reserve_new(self._base)
            else:
                break

    async def _reserve_new(self, name: str) -> None:
        self._base = name
        while True:
            if self._final is not None:
                self._names.release(self._final)
                self._final = None
            with explained():
                self._final, self._number = self._names.hold_free(
                    self._target.folder, name, self._number
                )
            try:
                await self._progress.reserved(self._final, self._size)
            except FileExistsError:
                continue
            self._part = Part(self._final)
            return

    def _chosen(self, disposition: str | None, asked: str, came: str) -> str:
        """The file's name; `asked` and `came` are the URLs before and after redirects."""
        ext = self._seen.ext if self._seen else None
        if self._target.stem is not None:
            return filenames.safe(f"{self._target.stem}.{ext or 'bin'}")
        endings = [filenames.extension(filenames.from_url(url) or "") for url in (asked, came)]
        url = came if endings[1] and not endings[0] else asked
        now = datetime.now(UTC).astimezone()
        return filenames.choose(
            self._target.filename, disposition, url, self._target.kind, ext, now
        )

    async def _receive(self, response: Response, start: int, end: int, head: bytes = b"") -> None:
        assert self._part is not None
        lane = Lane(self._part, start, end, self._terms.max_size, self._buckets)
        self._lanes.append(lane)
        if head:
            lane.write(head)
        if lane.left:
            pulse = Pulse(self._tell, self._save)
            try:
                await response.receive(lane)
            finally:
                await pulse.stop()
        if end == ENDLESS:
            self._size = lane.end = lane.at
        self._settle_lanes()
        if self._received() != self._size:
            raise DownloadError("truncated", f"{self._received()} of {self._size} bytes")

    def _tell(self) -> None:
        self._progress.received(self._received(), self._size)

    def _save(self) -> Callable[[], None] | None:
        """What the executor does once a second: the bytes to the disk, then the record; is there room?"""
        part, record = self._part, self._record()
        if part is None:
            return None
        if not part.on_disk:
            try:
                part.create()
            except OSError:
                return None  # the end will tell
        folder, keep_free = self._target.folder, self._terms.keep_free

        def act() -> None:
            try:
                with explained():
                    if record is not None:
                        part.vouch(record)
                check_room(folder, 0, keep_free)
            except DownloadError as error:
                part.trouble = error

        return act

    async def _finish(self) -> Fetched:
        """All bytes are here: verify them, make them durable, give them their name."""
        self._tell()
        assert self._size is not None
        wanted = digests.expected(self._target.checksum, self._headers)
        while True:
            assert self._final is not None
            try:
                sha256 = await in_executor(lambda: self._settle(wanted))
            except FileExistsError:
                if self._final == self._target.path and await in_executor(self._published_before):
                    return Fetched(self._final, self._size, None, self._warning)
                await self._move_on()
            else:
                return Fetched(self._final, self._size, sha256, self._warning)

    def _settle(self, wanted: dict[str, bytes]) -> str | None:
        """In the executor; raises FileExistsError when the name is taken meanwhile."""
        part = self._part
        assert part is not None
        with explained():
            if not part.on_disk:
                part.create()
            if not self._framed:
                self._check_container(part)
            sha256 = digests.verify(part.path, wanted) if wanted else None
            mark(part.path, self._requests[0].url)
            part.settle(self._mtime())
            publish(part.path, part.final)
            part.forget()
        return sha256

    def _check_container(self, part: Part) -> None:
        ext = self._seen.ext if self._seen else ""
        whole = content.whole(ext, part.size(), part.read)
        if whole is False:
            raise DownloadError("truncated", "the connection was closed early")
        self._warning = LENGTH_UNKNOWN if whole is None else None

    def _published_before(self) -> bool:
        """Whether the reserved name holds these very bytes: our own work, cut off before it was noted."""
        assert self._part is not None
        with explained():
            if not same_bytes(self._part.path, self._part.final):
                return False
            self._part.discard()
        return True

    async def _move_on(self) -> None:
        """Somebody took the name: take the next, with the bytes."""
        part, name = self._part, self._base
        assert part is not None
        await self._reserve_new(name)
        assert self._final is not None
        with explained():
            part.move(self._final)
        self._part = part

    async def _forget(self) -> None:
        """Start from zero: nothing of the part proves anything now."""
        part = self._part
        self._done, self._lanes = (), []
        if part is not None and part.on_disk:
            with explained():
                part.forget()
                part.resize(0)
        elif part is not None:
            self._part = Part(part.final)

    async def _keep(self, *, failed: bool, spoilt: bool = False) -> None:
        """Leave behind what the next attempt can use, and no more."""
        part = self._part
        if part is None:
            return
        self._settle_lanes()
        record = self._record()

        def act() -> None:
            with suppress(OSError):
                if spoilt or (failed and record is None):
                    part.discard()
                elif record is not None and record.received:
                    part.vouch(record)

        await in_executor(act)

    def _leave(self) -> None:
        if self._part is not None:
            self._part.close()
        if self._final is not None:
            self._names.release(self._final)

    def _record(self) -> ranges.Record | None:
        if self._size is None or self._validator is None:
            return None
        done = (*self._done, *((lane.start, lane.at) for lane in self._lanes))
        return ranges.Record(self._size, self._validator, ranges.merged(done))

    def _settle_lanes(self) -> None:
        done = (*self._done, *((lane.start, lane.at) for lane in self._lanes))
        self._done, self._lanes = ranges.merged(done), []

    def _received(self) -> int:
        return sum(end - start for start, end in self._done) + sum(
            lane.at - lane.start for lane in self._lanes
        )

    def _complete(self) -> bool:
        return self._size is not None and self._done == ((0, self._size),)

    def _mtime(self) -> float | None:
        if self._target.mtime is not None:
            return self._target.mtime
        try:
            return parsedate_to_datetime(self._headers.get("Last-Modified", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None


def _with_mirrors(request: Request) -> list[Request]:
    """The request, then each mirror without what is meant for the first origin only."""
    bare = replace(request, mirrors=(), headers={}, referer=None)
    return [request, *(replace(bare, url=mirror) for mirror in request.mirrors)]


async def _head(response: Response) -> bytes:
    """The first bytes of a body: 512 at least, unless it ends before."""
    head = b""
    while len(head) < 512 and (piece := await response.readany()):
        head += piece
    return head
