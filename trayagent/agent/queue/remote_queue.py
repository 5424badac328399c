"""Downloads that an engine elsewhere fetches: handed over at most once, watched, and steered from here.

    state      in the database                what is known             a kill here leaves
    ---------  -----------------------------  ------------------------  -------------------------------
    queued     no hand-over                   the engine has not heard  nothing to find out
    offered    a hand-over with its gid and   it may have heard         the next look decides, see below
               the engine's mark
    known      the same, `is_known`           it has the download       the next look shows how it is
    ended      no hand-over; the row says     completed, failed, or     nothing
               the outcome                    cancelled

What follows a look, for an offered or known download, depends on what the engine says of its gid:

    the engine says   offered                         known
    ----------------  ------------------------------  -----------------------------------------------
    nothing           mark as at the offer: it never  failed, `engine_forgot`
                      heard, it is told again;
                      another mark: `engine_forgot`
    waiting, active   known                           shown as queued, active
    paused            known                           shown as queued until three looks agree that
                                                      somebody paused it there: then paused here, too
    complete          completed, also if it was       the same
                      cancelled here meanwhile
    error             failed, with its reason         the same
    removed           failed: somebody removed it     the same

An engine takes each gid once as long as it remembers it, and its mark tells whether it forgot anything. So
a download is told again only where it cannot have begun; in every doubt it fails, and a person decides.
A download that nobody wants any more (cancelled, removed) is removed there, and then its hand-over goes.

What a person asks changes the row first. Each turn compares what the engine was told last (`is_paused`,
`speed_limit`) with what the row wants, so that a command survives kills and an engine that is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from trayagent.agent.bus import Bus
from trayagent.agent.queue.job import request_of
from trayagent.engines.aria2 import (
    EngineCall,
    Offer,
    RemoteStatus,
    RemoteView,
    error_of,
    fitting,
)
from trayagent.model import units, urls
from trayagent.model.downloads import State
from trayagent.model.errors import DownloadError, StoreUnavailableError
from trayagent.model.events import (
    BatchEvent,
    DownloadEvent,
    DownloadProgress,
)
from trayagent.model.jobs import Job
from trayagent.model.settings import EngineSettings, NetworkSettings
from trayagent.net.address_policy import AddressPolicy
from trayagent.net.cookies import Jar
from trayagent.store import handovers
from trayagent.store.database import Database
from trayagent.store.downloads import Change
from trayagent.store.handovers import Arrival, Handover
from trayagent.store.secrets import SecretFiles
from trayagent.transfer.failpoints import failpoint

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Between two looks at an engine that has something of ours."""
AWAY_SECONDS: Final = 5.0
"""Between two tries to reach an engine that is away."""
AWAY_LOOKS: Final = 3
"""Looks that fail before downloads are shown as waiting: one lost answer is no news."""
MOST_UNDER_WAY: Final = 400
"""Downloads that one engine has at a time. aria2 remembers 1,000 results: what we do not see for a night
stays well below that, so that none of it is forgotten."""
MOST_OFFERED_AT_ONCE: Final = 100
SURE_LOOKS: Final = 3
"""Looks that must agree before what somebody did at the engine counts here: its own pauses take a moment."""


class RemoteEngine(Protocol):
    """An engine, as far as it is needed here."""

    settings: EngineSettings

    async def look(self, gids: Sequence[str]) -> RemoteView:
        """What it remembers, and how these downloads are."""

    async def take(self, offer: Offer) -> EngineCall:
        """The command that hands a download over."""

    async def send(self, commands: Sequence[EngineCall]) -> list[str | None]:
        """Each command's error, None for what was done."""

    async def version(self) -> str:
        """Its version, for people."""


class Next(Struct, frozen=True):
    """What follows a look at one download."""

    ended: RemoteStatus | DownloadError | None = None
    """It is complete, or failed."""
    is_gone: bool = False
    """Nobody wants it, and the engine has nothing of it: the hand-over goes."""
    is_to_be_told: bool = False
    """The engine cannot have heard of it."""
    is_to_be_removed: bool = False
    is_seen: bool = False
    """The engine has it, and goes on with it."""


def next_step(
    handover: Handover,
    seen: RemoteStatus | None,
    mark: str,
    *,
    refusal: str | None = None,
    is_removed_by_us: bool = False,
) -> Next:
    """The tables above; `refusal` is what the engine answered when it was told, if it would not have it.

    A download that was cancelled, removed there by us, and retried before we saw it go is queued again.
    """
    is_over = seen is None or seen.state in ("error", "removed")
    if seen is not None and seen.state == "complete":
        wanted = handover.order.size
        if wanted is not None and wanted != seen.size:
            damage = f"it has {seen.size} bytes, not {wanted}"
            return Next(DownloadError("checksum_mismatch", damage))
        return Next(seen)
    if not handover.is_wanted or (is_removed_by_us and is_over):
        return Next(is_gone=is_over, is_to_be_removed=not is_over)
    if seen is None:
        return _next_of_unknown(handover, mark, refusal)
    if seen.state == "error":
        return Next(error_of(handover.engine, seen))
    if seen.state == "removed":
        return Next(DownloadError("cancelled", f"somebody removed it at {handover.engine}"))
    return Next(is_seen=True)


def _next_of_unknown(handover: Handover, mark: str, refusal: str | None) -> Next:
    """What follows for a wanted download that the engine does not have."""
    if refusal is not None:
        said = f"{handover.engine} says: {refusal.rstrip('.')}"
        return Next(DownloadError("engine_failed", said))
    # Not known yet, and nothing was forgotten since the offer: our request never got there.
    if not handover.is_known and handover.mark == mark:
        return Next(is_to_be_told=True)
    return Next(DownloadError("engine_forgot", f"at {handover.engine}"))


def arrival_of(handover: Handover, seen: RemoteStatus, settings: EngineSettings) -> Arrival:
    """Where a complete file is, here and there, and whether anybody verified it."""
    # aria2 says `complete` only after the checksum that it was given was right.
    warning = f"{settings.name} fetched it to {seen.path}; it was not verified by us."
    path = None
    if settings.mounted:
        with suppress(ValueError):
            inside = PurePosixPath(seen.path).relative_to(settings.folder)
            # The engine's word leads to no other place of this machine.
            if ".." not in inside.parts:
                path = str(Path(settings.mounted, *inside.parts))
    return Arrival(path, seen.path, seen.size, None if handover.order.checksum else warning)


def _told(handover: Handover, command: EngineCall) -> tuple[int, bool, int]:
    """What the engine knows after a command, as `handovers.note_told` keeps it."""
    is_paused, limit = handover.is_paused, handover.speed_limit
    if command.method == "aria2.changeOption":
        limit = units.parse_size(handover.order.speed_limit or "0")
    elif command.method in ("aria2.forcePause", "aria2.unpause"):
        is_paused = command.method == "aria2.forcePause"
    return handover.number, is_paused, limit


class RemoteQueue:
    """One engine and what it has of ours. All of it is for the front loop."""

    def __init__(
        self,
        engine: RemoteEngine,
        db: Database,
        bus: Bus,
        secrets: SecretFiles,
        network: NetworkSettings,
        is_held: Callable[[], bool],
    ) -> None:
        self.engine = engine
        self.name = engine.settings.name
        self.away: DownloadError | None = None
        """Why it does not answer; None: it did, the last time."""
        self.next_look: float | None = None
        """Unix seconds, while it is away."""
        self.under_way = 0
        self._db = db
        self._bus = bus
        self._secrets = secrets
        self._policy = AddressPolicy(network)
        self._is_held = is_held
        self._bell = asyncio.Event()
        self._failed_looks = 0
        self._refusals: dict[str, str] = {}
        """What the engine answered to an offer that it would not have, by gid."""
        self._deviations: dict[str, int] = {}
        """For how many looks a download has been paused, or not, against our word."""
        self._shown: dict[str, DownloadProgress] = {}
        self._removed: set[str] = set()
        """What was removed there because nobody here wanted it."""

    def __repr__(self) -> str:
        return f"<RemoteQueue {self.name}: {self.under_way}{', away' if self.away else ''}>"

    def wake(self) -> None:
        """There may be something to do."""
        self._bell.set()

    async def run(self) -> None:
        """Hand over, watch and steer until cancelled; sleeps while the engine has nothing to do."""
        while True:
            self._bell.clear()
            try:
                is_more = await self._take_turn()
                pause: float | None = 0.0 if is_more else LOOK_SECONDS
                if not self.under_way and not is_more:
                    pause = None
            except DownloadError as error:
                pause = AWAY_SECONDS if self._failed_looks + 1 >= AWAY_LOOKS else LOOK_SECONDS
                await self._note_away(error, pause)
                await asyncio.sleep(pause)  # whatever rings: an engine that is away is not hammered
                continue
            except StoreUnavailableError as error:
                log.warning("%s waits: %s", self.name, error.message)
                pause = AWAY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._bell.wait()

    # -- one turn: look, note what ended, tell what is wanted

    async def _take_turn(self) -> bool:
        """Returns whether there is more to hand over at once. Raises DownloadError when it is away."""
        under_way = await self._db.run(handovers.current, self.name)
        self.under_way = len(under_way)
        if not under_way and not await self._db.run(handovers.waiting, self.name):
            return False
        view = await self.engine.look([handover.gid for handover in under_way])
        if self.away is not None:
            log.info("%s answers again", self.name)
        self.away, self.next_look, self._failed_looks = None, None, 0
        commands: list[tuple[Handover, EngineCall]] = []
        for handover in under_way:
            seen = view.downloads.get(handover.gid)
            following = next_step(
                handover,
                seen,
                view.mark,
                refusal=self._refusals.pop(handover.gid, None),
                is_removed_by_us=handover.gid in self._removed,
            )
            # 1. It has ended there, well or badly.
            # 2. It is gone, as we wanted.
            # 3. Nobody wants it any more: it is to go.
            # 4. Our request never got there: it is offered again.
            # 5. It is at work: what is wanted otherwise is said.
            if following.ended is not None:
                await self._end(handover, following.ended)
            elif following.is_gone:
                self._removed.discard(handover.gid)
                await self._db.run(handovers.end, handover.number)
            elif following.is_to_be_removed:
                commands.append((handover, EngineCall("aria2.forceRemove", handover.gid)))
            elif following.is_to_be_told:
                commands += await self._offer(handover)
            elif seen is not None:
                commands += await self._steer(handover, seen)
        offered: list[Handover] = []
        if not self._is_held():
            offered = await self._db.run(
                handovers.offer, self.name, view.mark, MOST_UNDER_WAY, MOST_OFFERED_AT_ONCE
            )
            for handover in offered:
                commands += await self._offer(handover)
        self.under_way += len(offered)
        failpoint("engine-offered")
        while commands:
            count = fitting([command for _, command in commands])
            await self._send(commands[:count])
            commands = commands[count:]
        return len(offered) == MOST_OFFERED_AT_ONCE

    async def _offer(self, handover: Handover) -> list[tuple[Handover, EngineCall]]:
        """The command that tells the engine of a download; none for one that may not be fetched."""
        order, download = handover.order, handover.download
        assert download is not None  # a hand-over that nobody wants is not told
        job = Job(
            n=handover.n,
            id=handover.id,
            key="",
            url=handover.url,
            host=urls.authority(handover.url),
            order=order,
            path=None,
            attempts=0,
            via=download.via,
            source=None,
        )
        if self._secrets.has(handover.id):
            secrets = await asyncio.to_thread(self._secrets.load, handover.id)
            job = replace(job, secrets=secrets)
        request = request_of(job)
        try:
            # The engine resolves names for us, as a proxy does: only the address itself can be judged.
            for url in (request.url, *request.mirrors):
                _, host, port = urls.origin(url)
                self._policy.check(host, port, request.named)
        except DownloadError as error:
            await self._end(handover, error)
            return []
        if cookies := Jar(request.cookies).header(request.url):
            # An engine has no jar: the cookies that this address would get go along as one header.
            raw = next((v for k, v in request.headers.items() if k.lower() == "cookie"), "")
            others = {k: v for k, v in request.headers.items() if k.lower() != "cookie"}
            words = f"{raw}; {cookies}" if raw else cookies
            request = replace(request, headers={**others, "Cookie": words})
        offer = Offer(
            handover.gid,
            request,
            filename=order.filename,
            folder=order.folder,
            checksum=order.checksum,
            segments=order.segments,
            speed_limit=handover.speed_limit,
        )
        return [(handover, await self.engine.take(offer))]

    async def _steer(
        self, handover: Handover, seen: RemoteStatus
    ) -> list[tuple[Handover, EngineCall]]:
        """Show what the engine does, and tell it what is wanted otherwise."""
        if not handover.is_known:
            await self._db.run(handovers.note_known, [handover.number])
        download = handover.download
        assert download is not None
        commands: list[tuple[Handover, EngineCall]] = []
        is_paused = seen.state == "paused"
        is_to_pause = download.state == State.PAUSED or self._is_held()
        limit = units.parse_size(handover.order.speed_limit or "0")
        if is_to_pause not in (handover.is_paused, is_paused):
            method = "aria2.forcePause" if is_to_pause else "aria2.unpause"
            commands.append((handover, EngineCall(method, handover.gid)))
        elif is_to_pause != handover.is_paused:
            told = (handover.number, is_to_pause, handover.speed_limit)
            await self._db.run(handovers.note_told, [told])
        elif is_paused != is_to_pause:
            # It was told, and does otherwise: after a while that is somebody's word over there.
            self._deviations[handover.gid] = self._deviations.get(handover.gid, 0) + 1
            if self._deviations[handover.gid] >= SURE_LOOKS:
                change = await self._db.run(handovers.adopt, handover, paused=is_paused)
                self._announce(change, "paused" if is_paused else "resumed")
        if is_paused == is_to_pause:
            self._deviations.pop(handover.gid, None)
        if limit != handover.speed_limit:
            option = {"max-download-limit": str(limit)}
            command = EngineCall("aria2.changeOption", handover.gid, (handover.gid, option))
            commands.append((handover, command))
        await self._show(handover, seen)
        return commands

    async def _show(self, handover: Handover, seen: RemoteStatus) -> None:
        download = handover.download
        assert download is not None
        state = State.ACTIVE if seen.state == "active" else State.QUEUED
        if download.state not in (State.PAUSED, state):
            change = await self._db.run(
                handovers.show, handover, state, seen.path or None, time.time()
            )
            self._announce(change, "started" if state == State.ACTIVE else "requeued")
        progress = DownloadProgress(handover.id, seen.received, seen.size or None, seen.speed)
        if state == State.ACTIVE and self._shown.get(handover.gid) != progress:
            self._shown[handover.gid] = progress
            self._bus.publish(progress)

    async def _send(self, commands: Sequence[tuple[Handover, EngineCall]]) -> None:
        """Send what one request can carry. Raises DownloadError when its answer is lost."""
        try:
            answers = await self.engine.send([command for _, command in commands])
        except DownloadError as error:
            if not error.spent:
                # Nothing was sent, so nobody can have heard of what was offered just now: it is queued.
                for handover, command in commands:
                    if command.method == "aria2.addUri" and handover.download is not None:
                        await self._db.run(handovers.end, handover.number)
            raise
        failpoint("engine-told")
        done: list[tuple[Handover, EngineCall]] = []
        for (handover, command), refusal in zip(commands, answers, strict=True):
            if refusal is None:
                done.append((handover, command))
            elif command.method == "aria2.addUri":
                self._refusals[handover.gid] = refusal  # the next look tells whether it has it
            else:
                log.info("%s: %s of %s: %s", self.name, command.method, handover.id, refusal)
        known = [one.number for one, command in done if command.method == "aria2.addUri"]
        told = [_told(*one) for one in done if one[1].method != "aria2.addUri"]
        self._removed |= {one.gid for one, command in done if command.method == "aria2.forceRemove"}
        await self._db.run(handovers.note_known, known)
        await self._db.run(handovers.note_told, told)

    # -- what follows

    async def _end(self, handover: Handover, ended: RemoteStatus | DownloadError) -> None:
        self._shown.pop(handover.gid, None)
        self._deviations.pop(handover.gid, None)
        if isinstance(ended, DownloadError):
            if self._secrets.has(handover.id):
                ended.tell_login_is_gone()
            log.info("%s failed at %s: %s", handover.id, self.name, ended.code)
            change = await self._db.run(handovers.fail, handover, ended, time.time())
            self._announce(change, "failed")
        else:
            failpoint("engine-ended")
            arrival = arrival_of(handover, ended, self.engine.settings)
            change = await self._db.run(handovers.complete, handover, arrival, time.time())
            self._announce(change, "completed")
        if self._secrets.has(handover.id):
            await asyncio.to_thread(self._secrets.erase, handover.id)

    def _announce(self, change: Change | None, what: str) -> None:
        if change is None:
            return
        self._bus.publish(DownloadEvent(what, change.download, change.previous))
        for batch in change.finished:
            self._bus.publish(BatchEvent("finished", batch))

    async def _note_away(self, error: DownloadError, pause: float) -> None:
        self._failed_looks += 1
        if self._failed_looks < AWAY_LOOKS:
            return
        if self.away is None:
            log.warning("%s is away: %s", self.name, error.message)
        self.away, self.next_look = error, time.time() + pause
        if self._failed_looks > AWAY_LOOKS:
            return
        # Nobody knows what it does now: what was active waits, and says why.
        with suppress(StoreUnavailableError):
            for handover in await self._db.run(handovers.current, self.name):
                change = await self._db.run(
                    handovers.show, handover, State.QUEUED, None, time.time()
                )
                self._announce(change, "requeued")
