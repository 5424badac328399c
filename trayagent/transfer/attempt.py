"""One attempt at one file: the steps from a request to a published name, top to bottom."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal

from msgspec.structs import replace

from trayagent.model import urls
from trayagent.model.download import Kind
from trayagent.model.errors import DownloadError
from trayagent.model.filenames import from_disposition, from_url
from trayagent.model.transfer import Fetched, Request, Target
from trayagent.net.cookies import Jar
from trayagent.net.response import Response
from trayagent.transfer import content, ranges
from trayagent.transfer.answers import doubt, refused
from trayagent.transfer.finish import Came, finish
from trayagent.transfer.lane import ENDLESS, Lane
from trayagent.transfer.names import name_for
from trayagent.transfer.place import Place
from trayagent.transfer.pulse import Pulse
from trayagent.transfer.segments import SMALLEST, Segments
from trayagent.transfer.terms import Equipment
from trayagent.transfer.throttle import buckets_of

MOST_RECOVERIES: Final = 3
"""How often one attempt goes on by itself after a cut or a lie; then the pool waits before the next."""

_LOOKED_AT: Final = 512
"""Bytes that are waited for before a file gets its name."""
_LOOKED_THROUGH: Final = 64 * 1024
"""Bytes that are waited for where nothing but white space comes before what was promised."""
_OURS: Final = frozenset({"disk_full", "permission_denied", "too_large", "internal"})
"""Codes about this machine: no other server changes them."""
_SPOILT: Final = frozenset({"checksum_mismatch", "internal"})
"""Codes after which the bytes are of no use."""


class Attempt:
    """The state of one attempt; used once."""

    def __init__(
        self, equipment: Equipment, request: Request, target: Target, progress: Any
    ) -> None:
        self._client = equipment.client
        self._terms = equipment.terms
        self._folders = equipment.folders
        self._buckets = buckets_of(equipment.everything, target.speed_limit)
        self._requests = _with_mirrors(request)
        self._first = self._source = self._requests[0]
        self._jar = Jar(request.cookies)
        self._target = target
        self._progress = progress
        self._place = Place(equipment, target, progress)
        self._came = Came()
        self._spliced = False
        self._one_stream = False
        self._recoveries = 0

    async def run(self) -> Fetched:
        """Fetch and publish. Raises DownloadError; keeps what can be resumed."""
        place = self._place
        try:
            await self._check_room(0)
            await place.recall()
            while True:
                before = place.received
                try:
                    while not place.complete:
                        await self._ask()
                    self._tell()
                    return await finish(place, self._target, self._came)
                except DownloadError as error:
                    place.settle_lanes()
                    await self._recover(error, progressed=place.received > before)
        except DownloadError as error:
            await place.keep(failed=True, spoilt=error.code in _SPOILT)
            raise
        except BaseException:
            await place.keep(failed=False)
            raise
        finally:
            place.leave()

    async def _recover(self, error: DownloadError, *, progressed: bool) -> None:
        """Prepare to ask again at once; raises the error when that is of no use."""
        self._recoveries += 1
        if self._recoveries <= MOST_RECOVERIES and await self._is_curable(error, progressed):
            return
        if error.code in _OURS or len(self._requests) == 1:
            raise error
        if error.code in _SPOILT:
            await self._place.forget()
        del self._requests[0]
        self._recoveries = 0

    async def _is_curable(self, error: DownloadError, progressed: bool) -> bool:
        if error.code == "changed_on_server" or (
            error.code == "checksum_mismatch" and self._spliced
        ):
            await self._place.forget()
            self._spliced, self._one_stream = False, True
            return self._recoveries == 1
        if progressed and error.code in ("truncated", "network") and self._place.record:
            self._spliced = True
            return True
        return False

    async def _ask(self) -> None:
        """Ask once, and receive as far as it goes."""
        request, record = self._requests[0], self._place.record
        ask = self._rest(request, record)
        with await self._open(ask) as response:
            verdict = ranges.judge(ask, response.status, response.headers)
            if verdict == "refused":
                raise self._refused(response)
            self._client.cooldown.clear(response.host)
            if verdict == "unproven":
                raise doubt(ask)
            if ask is not None and verdict == "continue":
                self._came = self._came.continued(request.url, response.headers)
                self._spliced = True
                await self._receive(response, self._lane(ask.start, ask.end), ranged=True)
            else:
                await self._begin(request, response)

    def _rest(self, request: Request, record: ranges.Record | None) -> ranges.Ask | None:
        if record is None or not self._tells(request):
            return None
        return ranges.first_ask(record, ranges.coding(self._came.headers))

    def _tells(self, request: Request) -> bool:
        """Whether this address's validators tell what the bytes are: another's are its own, so a checksum must."""
        return request is self._source or self._target.checksum is not None

    async def _open(self, ask: ranges.Ask | None) -> Response:
        headers = ask.headers if ask else None
        return await self._client.open(self._requests[0], headers, jar=self._jar)

    def _refused(self, response: Response) -> DownloadError:
        if response.status in (429, 503):
            return self._client.busy(response)
        return refused(response)

    async def _begin(self, request: Request, response: Response) -> None:
        """A whole file is coming: look at it, name it, receive it."""
        length = response.length
        self._terms.check(length)
        medium = self._promised(request, response)
        head, failure = await _look(response, further=medium is not None)
        if not head:
            raise DownloadError("truncated", "the answer was empty")
        self._came = Came(request.url, response.headers, content.sniff(head), response.framed)
        self._check_promise(response, head, medium)
        proof = None if length is None else ranges.validator(response.headers)
        disposition = response.headers.get("Content-Disposition")
        name = name_for(self._target, self._came.seen, disposition, request.url, response.url)
        if request is self._first and await self._place.find(name, proof):
            return  # to be asked again, for the rest only
        await self._check_room(length or 0)
        await self._place.reserve(name, length, proof)
        self._source = request
        self._place.lasting = request is self._first or self._target.checksum is not None
        lane = self._lane(0, ENDLESS if length is None else length)
        wait = lane.write(head)
        if failure is not None:
            raise failure
        if wait:
            await asyncio.sleep(wait)
        await self._receive(response, lane, ranged=ranges.accepts_ranges(response.headers))
        if length is None:
            self._place.size = lane.end = lane.at

    def _promised(self, request: Request, response: Response) -> Kind | None:
        """What was promised, also by the name the file would get and by the URL that answered."""
        given = self._target.filename
        if given is None and (disposition := response.headers.get("Content-Disposition")):
            given = from_disposition(disposition)
        came = None if response.url == request.url else from_url(response.url)
        return content.promised(self._target.kind, request.url, given, came)

    def _check_promise(self, response: Response, head: bytes, medium: Kind | None) -> None:
        seen = self._came.seen
        if medium is not None:
            url = urls.redact(response.url)
            content.check_promise(head, seen, response.headers, url, medium)
        if self._target.pages and content.page(head, seen):
            raise content.refusal(head, seen, urls.redact(response.url))

    async def _receive(self, response: Response, lane: Lane, *, ranged: bool) -> None:
        """The bytes of a response into its lane, and those of more connections if that is worth it."""
        if not lane.left:
            return
        pulse = Pulse(self._tell, self._place.save)
        try:
            if self._place.record is not None and ranged and lane.left >= 4 * SMALLEST:
                segments = Segments(
                    self._place,
                    self._open,
                    self._lane,
                    lambda: self._client.slots.spare(response.host),
                )
                await segments.run(response, lane, self._wanted())
            else:
                await response.receive(lane)
                if lane.left and lane.end != ENDLESS:
                    raise DownloadError("truncated", "the connection was closed early")
        finally:
            await pulse.stop()

    async def _check_room(self, needed: int) -> None:
        await self._folders.check(self._target.folder, needed, self._terms.keep_free)

    def _wanted(self) -> int | Literal["auto"]:
        return 1 if self._one_stream else self._target.segments or self._terms.segments

    def _lane(self, start: int, end: int) -> Lane:
        assert self._place.part is not None
        limit = self._terms.max_size
        return self._place.lane(Lane(self._place.part, start, end, limit, self._buckets))

    def _tell(self) -> None:
        self._progress.received(self._place.received, self._place.size)


async def _look(response: Response, *, further: bool) -> tuple[bytes, DownloadError | None]:
    """As `Response.head`, also beyond white space where `further` is asked for."""
    head, failure = await response.head(_LOOKED_AT)
    while further and not failure and len(head) < _LOOKED_THROUGH and content.is_blank(head):
        try:
            more, failure = await response.head(_LOOKED_AT)
        except DownloadError as error:
            return head, error
        if not more:
            break
        head += more
    return head, failure


def _with_mirrors(request: Request) -> list[Request]:
    """The request, then each mirror without what is meant for the first origin only."""
    if not request.mirrors:
        return [request]
    bare = replace(request, mirrors=(), headers={}, referer=None)
    return [request, *(replace(bare, url=mirror) for mirror in request.mirrors)]
