"""One attempt at one file: the steps from a request to a published name, top to bottom."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
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
from trayagent.transfer.lane import ENDLESS, Lane
from trayagent.transfer.names import Names
from trayagent.transfer.part import Part
from trayagent.transfer.place import Place
from trayagent.transfer.publish import copy_new, move_new
from trayagent.transfer.pulse import Pulse
from trayagent.transfer.statuses import refusal
from trayagent.transfer.throttle import Bucket

MOST_RECOVERIES: Final = 3
"""How often one attempt goes on by itself after a cut or a lie; then the pool waits before the next."""
LENGTH_UNKNOWN: Final = "The server did not say how long the file is, so it may be incomplete."

_LOOKED_AT: Final = 512
"""Bytes that are waited for before a file gets its name."""
_OURS: Final = frozenset({"disk_full", "permission_denied", "too_large", "internal"})
"""Codes about this machine: no other server changes them."""
_SPOILT: Final = frozenset({"checksum_mismatch", "internal"})
"""Codes after which the bytes are of no use."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say about every file; sizes in bytes."""

    segments: int | Literal["auto"] = "auto"
    max_size: int = 50 * 10**9
    keep_free: int = 512 * 10**6


@dataclass(frozen=True, slots=True)
class Equipment:
    """What an attempt works with."""

    client: Client
    names: Names
    terms: Terms
    buckets: Sequence[Bucket]


class Attempt:
    """The state of one attempt; used once."""

    def __init__(self, equipment: Equipment, target: Target, progress: Progress) -> None:
        self._client = equipment.client
        self._terms = equipment.terms
        self._buckets = equipment.buckets
        self._target = target
        self._progress = progress
        self._place = Place(equipment.names, target, progress, equipment.terms.keep_free)
        self._seen: content.Seen | None = None
        self._headers: Mapping[str, str] = {}
        self._framed = True
        self._warning: str | None = None
        self._spliced = False
        self._recoveries = 0

    async def fetch(self, request: Request) -> Fetched:
        """Fetch and publish. Raises DownloadError; keeps what can be resumed."""
        jar = Jar(request.cookies)
        requests = _with_mirrors(request)
        try:
            await self._place.recall()
            while True:
                before = self._place.received
                try:
                    if not self._place.complete:
                        await self._ask(requests[0], jar)
                    return await self._finish(requests[0].url)
                except DownloadError as error:
                    self._place.settle_lanes()
                    if await self._recovers(error, progressed=self._place.received > before):
                        continue
                    if error.code in _OURS or len(requests) == 1:
                        raise
                    del requests[0]
        except DownloadError as error:
            await self._place.keep(failed=True, spoilt=error.code in _SPOILT)
            raise
        except BaseException:
            await self._place.keep(failed=False)
            raise
        finally:
            self._place.leave()

    async def take(self, made: Content | Made) -> Fetched:
        """Publish bytes or a file that a resolver made. Raises DownloadError."""
        try:
            if isinstance(made, Content):
                await self._take_bytes(made.data)
            else:
                await self._take_file(made)
            return await self._finish("")
        except DownloadError:
            await self._place.keep(failed=True, spoilt=True)
            raise
        finally:
            self._place.leave()

    async def _recovers(self, error: DownloadError, *, progressed: bool) -> bool:
        """Whether to ask the same server again at once; prepares for it."""
        self._recoveries += 1
        if self._recoveries > MOST_RECOVERIES:
            return False
        if error.code == "changed_on_server":
            return self._recoveries == 1
        if error.code == "checksum_mismatch" and self._spliced:
            await self._place.forget()
            self._spliced = False
            return True
        if progressed and error.code in ("truncated", "network") and self._place.record:
            self._spliced = True
            return True
        return False

    async def _ask(self, request: Request, jar: Jar) -> None:
        """Ask once, and receive as far as it goes."""
        record = self._place.record
        ask = ranges.first_ask(record) if record else None
        response = await self._client.open(request, ask.headers if ask else None, jar=jar)
        with response:
            verdict = ranges.judge(ask, response.status, response.headers)
            if verdict == "refused":
                raise self._refused(response)
            self._client.cooldown.clear(response.host)
            self._headers = response.headers
            if verdict == "unproven":
                await self._place.forget()
                raise DownloadError("changed_on_server")
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
        self._check_size(length)
        head, failure = await response.head(_LOOKED_AT)
        if not head:
            raise DownloadError("truncated", "the answer was empty")
        self._seen = content.sniff(head)
        self._framed = response.framed
        if content.promised(self._target.kind, request.url, self._target.filename):
            encoding = response.headers.get("Content-Encoding", "")
            content.check_promise(head, self._seen, encoding, urls.redact(response.url))
        proof = None if length is None else ranges.validator(response.headers)
        disposition = response.headers.get("Content-Disposition")
        await self._place.reserve(self._name(disposition, request.url, response.url), length, proof)
        end = ENDLESS if length is None else length
        await self._receive(response, 0, end, head, failure)

    def _check_size(self, length: int | None) -> None:
        if length == 0:
            raise DownloadError("truncated", "the answer was empty")
        if length is not None and length > self._terms.max_size:
            raise DownloadError("too_large", show_size(length))
        with explained():
            self._target.folder.mkdir(parents=True, exist_ok=True)
        check_room(self._target.folder, length or 0, self._terms.keep_free)

    def _name(self, disposition: str | None, asked: str, came: str) -> str:
        """The file's name; `asked` and `came` are the URLs before and after redirects."""
        ext = self._seen.ext if self._seen else None
        if self._target.stem is not None:
            return filenames.safe(f"{self._target.stem}.{ext or 'bin'}")
        endings = [filenames.extension(filenames.from_url(url) or "") for url in (asked, came)]
        url = came if endings[1] and not endings[0] else asked
        now = datetime.now(UTC).astimezone()
        wanted = self._target.filename
        return filenames.choose(wanted, disposition, url, self._target.kind, ext, now)

    async def _receive(
        self,
        response: Response,
        start: int,
        end: int,
        head: bytes = b"",
        failure: DownloadError | None = None,
    ) -> None:
        """The bytes of one response into their place; `failure` came right after `head`."""
        place = self._place
        assert place.part is not None
        lane = place.lane(Lane(place.part, start, end, self._terms.max_size, self._buckets))
        if head:
            lane.write(head)
        if failure is not None:
            raise failure
        if lane.left:
            pulse = Pulse(self._tell, place.save)
            try:
                await response.receive(lane)
            finally:
                await pulse.stop()
        if end == ENDLESS:
            place.size = lane.end = lane.at
        elif lane.left:
            raise DownloadError("truncated", f"{place.received} of {place.size} bytes")

    def _tell(self) -> None:
        self._progress.received(self._place.received, self._place.size)

    async def _finish(self, url: str) -> Fetched:
        """All bytes are here: verify them, make them durable, give them their name."""
        self._tell()
        size = self._place.size
        assert size is not None
        wanted = digests.expected(self._target.checksum, self._headers)

        def verify(part: Part) -> str | None:
            if not self._framed:
                self._check_container(part)
            return digests.verify(part.path, wanted) if wanted else None

        path, sha256 = await self._place.publish(verify, url, self._mtime())
        return Fetched(path, size, sha256, self._warning)

    def _check_container(self, part: Part) -> None:
        ext = self._seen.ext if self._seen else ""
        whole = content.whole(ext, part.size(), part.read)
        if whole is False:
            raise DownloadError("truncated", "the connection was closed early")
        self._warning = LENGTH_UNKNOWN if whole is None else None

    def _mtime(self) -> float | None:
        if self._target.mtime is not None:
            return self._target.mtime
        try:
            return parsedate_to_datetime(self._headers.get("Last-Modified", "")).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None

    async def _take_bytes(self, data: bytes) -> None:
        self._check_size(len(data))
        self._seen = content.sniff(data[: content.HEAD])
        if content.promised(self._target.kind, "", self._target.filename):
            content.check_promise(data[: content.HEAD], self._seen, "", "")
        part = await self._place.reserve(self._name(None, "", ""), len(data), None)
        self._place.lane(Lane(part, 0, len(data), self._terms.max_size, ())).write(data)

    async def _take_file(self, made: Made) -> None:
        with explained():
            self._place.size = made.path.stat().st_size

        def take(part: Path) -> None:
            try:
                move_new(made.path, part)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                copy_new(made.path, part)

        await self._place.adopt(filenames.safe(self._target.filename or made.filename), take)


def _with_mirrors(request: Request) -> list[Request]:
    """The request, then each mirror without what is meant for the first origin only."""
    bare = replace(request, mirrors=(), headers={}, referer=None)
    return [request, *(replace(bare, url=mirror) for mirror in request.mirrors)]
