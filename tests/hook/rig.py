"""A hook on a real socket, over a real store and intake; and a client that sends raw bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tests.clock import Clock
from tests.hook.library import FakeLibrary
from trayagent.agent.access import Clients, OwnToken
from trayagent.agent.bus import Bus
from trayagent.agent.intake import Intake
from trayagent.agent.library.album_files import AlbumFiles
from trayagent.agent.listings import Listings
from trayagent.agent.live_settings import LiveSettings
from trayagent.agent.page_looks import PageLooks
from trayagent.agent.queries import Queries
from trayagent.agent.queue.commands import BatchUndo, QueueCommands, Trash
from trayagent.agent.queue.elsewhere import Elsewhere
from trayagent.agent.queue.remote_queue import RemoteEngine
from trayagent.agent.speed import SpeedControl
from trayagent.agent.status import LiveStatus
from trayagent.agent.webhooks import Webhooks
from trayagent.agent.when_done import WhenDoneControl
from trayagent.hook.events import EventRing
from trayagent.hook.listener import Listener, bind
from trayagent.hook.server import HookServer
from trayagent.model.errors import DownloadError
from trayagent.model.extension import ExtensionFiles
from trayagent.model.settings import Config, DownloadSettings, EngineSettings
from trayagent.model.status import Status
from trayagent.model.transfer import Request
from trayagent.sites.protocol import PageForm, PageSeen
from trayagent.store.database import Database
from trayagent.store.secrets import SecretFiles

if TYPE_CHECKING:
    from trayagent.agent import Agent
    from trayagent.net.api_client import ApiClient

EXTENSION = "chrome-extension://abcdefghijklmnop"


class IdleWorkers:
    """A pool in which nothing runs."""

    def wake(self) -> None:
        pass

    def hurry(self, host: str) -> None:
        pass

    async def stop(self, *ids: str) -> frozenset[str]:
        return frozenset()

    async def hold(self, until: float | None) -> None:
        pass

    def release(self) -> None:
        pass


@dataclass(slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code, or nothing."""
        return str(self.json().get("error", {}).get("code", "")) if self.body else ""

    @property
    def cors(self) -> list[str]:
        return [name for name in self.headers if name.startswith("access-control-")]


class FakePages:
    """A page engine that knows one page."""

    async def look(self, request: Request) -> PageSeen:
        if request.url != "http://example.com/watch":
            raise DownloadError("no_media_found")
        forms = (PageForm(1080, 5_000_000), PageForm(720), PageForm(0, 900_000))
        return PageSeen("A film", 61.5, forms, ("en",), picture=b"\x89PNG\r\n")


class FakeDesktop:
    """A desktop that notes what it was to open."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Path]] = []
        self.is_started = False

    def open_file(self, path: Path) -> None:
        self.opened.append(("file", path))

    def open_folder(self, path: Path) -> None:
        self.opened.append(("folder", path))

    def choose_folder(self, start: Path) -> Path | None:
        return start / "chosen"

    def starts_with_session(self) -> bool:
        return self.is_started

    def start_with_session(self, start: bool) -> None:
        self.is_started = start

    def unpack_extension(self) -> ExtensionFiles:
        folder = Path("/home/me/extension")
        return ExtensionFiles(folder, folder / "chromium", folder / "x.zip", folder / "x.xpi", "1")


@dataclass
class Rig:
    """The running hook and what stands behind it."""

    agent: Agent
    db: Database
    bus: Bus
    own: OwnToken
    listener: Listener
    clock: Clock
    ring: EventRing
    quits: list[int] = field(default_factory=list)
    desktop: FakeDesktop = field(default_factory=FakeDesktop)

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    async def raw(self, data: bytes, *, eof: bool = False, address: str = "127.0.0.1") -> Answer:
        """Send bytes on a connection of their own and read the answer."""
        reader, writer = await asyncio.open_connection(address, self.port)
        try:
            with suppress(ConnectionError):
                writer.write(data)
                if eof:
                    writer.write_eof()
                await writer.drain()
            return await read_answer(reader)
        finally:
            writer.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "own",
        headers: Mapping[str, str | list[str] | None] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """One request; `token="own"` is the machine's, None is none. A header of None is left out."""
        return await self.raw(
            self.request(method, path, body, token=token, headers=headers, raw=raw)
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "own",
        headers: Mapping[str, str | list[str] | None] | None = None,
        raw: bytes | None = None,
        close: bool = True,
    ) -> bytes:
        """The bytes of a request."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        lines: dict[str, str | list[str] | None] = {"Host": self.host}
        if close:
            lines["Connection"] = "close"
        if token is not None:
            lines["Authorization"] = f"Bearer {self.own.value if token == 'own' else token}"
        if body is not None or raw is not None:
            lines |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines |= headers or {}
        target = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        head = [f"{method} {target} HTTP/1.1"]
        for name, value in lines.items():
            values = value if isinstance(value, list) else [value]
            head += [f"{name}: {one}" for one in values if one is not None]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + content

    async def paired(self, origin: str = EXTENSION) -> tuple[str, str]:
        """A paired extension's id and token."""
        pair = await self.agent.clients.pair(
            self.agent.clients.issue_pairing_code(), "Test browser", origin
        )
        return pair.client, pair.token

    async def count(self) -> int:
        """How many downloads there are."""
        return cast(
            int,
            await self.db.read(
                lambda conn: conn.execute("SELECT count(*) FROM downloads").fetchone()[0]
            ),
        )


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Head and body by Content-Length, by chunks, or to the end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif int(status.split()[1]) in (204, 304):
        body = b""
    else:
        body = await reader.read()
    return Answer(int(status.split()[1]), headers, body)


def no_engine(settings: EngineSettings) -> RemoteEngine:
    """The settings of these tests name none."""
    raise AssertionError(settings)


async def no_secret(word: str) -> str:
    """The settings of these tests name no webhook either: nothing is sent."""
    raise AssertionError(word)


@asynccontextmanager
async def running(home: Path, library: Any = None, **hook_options: Any) -> AsyncIterator[Rig]:
    """A hook that serves until the block ends."""
    db = Database.open(home / "test.db")
    bus, clock = Bus(), Clock()
    config = Config(downloads=DownloadSettings(folder=str(home / "downloads")))
    live_status = LiveStatus(bus, Status(version="0.0"))
    secrets = SecretFiles(home / "secrets")
    own = OwnToken.load(home / "token")

    async def discard(path: Path, _owner: str) -> None:
        await asyncio.to_thread(path.unlink, missing_ok=True)

    def write(changes: Mapping[str, Any]) -> Config:
        return config

    trash = Trash()
    queue = QueueCommands(db, bus, IdleWorkers(), secrets=secrets, trash=trash, discard=discard)
    queries = Queries(db, live_status)
    parts = SimpleNamespace(
        bus=bus,
        intake=Intake(db, bus, secrets, lambda: None),
        queue=queue,
        undo=BatchUndo(db, queue, trash),
        queries=queries,
        listings=Listings(db, bus, queries),
        page_looks=PageLooks(FakePages()),
        elsewhere=Elsewhere(db, bus, secrets, no_engine, config),
        live_status=live_status,
        clients=await Clients.open(db, bus, own, home / "clients.key", clock=clock),
        library=library or FakeLibrary(),
        album_files=AlbumFiles(db, trash),
        speed_control=SpeedControl(db, bus, lambda limit: None),
        when_done=WhenDoneControl(bus, live_status),
        live_settings=LiveSettings(config, write),
        webhooks=Webhooks(db, bus, cast("ApiClient", None), config.hooks, no_secret),
        version="0.0",
    )
    agent = cast("Agent", parts)
    listener = bind(0)
    rig = Rig(agent, db, bus, own, listener, clock, EventRing())
    hook = HookServer(
        agent,
        quit=lambda: rig.quits.append(1),
        desktop=rig.desktop,
        events=rig.ring,
        **hook_options,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hook.serve(listener), name="hook")
        try:
            yield rig
        finally:
            task.cancel()
    live_status.close()
    await asyncio.to_thread(db.close)
