"""One POST for each end, as ntfy, gotify, Discord, Home Assistant and Jellyfin take it; signed, tried again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from trayagent.agent import webhooks
from trayagent.agent.bus import Bus
from trayagent.agent.webhooks import Webhooks
from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError, NotFoundError
from trayagent.model.events import BatchEvent, DownloadEvent
from trayagent.model.settings import HooksSettings
from trayagent.model.transfer import Fetched
from trayagent.model.validation import validate
from trayagent.model.webhook import WebhookState
from trayagent.net.api_client import ApiClient
from trayagent.store import batches, downloads, outbox, transitions
from trayagent.store.database import Database
from trayagent.store.downloads import Change

DONE = 'say "hi".mp4'
FAILED = "late.mp4"


@dataclass
class Service:
    """A stand-in of a service: what it was told, and what it answers, in turn."""

    statuses: list[int] = field(default_factory=list)
    told: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    base: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.told.append((request.path_qs, await request.read(), dict(request.headers)))
        self.heard.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.told) < count:
                self.heard.clear()
                await self.heard.wait()


@dataclass
class Ends:
    """Downloads that end, as the pool has them end: a commit, then the event."""

    db: Database
    bus: Bus
    hooks: Webhooks

    async def end(self, name: str = DONE, batch: int | None = None) -> Change:
        def act(conn: sqlite3.Connection) -> Change:
            new = validate(Item(f"http://a.example/{len(name)}?token=CANARY", again=True))
            rows = downloads.insert(conn, [new], via="cli", batch=batch, now=time.time())
            n = rows[new.key]["n"]
            conn.execute("UPDATE downloads SET state = 'active' WHERE n = ?", (n,))
            if batch is not None:
                batches.enter(conn, batch, [(n, new.url, n, None)])
            if name == FAILED:
                failed = transitions.Failed(DownloadError("timeout"))
                return transitions.release(conn, n, failed, time.time())
            came = transitions.Completed(Fetched(Path("/d", name), 3))
            return transitions.release(conn, n, came, time.time())

        change = await self.db.run(act)
        self.bus.publish(DownloadEvent(str(change.download.state), change.download, "active"))
        for one in change.finished:
            self.bus.publish(BatchEvent("finished", one))
        return change

    async def waiting(self) -> int:
        return await self.db.read(
            lambda conn: conn.execute("SELECT count(*) FROM outbox").fetchone()[0]
        )

    async def all_told(self) -> None:
        async with asyncio.timeout(20):
            while await self.waiting():  # noqa: ASYNC110 - a row that goes rings no bell
                await asyncio.sleep(0.01)


async def plain(text: str) -> str:
    return text


@asynccontextmanager
async def serving(*statuses: int) -> AsyncIterator[Service]:
    service = Service(list(statuses))
    app = web.Application()
    app.router.add_post("/{tail:.*}", service.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


@asynccontextmanager
async def running(path: Path, settings: HooksSettings) -> AsyncIterator[Ends]:
    """The service over the database in a folder, as from one start to its end."""
    db, bus = Database.open(path / "db"), Bus()
    async with ApiClient() as apis, asyncio.TaskGroup() as group:
        hooks = Webhooks(db, bus, apis, settings, plain)
        await hooks.prepare()
        task = group.create_task(hooks.run(), name="webhooks")
        yield Ends(db, bus, hooks)
        task.cancel()
    db.close()


@asynccontextmanager
async def telling(
    tmp_path: Path, path: str, *statuses: int, **words: object
) -> AsyncIterator[tuple[Service, Ends]]:
    async with serving(*statuses) as service:
        settings = HooksSettings(f"{service.base}{path}", **words)  # type: ignore[arg-type]
        async with running(tmp_path, settings) as ends:
            yield service, ends


async def test_one_post_for_each_end_and_no_secret_in_it(tmp_path: Path) -> None:
    """A single download, a failure, a batch as a whole; signed with the secret."""
    async with telling(tmp_path, "/hook", secret="word") as (service, ends):
        batch = await ends.db.run(batches.create, "films.txt", "drop", time.time(), open=True)
        await ends.end()
        await ends.end("of the batch", batch)
        await ends.end(FAILED)
        await ends.end(FAILED, batch)
        for finished in await ends.db.run(batches.close, batch, time.time()):
            ends.bus.publish(BatchEvent("finished", finished))
        await service.wait(3)
        await ends.all_told()
    bodies = [json.loads(body) for _, body, _ in service.told]
    assert [(one["event"], one["title"], one["count"], one["failed"]) for one in bodies] == [
        ("finished", DONE, 1, 0),
        ("failed", "http://a.example/8", 0, 1),
        ("failed", "films.txt", 1, 1),
    ]
    assert [headers["X-Trayagent-Delivery"] for _, _, headers in service.told] == ["1", "2", "3"]
    for _, body, headers in service.told:
        assert b"CANARY" not in body
        expected = hmac.new(b"word", body, hashlib.sha256).hexdigest()
        assert headers["X-Trayagent-Signature"] == f"sha256={expected}"


async def test_only_what_is_wanted_is_told(tmp_path: Path) -> None:
    async with telling(tmp_path, "/hook", on=("failed",)) as (service, ends):
        await ends.end()
        await ends.end(FAILED)
        await service.wait(1)
    assert json.loads(service.told[0][1])["download"] == "d2"


async def test_it_is_told_again_until_it_is_heard_but_not_when_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 and 429 may pass; a 400 would stay one, and holds up nothing behind it."""
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.01)
    async with telling(tmp_path, "/hook", 503, 429, 200, 400) as (service, ends):
        for name in (DONE, FAILED, DONE):
            await ends.end(name)
        await service.wait(5)
    told = [json.loads(body)["download"] for _, body, _ in service.told]
    assert told == ["d1", "d1", "d1", "d2", "d3"]
    numbers = [headers["X-Trayagent-Delivery"] for _, _, headers in service.told]
    assert numbers == ["1", "1", "1", "2", "3"]


async def test_people_see_how_it_is_and_may_send_a_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last failure with its reason, until a message is taken; a test tells of no end, and is signed too."""
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.01)
    async with telling(tmp_path, "/hook", 503, 200, 404, 204, secret="word") as (service, ends):
        hooks = ends.hooks
        assert hooks.state == WebhookState(True)
        await ends.end()
        await service.wait(1)
        async with asyncio.timeout(20):
            while (seen := hooks.state).failed_at is None:  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0)
        assert (seen.told_at, seen.reason) == (None, "It answered HTTP 503.")
        await ends.all_told()
        assert hooks.state.told_at is not None
        assert hooks.state.failed_at is hooks.state.reason is None
        refused = await hooks.test()
        assert (refused.told_at, refused.reason) == (hooks.state.told_at, "It answered HTTP 404.")
        assert (await hooks.test()).reason is None
        assert await ends.waiting() == 0
    _, body, headers = service.told[-1]
    assert (json.loads(body)["title"], headers["X-Trayagent-Delivery"]) == ("A test", "0")
    assert "X-Trayagent-Signature" in headers
    async with running(tmp_path, HooksSettings()) as ends:
        assert not ends.hooks.state.is_on
        with pytest.raises(NotFoundError, match="no webhook"):
            await ends.hooks.test()


async def test_what_was_not_told_before_the_end_is_told_after_the_next_start(
    tmp_path: Path,
) -> None:
    """In order, once each; a kill between an answer and its removal may tell one of them twice."""
    async with serving() as service:
        hook = HooksSettings(f"{service.base}/hook")
        async with running(tmp_path, HooksSettings("http://127.0.0.1:9/away")) as ends:
            for name in (DONE, FAILED, DONE):
                await ends.end(name)
        assert service.told == []
        async with running(tmp_path, hook) as ends:
            await ends.all_told()
        async with running(tmp_path, hook) as ends:
            await ends.end("later")
            await ends.all_told()
    told = [json.loads(body)["download"] for _, body, _ in service.told]
    assert told == ["d1", "d2", "d3", "d4"]


async def test_it_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an hour of tries, a week after its end, and when a thousand newer ones wait."""
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(webhooks, "MOST_WAITING", 2)
    away = HooksSettings("http://127.0.0.1:9/away")
    async with running(tmp_path, away) as ends:
        for _ in range(5):
            await ends.end()
        monkeypatch.setattr(webhooks, "GIVEN_UP_AFTER_SECONDS", 0.0)
    async with running(tmp_path, away) as ends:
        await ends.all_told()
        monkeypatch.setattr(webhooks, "GIVEN_UP_AFTER_SECONDS", 3600.0)
        await ends.end()
    monkeypatch.setattr(webhooks, "FORGOTTEN_AFTER_SECONDS", 0.0)
    async with running(tmp_path, away) as ends:
        assert await ends.waiting() == 0


async def test_a_clock_that_is_set_ahead_ends_no_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hour in which it is tried again is measured, not read off the wall."""
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.05)
    async with (
        serving(500, 500) as service,
        running(tmp_path, HooksSettings(f"{service.base}/t")) as ends,
    ):
        real = time.time
        await ends.end()
        await service.wait(1)
        monkeypatch.setattr(time, "time", lambda: real() + 7200)
        await ends.all_told()
    assert len(service.told) == 3


async def test_only_the_newest_wait(tmp_path: Path) -> None:
    async with running(tmp_path, HooksSettings("http://127.0.0.1:9/away")) as ends:
        for _ in range(5):
            await ends.end()
        await ends.db.run(outbox.end, 1, 2)
        assert await ends.waiting() == 2


@pytest.mark.parametrize("name", [DONE, FAILED])
async def test_a_row_that_says_again_what_it_said_has_not_ended_again(
    tmp_path: Path, name: str
) -> None:
    """One end is one note, however often its state is written."""
    async with running(tmp_path, HooksSettings("http://127.0.0.1:9/away")) as ends:
        ended = await ends.end(name)
        same = "UPDATE downloads SET state = state, attempts = attempts + 1 WHERE n = ?"
        number = downloads.number(ended.download.id)
        assert (await ends.db.run(lambda conn: conn.execute(same, (number,)).rowcount)) == 1
        assert await ends.waiting() == 1


async def test_nothing_is_noted_for_nobody_and_nothing_told_that_is_no_longer_so(
    tmp_path: Path,
) -> None:
    """Without a webhook; of a failed one that is tried again; of a row that was removed."""
    async with running(tmp_path, HooksSettings()) as ends:
        await ends.end()
        assert await ends.waiting() == 0
    async with running(tmp_path, HooksSettings("http://127.0.0.1:9/away")) as ends:
        retried, removed = await ends.end(FAILED), await ends.end()
        await ends.db.run(transitions.apply_command, retried.download.id, "retry", time.time())
        await ends.db.run(transitions.remove, removed.download.id, time.time())
    async with telling(tmp_path, "/hook") as (service, ends):
        await ends.all_told()
    assert service.told == []
    async with running(tmp_path, HooksSettings()) as ends:
        assert await ends.waiting() == 0


@pytest.mark.parametrize(
    ("path", "template", "kind", "expected"),
    [
        ("/films", "{title}: {message}", "text/plain", 'say "hi".mp4: It has arrived.'),
        (
            "/message?token=T",
            '{"title": "{title}", "message": "{message}", "priority": 5}',
            "application/json",
            {"title": 'say "hi".mp4', "message": "It has arrived.", "priority": 5},
        ),
        (
            "/api/webhooks/1/T",
            '{"content": "{title}: {message}"}',
            "application/json",
            {"content": 'say "hi".mp4: It has arrived.'},
        ),
        ("/api/webhook/trayagent", "", "application/json", None),
        ("/Library/Refresh?api_key=T", " ", "text/plain", " "),
    ],
    ids=["ntfy", "gotify", "discord", "home-assistant", "jellyfin"],
)
async def test_services_are_told_in_their_own_words(
    tmp_path: Path, path: str, template: str, kind: str, expected: object
) -> None:
    """The examples of docs/elsewhere.md, each against a stand-in of its service."""
    async with telling(tmp_path, path, template=template) as (service, ends):
        await ends.end()
        await service.wait(1)
    where, body, headers = service.told[0]
    assert where == path
    assert headers["Content-Type"].startswith(kind)
    if isinstance(expected, str):
        assert body.decode() == expected
    elif expected is not None:
        assert json.loads(body) == expected
    else:
        assert json.loads(body)["path"] == str(Path("/d", DONE))
