"""One POST for each end, as ntfy, gotify, Discord, Home Assistant and Jellyfin take it; signed, tried again."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from trayagent.agent import webhooks
from trayagent.agent.bus import Bus
from trayagent.agent.webhooks import Webhooks
from trayagent.model.downloads import Batch, Download, ErrorInfo, State
from trayagent.model.events import BatchEvent, DownloadEvent, Event
from trayagent.model.settings import HooksSettings
from trayagent.net.api_client import ApiClient

DONE = Download(
    "d1", "http://a.example/f?token=CANARY", State.COMPLETED, 'say "hi".mp4', "/d/f.mp4"
)
FAILED = Download(
    "d2",
    "http://a.example/g?token=CANARY",
    State.FAILED,
    error=ErrorInfo("timeout", "Too late.", "Retry later."),
)
OF_BATCH = Download("d3", "http://a.example/h", State.COMPLETED, batch="b1")


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


@asynccontextmanager
async def telling(path: str, *statuses: int, **words: object) -> AsyncIterator[tuple[Service, Bus]]:
    service, bus = Service(list(statuses)), Bus()
    app = web.Application()
    app.router.add_post("/{tail:.*}", service.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    settings = HooksSettings(f"http://127.0.0.1:{port}{path}", **words)  # type: ignore[arg-type]

    async def secret(text: str) -> str:
        return text

    async with ApiClient() as apis, asyncio.TaskGroup() as group:
        task = group.create_task(Webhooks(bus, apis, settings, secret).run(), name="webhooks")
        yield service, bus
        task.cancel()
    await runner.cleanup()


def end_of(download: Download) -> Event:
    return DownloadEvent(str(download.state), download, State.ACTIVE)


async def test_one_post_for_each_end_and_no_secret_in_it() -> None:
    """A single download, a failure, a batch as a whole; signed with the secret."""
    batch = Batch(
        "b1", "films.txt", "drop", counts={"completed": 3, "failed": 1}, first_error="No."
    )
    async with telling("/hook", secret="word") as (service, bus):
        for event in (
            end_of(DONE),
            end_of(OF_BATCH),
            end_of(FAILED),
            BatchEvent("finished", batch),
        ):
            bus.publish(event)
        await service.wait(3)
    bodies = [json.loads(body) for _, body, _ in service.told]
    assert [(one["event"], one["title"], one["count"], one["failed"]) for one in bodies] == [
        ("finished", 'say "hi".mp4', 1, 0),
        ("failed", "http://a.example/g", 0, 1),
        ("failed", "films.txt", 3, 1),
    ]
    for _, body, headers in service.told:
        assert b"CANARY" not in body
        expected = hmac.new(b"word", body, hashlib.sha256).hexdigest()
        assert headers["X-Trayagent-Signature"] == f"sha256={expected}"


async def test_only_what_is_wanted_is_told() -> None:
    async with telling("/hook", on=("failed",)) as (service, bus):
        bus.publish(end_of(DONE))
        bus.publish(end_of(FAILED))
        await service.wait(1)
    assert json.loads(service.told[0][1])["download"] == "d2"


async def test_it_is_told_again_until_it_is_heard_but_not_when_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503 and 429 may pass; a 400 would stay one, and holds up nothing behind it."""
    monkeypatch.setattr(webhooks, "FIRST_WAIT_SECONDS", 0.01)
    async with telling("/hook", 503, 429, 200, 400) as (service, bus):
        for download in (DONE, FAILED, DONE):
            bus.publish(end_of(download))
        await service.wait(5)
    assert [json.loads(body)["download"] for _, body, _ in service.told] == [
        "d1",
        "d1",
        "d1",
        "d2",
        "d1",
    ]


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
    path: str, template: str, kind: str, expected: object
) -> None:
    """The examples of docs/elsewhere.md, each against a stand-in of its service."""
    async with telling(path, template=template) as (service, bus):
        bus.publish(end_of(DONE))
        await service.wait(1)
    where, body, headers = service.told[0]
    assert where == path
    assert headers["Content-Type"].startswith(kind)
    if isinstance(expected, str):
        assert body.decode() == expected
    elif expected is not None:
        assert json.loads(body) == expected
    else:
        assert json.loads(body)["path"] == "/d/f.mp4"
