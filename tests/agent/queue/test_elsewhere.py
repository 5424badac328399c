"""Downloads handed over to a real aria2c: a whole life of them, and what a lost answer may never do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.agent.running_queue import FakeTransfer, until
from tests.servers.aria2 import LACKING, SECRET, Nas
from tests.servers.media import Media, content
from trayagent.agent.bus import Bus
from trayagent.agent.intake import Intake
from trayagent.agent.queries import Queries
from trayagent.agent.queue import remote_queue
from trayagent.agent.queue.commands import QueueCommands, Trash
from trayagent.agent.queue.elsewhere import Elsewhere
from trayagent.agent.queue.job import Worker
from trayagent.agent.queue.lineup import PoolLimits
from trayagent.agent.queue.pool import Pool
from trayagent.agent.queue.remote_queue import Next, next_step
from trayagent.agent.status import LiveStatus
from trayagent.engines.aria2 import Aria2, RemoteStatus
from trayagent.model.downloads import Download, Item, Patch, State
from trayagent.model.engine_choice import choose_elsewhere
from trayagent.model.errors import TrayagentError, WrongStateError
from trayagent.model.events import Event
from trayagent.model.jobs import Order
from trayagent.model.settings import Config, EngineSettings
from trayagent.net.api_client import ApiClient
from trayagent.store import downloads
from trayagent.store.database import Database
from trayagent.store.handovers import Handover
from trayagent.store.secrets import SecretFiles

pytestmark = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))


@dataclass
class NasRig:
    db: Database
    bus: Bus
    intake: Intake
    queue: QueueCommands
    queries: Queries
    elsewhere: Elsewhere
    transfer: FakeTransfer
    events: list[Event]
    discarded: list[str]
    """Files of which a part was removed here."""

    async def add(self, *urls: str, **words: Any) -> list[str]:
        items = [Item(url, **words) for url in urls]
        entered = await self.intake.add(items, via="cli")
        assert not entered.receipt.rejected, entered.receipt.rejected
        return [download.id for download in entered.receipt.downloads]

    async def until(self, id: str, *states: str, error: str = "") -> Download:
        end = time.monotonic() + 20
        while True:
            download = await self.queries.download(id)
            code = download.error.code if download.error else ""
            if download.state in states and error in ("", code):
                return download
            assert time.monotonic() < end, f"{download} {download.error}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def rig(home: Path, nas: Nas, **settings: Any) -> AsyncIterator[NasRig]:
    """What the app wires around engines elsewhere, with aria2 as the only one, named nas."""
    home.mkdir(exist_ok=True)
    db = Database.open(home / "db")
    bus, secrets = Bus(), SecretFiles(home / "secrets")
    transfer = FakeTransfer(home)
    pool = Pool(
        db,
        bus,
        Worker(transfer, secrets, {}),
        secrets=secrets,
        folder=home,
        limits=PoolLimits(),
        bell=asyncio.Event(),
    )
    engine = EngineSettings("nas", url=nas.url, secret=SECRET, **settings)
    config = Config(engines=(engine,))
    live_status = LiveStatus(bus, await db.run(downloads.starting_status, time.time(), 4, ""))

    async def secret() -> str:
        return SECRET

    async with ApiClient() as apis:
        away = Elsewhere(db, bus, secrets, lambda one: Aria2(one, apis, secret), config)
        intake = Intake(db, bus, secrets, pool.wake)
        intake.engines = config.engines
        queries = Queries(db, live_status, pool.cool_until, away.waits_for)

        discarded: list[str] = []

        async def discard(path: Path, _owner: str) -> None:
            discarded.append(path.name)

        queue = QueueCommands(
            db,
            bus,
            pool,
            secrets=secrets,
            trash=Trash(),
            discard=discard,
            choose_engine=lambda new: choose_elsewhere(new, config.engines),
        )
        events: list[Event] = []
        bus.subscribe(events.append)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(pool.run(), name="pool"),
                group.create_task(away.run(), name="elsewhere"),
            ]
            yield NasRig(db, bus, intake, queue, queries, away, transfer, events, discarded)
            for task in tasks:
                task.cancel()
    db.close()


async def test_a_download_goes_to_the_nas_and_says_where_it_is(tmp_path: Path) -> None:
    """Named by its item: fetched there, in its folder, with its headers; unverified without a checksum."""
    with Media() as media, Nas(tmp_path / "nas") as nas:
        async with rig(tmp_path / "home", nas, folder=str(nas.files)) as one:
            url = media.url("film.mp4", 300_000)
            (id,) = await one.add(
                url,
                engine="nas",
                folder="Films",
                headers={"X-Word": "w"},
                referer="http://r.example/",
            )
            done = await one.until(id, "completed")
            assert done.engine == "nas"
            assert done.path is None
            assert done.remote_path == str(nas.files / "Films/film.mp4")
            assert "not verified by us" in (done.warning or "")
            assert done.size == 300_000
            assert done.filename == "film.mp4"
            file = nas.files / "Films" / "film.mp4"
            assert file.read_bytes() == content("film.mp4", 300_000)
            assert media.headers[0]["X-Word"] == "w"
            assert media.headers[0]["Referer"] == "http://r.example/"
            assert not one.transfer.asked
            # Asked for once more, it is a duplicate: nobody fetches it a second time.
            again = await one.intake.add([Item(url)], via="cli")
            assert again.receipt.downloads[0].duplicate_of == id


async def test_a_checksum_is_checked_there(tmp_path: Path) -> None:
    """Right: nothing is doubted. Wrong: failed, as here."""
    import hashlib

    digest = hashlib.sha256(content("a.bin", 5000)).hexdigest()
    with Media() as media, Nas(tmp_path / "nas") as nas:
        async with rig(tmp_path / "home", nas, default=True) as one:
            (right,) = await one.add(media.url("a.bin", 5000), checksum=f"sha-256={digest}")
            (wrong,) = await one.add(media.url("b.bin", 5000), checksum=f"sha-256={digest}")
            (gone,) = await one.add(media.url("c.bin", 5000, status=404))
            done = await one.until(right, "completed")
            assert done.warning is None
            assert done.remote_path == str(nas.files / "a.bin")
            failed = await one.until(wrong, "failed")
            assert failed.error
            assert failed.error.code == "checksum_mismatch"
            missing = await one.until(gone, "failed")
            assert missing.error
            assert missing.error.code == "not_found"
            assert "at nas" in missing.error.message


async def test_pause_resume_limit_and_cancel_go_over(tmp_path: Path) -> None:
    """What a person asks here happens there; a pause over there counts here."""
    with Media() as media, Nas(tmp_path / "nas") as nas:
        async with rig(tmp_path / "home", nas, default=True) as one:
            (id,) = await one.add(media.url("long.bin", 5_000_000, rate=300_000))
            assert (await one.until(id, "active")).started_at
            gid = nas.call("tellActive", ["gid"])[0]["gid"]

            async def there(state: str, *more: str) -> None:
                told: Any = None
                for _ in range(600):
                    told = nas.call("tellStatus", gid, ["status"])
                    if isinstance(told, str) or told["status"] in (state, *more):
                        return
                    await asyncio.sleep(0.02)
                raise AssertionError(f"not {state}: {told}")

            await one.queue.pause(id)
            await there("paused")
            assert (await one.queries.download(id)).state == State.PAUSED
            await one.queue.resume(id)
            await there("active")
            await one.until(id, "active")
            await one.queue.change(id, Patch(speed_limit="100kB"))
            for _ in range(300):
                if nas.call("getOption", gid)["max-download-limit"] == "100000":
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("the limit did not go over")
            nas.call("forcePause", gid)
            await one.until(id, "paused")
            nas.call("unpause", gid)
            await one.until(id, "active")
            await one.queue.cancel(id)
            await there("removed", "gone")
            assert (await one.queries.download(id)).state == State.CANCELLED


async def test_the_pause_of_the_queue_holds_the_nas_as_well(tmp_path: Path) -> None:
    """Nothing is handed over, and what runs there stops until the queue goes on."""
    with Media() as media, Nas(tmp_path / "nas") as nas:
        async with rig(tmp_path / "home", nas, default=True) as one:
            (id,) = await one.add(media.url("long.bin", 2_000_000, rate=400_000))
            await one.until(id, "active")
            await one.queue.pause_all()
            await one.until(id, "queued")
            (later,) = await one.add(media.url("later.bin", 1000))
            await asyncio.sleep(1.5)  # time enough for a look: nothing may happen in it
            assert [told["status"] for told in nas.call("tellWaiting", 0, 9, ["status"])] == [
                "paused"
            ]
            await one.queue.resume_all()
            await one.until(id, "completed")
            await one.until(later, "completed")


async def test_an_engine_that_is_away_makes_its_downloads_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say why, go on when it is back, and what it has begun is not begun anew."""
    monkeypatch.setattr(remote_queue, "AWAY_SECONDS", 0.3)
    monkeypatch.setattr(remote_queue, "LOOK_SECONDS", 0.2)
    with Media() as media, Nas(tmp_path / "nas") as nas:
        async with rig(tmp_path / "home", nas, default=True) as one:
            (begun,) = await one.add(media.url("begun.bin", 3_000_000, rate=500_000))
            await one.until(begun, "active")
            await until(lambda: "begun.bin" in nas.saved())
            nas.kill()
            (new,) = await one.add(media.url("new.bin", 1000))
            for id in (begun, new):
                waits = await one.until(id, "queued", error="engine_away")
                assert waits.not_before
            nas.start()
            assert (await one.until(new, "completed")).error is None
            await one.until(begun, "completed")
            assert sorted(file.name for file in nas.files.iterdir()) == ["begun.bin", "new.bin"]


async def test_one_that_the_engine_forgot_fails_and_is_not_fetched_again(tmp_path: Path) -> None:
    """Only a person's retry hands it over once more."""
    with Media() as media, Nas(tmp_path / "nas", "--save-session-interval=0") as nas:
        async with rig(tmp_path / "home", nas, default=True) as one:
            (id,) = await one.add(media.url("lost.bin", 3_000_000, rate=300_000))
            await one.until(id, "active")
            nas.kill()
            nas.start()
            failed = await one.until(id, "failed")
            assert failed.error
            assert failed.error.code == "engine_forgot"
            assert media.requests == ["/lost.bin"]
            await one.queue.retry(id)
            await one.until(id, "active")
            assert len(media.requests) == 2


HANDOVER = Handover(
    1,
    1,
    "d1",
    "nas",
    "0" * 15 + "1",
    "s 0",
    is_known=False,
    is_paused=False,
    speed_limit=0,
    download=Download("d1", "http://a.example/x", State.QUEUED),
    order=Order(),
)
CANCELLED = replace(HANDOVER, download=Download("d1", "http://a.example/x", State.CANCELLED))
KNOWN = replace(HANDOVER, is_known=True)
DONE = RemoteStatus("complete", 5, 5, path="/d/x")


@pytest.mark.parametrize(
    ("handover", "seen", "mark", "words", "expected"),
    [
        (HANDOVER, None, "s 0", {}, Next(is_to_be_told=True)),
        (HANDOVER, None, "s 1", {}, "engine_forgot"),
        (HANDOVER, None, "t 0", {}, "engine_forgot"),
        (HANDOVER, None, "s 0", {"refusal": "no"}, "engine_failed"),
        (HANDOVER, RemoteStatus("waiting"), "t 0", {}, Next(is_seen=True)),
        (KNOWN, None, "s 0", {}, "engine_forgot"),
        (KNOWN, RemoteStatus("paused"), "s 0", {}, Next(is_seen=True)),
        (KNOWN, DONE, "t 9", {}, Next(DONE)),
        (KNOWN, RemoteStatus("error", error_code=2), "s 0", {}, "timeout"),
        (KNOWN, RemoteStatus("removed"), "s 0", {}, "cancelled"),
        (KNOWN, RemoteStatus("removed"), "s 0", {"is_removed_by_us": True}, Next(is_gone=True)),
        (CANCELLED, None, "s 0", {}, Next(is_gone=True)),
        (CANCELLED, RemoteStatus("active"), "s 0", {}, Next(is_to_be_removed=True)),
        (CANCELLED, RemoteStatus("removed"), "s 0", {}, Next(is_gone=True)),
        (CANCELLED, DONE, "s 0", {}, Next(DONE)),
    ],
)
def test_what_follows_a_look(
    handover: Handover,
    seen: RemoteStatus | None,
    mark: str,
    words: dict[str, Any],
    expected: Next | str,
) -> None:
    following = next_step(handover, seen, mark, **words)
    if isinstance(expected, Next):
        assert following == expected
    else:
        assert getattr(following.ended, "code", None) == expected


async def test_one_that_waits_may_be_sent_to_another_engine(tmp_path: Path) -> None:
    """There and back: what waits, what was begun here (its part goes), and none that the engine has."""
    with Media() as media, Nas(tmp_path / "nas") as nas:
        async with rig(tmp_path / "home", nas, folder=str(nas.files)) as one:
            await one.queue.pause_all()
            there, here = await one.add(
                media.url("a.bin"), media.url("b.bin", 300_000, rate=100_000), engine="here"
            )
            back = (await one.add(media.url("c.bin"), engine="nas"))[0]
            with pytest.raises(TrayagentError, match="no engine vault"):
                await one.queue.change(there, Patch(engine="vault"))
            assert (await one.queue.change(there, Patch(engine="nas"))).engine == "nas"
            assert (await one.queue.change(back, Patch(engine="here"))).engine is None
            gate = asyncio.Event()
            one.transfer.scripts = {media.url("b.bin", 300_000, rate=100_000): gate.wait}  # type: ignore[dict-item]
            await one.queue.resume_all()
            await one.until(there, "completed")
            assert (await one.until(back, "completed")).remote_path is None

            await one.transfer.busy_with(1)
            assert (await one.queue.change(here, Patch(engine="nas"))).engine == "nas"
            assert [name.partition("?")[0] for name in one.discarded] == ["b.bin"]
            await one.until(here, "active")
            with pytest.raises(WrongStateError, match="at nas"):
                await one.queue.change(here, Patch(engine="here"))
            assert (await one.until(here, "completed")).remote_path == str(nas.files / "b.bin")
        assert sorted(media.requests) == ["/a.bin", "/b.bin"]
