"""One attempt at one file, top to bottom: ask, look, name, receive, verify, publish.

    1. recall   what an earlier attempt left, if it is provably ours
    2. ask      for the rest if there is something to go on from, else for all
    3. judge    the answer (`ranges.judge`): the rest, the whole, unproven, or no file
    4. look     at the first bytes: do they keep what was promised?
    5. name     and hold the name; perhaps an interrupted run left bytes of this file under it (2)
    6. receive  into memory, where all of it comes at once; else into `.part`, with more connections
                where they help
    7. finish   checksum, container, mark of origin, settled record, final name

An attempt goes on by itself (2) after a cut, once after a changed file or a splice that does not fit
its checksum, and with the next mirror. It is a coroutine that `driver` drives: what takes long is done
aside, everything else where the bytes came, as long as the disk is quick.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from math import inf
from threading import Lock
from typing import Any, Final

from trayagent.model import urls
from trayagent.model.disposition import from_disposition
from trayagent.model.downloads import Kind
from trayagent.model.errors import DownloadError
from trayagent.model.filenames import extension, from_url
from trayagent.model.transfer import Fetched, Progress, Request, Target
from trayagent.net.codings import is_decoded
from trayagent.net.cookies import Jar
from trayagent.net.exchange import BUFFER, EnoughError
from trayagent.net.refusals import CLOSED_EARLY, may_be_about_range
from trayagent.net.request import Answer
from trayagent.net.response import Head
from trayagent.transfer import content, ranges
from trayagent.transfer.connections import SMALLEST, Connections, refuse_part
from trayagent.transfer.destination import Destination, find_settled
from trayagent.transfer.driver import Driver, StoppedError, aside, news, place
from trayagent.transfer.equipment import Equipment
from trayagent.transfer.finish import (
    COMPRESSED,
    Origin,
    check_size,
    choose_name,
    finish,
    finish_whole,
    is_meant_compressed,
)
from trayagent.transfer.folders import Look, explained, full_disk
from trayagent.transfer.lane import ENDLESS, Lane
from trayagent.transfer.speed_limit import buckets_of, is_limited, piece_of, spend
from trayagent.transfer.writer import Writer

MOST_RECOVERIES: Final = 3
"""How often one attempt goes on by itself after a cut or a lie; then the pool waits before the next."""
AT_ONCE: Final = 0.25
"""Seconds that a short body is waited for before it goes to the disk piece by piece."""
SAVE_EVERY: Final = 1.0
LOOKED_AT: Final = 512
"""Bytes that are waited for before a file gets its name."""
LOOKED_THROUGH: Final = 64 * 1024
"""Bytes that are waited for where nothing but white space comes before what was promised."""


class Attempt:
    """The state of one attempt; used once. Only `stop` is for threads but the one that drives `run`."""

    def __init__(
        self,
        equipment: Equipment,
        request: Request,
        target: Target,
        progress: Progress,
        driver: Driver[Any],
    ) -> None:
        self._client = equipment.client
        self._terms = equipment.terms
        self._folders = equipment.folders
        self._buckets = buckets_of(equipment.everything, target.speed_limit)
        self._requests = request.each_source()
        self._first = self._source = self._requests[0]
        self._jar = Jar(request.cookies)
        self._target = target
        self._progress = progress
        self._destination = Destination(
            equipment.names, equipment.settled, target, progress, equipment.terms.keep_free
        )
        self._settled = equipment.settled
        self._origin = Origin()
        self._answers: list[Answer] = []
        """Those that have not ended, as far as anybody looked."""
        self._writer: Writer | None = None
        self._lock = Lock()
        self._driver = driver
        self._has_news = False
        self._is_stopped = False
        self._is_spliced = False
        self._is_one_stream = False
        self._has_no_parts = False
        """The server refused the rest, for being a part perhaps: all of it is asked for."""
        self._earlier = b""
        """The first bytes of what was here before the last request."""
        self._is_raw = is_meant_compressed(target, request)
        self._recoveries = 0
        self._saved_at = 0.0
        self._look: Look | None = None

    def stop(self) -> None:
        """End soon, keeping what can be resumed; for any thread."""
        self._is_stopped = True
        self._note_news()

    async def run(self) -> Fetched:
        """Fetch and publish. Raises DownloadError, StoppedError; keeps what can be resumed."""
        destination = self._destination
        if (is_slow := self._folders.is_slow(self._target.folder)) != self._driver.is_alone:
            await place(is_alone=is_slow)
        try:
            await self._check_room(0)
            if self._target.path is not None:  # not the first attempt
                # It may have been cut off between its name and whoever asked for it.
                owner = self._target.owner
                if owner and (settled := find_settled(self._settled, owner)) is not None:
                    return settled
                destination.recall()
                self._earlier = destination.start(LOOKED_AT)
            while True:
                before = destination.received
                try:
                    while not destination.is_complete:
                        if (fetched := await self._ask()) is not None:
                            return fetched
                    return await self._finish()
                except DownloadError as error:
                    destination.settle_lanes()
                    self._recover(error, progressed=destination.received > before)
        except DownloadError as error:
            missing = None if destination.size is None else destination.size - destination.received
            destination.keep(failed=True, spoilt=error.traits.spoils_bytes)
            self._folders.forget(self._target.folder)
            if error.code == "disk_full" and missing:
                raise full_disk(self._target.folder, missing, self._terms.keep_free) from error
            raise
        except BaseException:
            destination.keep(failed=False)
            raise
        finally:
            destination.leave()
            # They know this attempt: a circle would keep all until a collection.
            self._writer = None
            self._answers.clear()

    async def _finish(self) -> Fetched:
        """Verify and publish: a long file waits for its disk, and may be read once more."""
        destination = self._destination
        if destination.received > BUFFER:
            return await aside(
                partial(finish, destination, self._target, self._origin, self._check_stopped)
            )
        began = time.monotonic()
        fetched = finish(destination, self._target, self._origin, self._check_stopped)
        if not self._driver.is_alone:  # there it may be the interpreter that it waited for
            self._folders.note(self._target.folder, time.monotonic() - began)
        return fetched

    def _recover(self, error: DownloadError, *, progressed: bool) -> None:
        """Prepare to ask again at once; raises the error when that is of no use."""
        self._recoveries += 1
        self._earlier = self._destination.start(LOOKED_AT) or self._earlier
        if self._recoveries <= MOST_RECOVERIES and self._is_curable(error, progressed):
            return
        if error.traits.is_ours or len(self._requests) == 1:
            raise error
        if error.traits.spoils_bytes:
            self._destination.forget()
        del self._requests[0]
        self._recoveries = 0

    def _is_curable(self, error: DownloadError, progressed: bool) -> bool:
        if error.code == "changed_on_server" or (
            error.code == "checksum_mismatch" and self._is_spliced
        ):
            self._destination.forget()
            self._is_spliced, self._is_one_stream = False, True
            return self._recoveries == 1
        if progressed and error.code in ("truncated", "network") and self._destination.record:
            self._is_spliced = True
            return True
        return False

    # -- ask and judge

    async def _ask(self) -> Fetched | None:
        """Ask once, and receive as far as it goes; returns the file where all of it came at once."""
        request, record = self._requests[0], self._destination.record
        ask = None if record is None or self._has_no_parts else self._rest(request, record)
        answer = self._send(ask)
        try:
            while (head := answer.poll()) is None:
                await self._wait(None if answer.exchange.is_slow else AT_ONCE)
                asked_at = answer.exchange.began or time.monotonic()
                answer.exchange.is_slow = time.monotonic() - asked_at >= AT_ONCE
            if head.fault is not None:
                raise head.fault
            verdict = ranges.judge(ask, head.status, head.headers)
            if verdict == "refused":
                is_busy = head.status in (429, 503)
                if ask is not None and may_be_about_range(head.status, head.url):
                    # Asked once more, for all of it; what is here stays until that comes.
                    self._has_no_parts = self._is_one_stream = True
                    return None
                raise self._client.note_busy(head) if is_busy else refuse_part(head)
            self._client.cooldown.clear(head.host)
            if ask is None and verdict == "unproven":
                raise DownloadError("truncated", "the server sent only a part")
            # A part can stand beside what is here only if both are coded, or neither.
            is_plain = self._is_raw or not head.coding or not is_decoded(head.coding)
            if ask is not None and verdict == "continue" and is_plain:
                self._origin = self._origin.with_rest(request.url, head.headers)
                self._is_spliced = True
                await self._receive(answer, self._new_lane(ask.start, ask.end), is_ranged=True)
            elif verdict == "whole":
                return await self._begin(request, head, answer)
            else:
                raise DownloadError("changed_on_server")
            return None
        finally:
            if not answer.exchange.ended:
                await self._end(answer)
            if self._writer is not None:
                self._drain_early()
                self._destination.take_back(self._writer.drop())

    def _rest(self, request: Request, record: ranges.Record) -> ranges.Ask | None:
        """The range to ask for, if this address's validators tell what the bytes are.

        Another's are its own, so that a checksum must tell.
        """
        if request is not self._source and self._target.checksum is None:
            return None
        return ranges.first_ask(record, ranges.coding(self._origin.headers))

    def _send(self, ask: ranges.Ask | None) -> Answer:
        answer = self._client.ask(
            self._requests[0],
            ask.headers if ask else None,
            self._note_news,
            jar=self._jar,
            raw=self._is_raw or ask is not None,
            piece=piece_of(self._buckets),
        )
        if self._answers:
            self._answers = [one for one in self._answers if not one.exchange.ended]
        self._answers.append(answer)
        return answer

    # -- look, name, receive

    async def _begin(self, request: Request, head: Head, answer: Answer) -> Fetched | None:
        """A whole file is coming: look at it, name it, receive it; returns it where it is here at once."""
        has_coding = head.coding != "" and not answer.is_raw and is_decoded(head.coding)
        length = None if has_coding else head.length
        self._terms.check(length)
        if length is not None:
            check_size(self._target, length)
        medium = self._promise(request, head)
        data = await self._look_at(answer, is_further=medium is not None)
        # A coding has an end of its own, which was looked for.
        is_framed = head.is_framed or has_coding
        if not data and (medium is not None or not is_framed):
            raise DownloadError("truncated", "the answer was empty")
        seen = content.sniff(data, head.headers.get("Content-Type", ""))
        self._origin = Origin(request.url, head.headers, seen, is_framed, has_coding)
        self._check_promise(head, data, medium)
        disposition = head.headers.get("Content-Disposition")
        name = choose_name(self._target, seen, disposition, request.url, head.url, self._look)
        if has_coding and extension(name) in COMPRESSED:
            self._is_raw = True
            return None  # to be asked again: this one is meant to stay compressed
        # Before any name is held: another folder may be another disk, and is looked at first.
        if (target := self._destination.choose_folder(name)) is not self._target:
            self._target = target
            await self._check_room(length or 0)
        exchange = answer.exchange
        is_over = exchange.ended and not (exchange.error or exchange.pieces)
        is_short = length in (None, len(data)) and len(data) <= self._terms.max_size
        is_whole = is_over and is_short
        if is_whole and (fetched := self._save_whole(name, data)) is not None:
            return fetched
        # A proxy may change the file another way each time, and leaves the validators as they were.
        is_provable = length is not None and head.status != 203
        proof = ranges.validator(head.headers) if is_provable else None
        if request is self._first and self._destination.find(name, proof):
            return None  # to be asked again, for the rest only
        await self._check_room(length or 0)
        self._destination.reserve(name, length, proof)
        self._source = request
        self._destination.is_lasting = request is self._first or self._target.checksum is not None
        if is_whole:
            self._destination.take_whole(data)
            await self._rest_for(spend(self._buckets, len(data)))
        else:
            await self._store(head, answer, data, length)
        return None

    def _save_whole(self, name: str, data: bytes) -> Fetched | None:
        """Verify and publish a file that came at once; None: it takes the way of longer ones."""
        if is_limited(self._buckets):
            return None  # the limit is waited for with the bytes kept
        began = time.monotonic()
        fetched = finish_whole(
            self._destination, name, data, self._target, self._origin, self._check_stopped
        )
        if not self._driver.is_alone:  # there it may be the interpreter that it waited for
            self._folders.note(self._target.folder, time.monotonic() - began)
        return fetched

    async def _store(self, head: Head, answer: Answer, data: bytes, length: int | None) -> None:
        """The first bytes, and all that follow them."""
        exchange, count = answer.exchange, len(data)
        if not exchange.ended:
            self._destination.create()
        lane = self._new_lane(0, ENDLESS if length is None else length)
        try:
            wait = lane.take_all((data,), count) if data else 0.0
        except EnoughError:
            wait = 0.0
        self._drain()
        await self._rest_for(wait)
        if not exchange.ended or exchange.pieces:
            if lane.left:
                await self._receive(answer, lane, is_ranged=ranges.accepts_ranges(head.headers))
        elif exchange.error is not None:
            raise exchange.error
        if length is None:
            self._destination.size = lane.end = lane.at
        elif lane.left:
            raise DownloadError("truncated", CLOSED_EARLY)

    def _promise(self, request: Request, head: Head) -> Kind | None:
        """What was promised, also by the name the file would get and by the URL that answered."""
        given = self._target.filename
        if given is None and (disposition := head.headers.get("Content-Disposition")):
            given = from_disposition(disposition)
        came = None if head.url == request.url else from_url(head.url)
        return content.medium_promised(self._target.kind, request.url, given, came)

    async def _look_at(self, answer: Answer, *, is_further: bool) -> bytes:
        """The first bytes: all of a short body that comes at once, some of any other.

        Further where only white space has come: what hides behind it may break the promise.
        """
        exchange, data = answer.exchange, b""
        until = 0.0 if exchange.ended else time.monotonic() + AT_ONCE
        while not exchange.ended and exchange.gathered < exchange.wanted:
            left = until - time.monotonic()
            if left <= 0 and exchange.gathered >= LOOKED_AT:
                break
            await self._wait(left if left > 0 else AT_ONCE)
        data = exchange.take_pieces()
        while is_further and len(data) < LOOKED_THROUGH and content.is_blank(data):
            if exchange.ended and not exchange.pieces:
                break
            if not exchange.pieces:
                exchange.room = LOOKED_THROUGH + exchange.piece
                answer.resume()  # under a slow limit it is paused already
                await self._wait(AT_ONCE)
            data += exchange.take_pieces()
        if not data and exchange.error is not None:
            raise exchange.error
        return data

    def _check_promise(self, head: Head, data: bytes, medium: Kind | None) -> None:
        seen, looked_at = self._origin.seen, data[:LOOKED_THROUGH]
        if medium is not None:
            content.check_promise(looked_at, seen, head.headers, urls.redact(head.url), medium)
        found = content.page(looked_at, seen)
        # A page in the place of a file that began as none: whoever is in between wants a word first.
        is_other = found == "html" and self._earlier and not content.is_page(self._earlier)
        if (self._target.pages and found) or (is_other and self._target.kind != "file"):
            raise content.refusal(looked_at, seen, urls.redact(head.url))

    async def _receive(self, answer: Answer, lane: Lane, *, is_ranged: bool) -> None:
        """The bytes of an answer into its lane, and those of more connections if that is worth it."""
        destination, exchange = self._destination, answer.exchange
        if destination.record is not None and is_ranged and lane.left >= 4 * SMALLEST:
            wanted = self._target.segments or self._terms.segments
            await Connections(
                destination,
                ask=self._send,
                new_lane=self._new_lane,
                spare=lambda: self._client.transport.spare(exchange.endpoint.origin.authority),
                wait=self._wait,
                end=self._end,
                lock=self._lock,
            ).run(answer, lane, 1 if self._is_one_stream else wanted)
            self._drain()
            return
        lane.reach = lane.end
        answer.attach(lane)
        while not exchange.ended:
            await self._wait(SAVE_EVERY)
        try:
            while exchange.pieces:
                piece = exchange.pieces.popleft()
                lane.take_all((piece,), len(piece))
        except EnoughError:
            exchange.pieces.clear()
        self._drain()
        if exchange.error is not None:
            raise exchange.error
        if lane.left and lane.end != ENDLESS:
            raise DownloadError("truncated", CLOSED_EARLY)

    def _new_lane(self, start: int, end: int) -> Lane:
        part = self._destination.part
        assert part is not None
        if self._writer is None or self._writer.part is not part:
            self._writer = Writer(part, self._driver.wake, self._check_stopped)
        lane = Lane(
            self._writer,
            start,
            end,
            limit=self._terms.max_size,
            buckets=self._buckets,
            progress=self._progress,
            lock=self._lock,
        )
        return self._destination.add(lane)

    def _note_news(self) -> None:
        """There is news but bytes; for any thread."""
        self._has_news = True
        self._driver.wake()

    async def _wait(self, seconds: float | None) -> None:
        """Wait for news, at most so long; write what is queued meanwhile, save about once a second.

        Raises StoppedError, and DownloadError for what the disk says.
        """
        until = inf if seconds is None else time.monotonic() + seconds
        while True:
            if self._writer is not None:
                self._drain()
            if self._has_news or (left := until - time.monotonic()) <= 0:
                break
            await news(left)
        self._has_news = False
        self._check_stopped()
        if self._writer is None or not self._writer.part.on_disk:
            return
        now = time.monotonic()
        if not self._saved_at:
            self._saved_at = now
        elif now - self._saved_at >= SAVE_EVERY:
            # It waits for the disk to have everything, and the connections bring more meanwhile.
            await aside(partial(self._destination.save, self._drain), self._drain_early)
            self._saved_at = time.monotonic()

    async def _end(self, answer: Answer) -> None:
        """Return once the engine writes nothing of it any more; never for long."""
        answer.cancel()
        while not answer.exchange.ended:
            await news()

    async def _rest_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await self._wait(left)

    def _drain(self, *, waits: bool = True) -> None:
        """Write what a slow disk has not taken yet, and let whoever waits for that go on."""
        if self._writer is None:
            return
        with explained():
            is_room_again = self._writer.drain(waits=waits)
        if is_room_again:
            for answer in self._answers:
                answer.resume()

    def _drain_early(self) -> None:
        """Write what came while something else is awaited, or failed: an error of the disk is not the point now."""
        with suppress(DownloadError, StoppedError):
            self._drain(waits=False)

    async def _check_room(self, needed: int) -> None:
        """Look at the folder: for the first time aside, for nobody knows what disk it is on."""
        folders, folder = self._folders, self._target.folder
        self._look = folders.recent_look(folder, needed)
        if self._look is None:
            act = partial(folders.check, folder, needed, self._terms.keep_free)
            self._look = act() if folders.is_known(folder) else await aside(act)

    def _check_stopped(self) -> None:
        if self._is_stopped:
            raise StoppedError
