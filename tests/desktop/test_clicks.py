"""Clicks reach the agent: each row and button does its work, and what fails is said in one sentence."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.servers.json_library import TOKEN, JsonLibrary
from tests.servers.media import Media
from trayagent.agent import Agent
from trayagent.agent.live_settings import LiveSettings
from trayagent.app import Running, serve
from trayagent.desktop import feed, opener
from trayagent.desktop.autostart import Command, XdgAutostart, session_entry
from trayagent.desktop.clicks import Clicks
from trayagent.desktop.tray import choice
from trayagent.desktop.tray.menu import icon_state
from trayagent.desktop.tray.snapshot import Snapshot
from trayagent.desktop.tray.tray import NoTray
from trayagent.model.diagnosis import Check
from trayagent.model.downloads import Download, Item
from trayagent.model.events import Notice
from trayagent.settings import Home, change, load

ENVIRON = {"TRAYAGENT_HOOK__PORT": "0", "TRAYAGENT_SECRETS": "file"}


class RecordingNotifier:
    """A notifier that remembers."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    async def show(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def close(self) -> None:
        """Nothing to close."""


@dataclass
class RecordingTray:
    """What the tray was given."""

    snapshots: list[Snapshot] = field(default_factory=list)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def show(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self.bell.set()


@dataclass
class Desk:
    """A running agent with a tray that only remembers."""

    clicks: Clicks
    agent: Agent
    told: RecordingNotifier
    seen: RecordingTray
    opened: list[tuple[str, str]]
    quits: list[bool]

    async def until(self, fact: Callable[[Snapshot], Any]) -> Snapshot:
        """The first snapshot of which this is true."""
        async with asyncio.timeout(10):
            while not (self.seen.snapshots and fact(self.seen.snapshots[-1])):
                self.seen.bell.clear()
                await self.seen.bell.wait()
        return self.seen.snapshots[-1]

    async def opens(self, count: int = 1) -> list[tuple[str, str]]:
        """What was opened, once it is so many."""
        async with asyncio.timeout(5):
            while len(self.opened) < count:  # noqa: ASYNC110 – noted by another thread
                await asyncio.sleep(0.01)
        return self.opened

    async def says(self) -> Notice:
        """The next popup."""
        async with asyncio.timeout(5):
            while not self.told.notices:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self.told.notices.pop(0)

    async def add(self, *urls: str) -> tuple[Download, ...]:
        entered = await self.agent.intake.add([Item(url) for url in urls], via="cli")
        return entered.receipt.downloads


@asynccontextmanager
async def desk_at(folder: Path, opened: list[tuple[str, str]]) -> AsyncIterator[Desk]:
    home = Home.under(folder)
    home.prepare()
    live_settings = LiveSettings(load(home, ENVIRON, {}), lambda c: change(home, ENVIRON, c, {}))
    clicks, told, seen = Clicks(), RecordingNotifier(), RecordingTray()
    quits: list[bool] = []
    started: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    tray = NoTray()
    tray.show = seen.show  # type: ignore[method-assign]
    beside = {"clicks": clicks.run}
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve(home, ENVIRON, live_settings, told, started.set_result, beside=beside),
            name="agent",
        )
        running = await started
        post = asyncio.get_running_loop().call_soon
        clicks.attach(running.agent, running.port, post, lambda: quits.append(True), tray)
        desk = Desk(clicks, running.agent, told, seen, opened, quits)
        await desk.until(lambda s: not s.offline)
        try:
            yield desk
        finally:
            running.quit()


@pytest.fixture(autouse=True)
def check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop that shows the icon."""
    fine = Check("tray", "ok", "The desktop shows tray icons.")
    monkeypatch.setattr(choice, "check", lambda *, whole: fine)


def address_in(page: Path) -> str:
    """Where a file for the browser leads."""
    return html.unescape(page.read_text().partition('href="')[2].partition('"')[0])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the desktop was asked to open."""
    notes: list[tuple[str, str]] = []

    def open_page(file: Path) -> None:
        if "/welcome#" not in address_in(file):  # each test begins as a newcomer
            notes.append(("open_page", address_in(file)))

    monkeypatch.setattr(opener, "open_page", open_page)
    for name in ("open_file", "open_folder"):
        monkeypatch.setattr(opener, name, lambda what, name=name: notes.append((name, str(what))))
    return notes


@pytest.fixture
async def desk(tmp_path: Path, opened: list[tuple[str, str]]) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, opened) as running:
        yield running


@pytest.fixture
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


async def test_a_download_goes_through_the_tray(desk: Desk, media: Media) -> None:
    await desk.add(media.url("film.mp4", size=400_000, rate=400_000))
    during = await desk.until(lambda s: s.board.current)
    assert [d.filename for d in during.board.current.values()] in ([None], ["film.mp4"])
    after = await desk.until(lambda s: s.recent)
    assert after.recent[0].filename == "film.mp4"
    assert after.board.status.completed == 1
    desk.clicks.open_file(after.recent[0].path or "")
    desk.clicks.follow("folder", after.recent[0].id)
    paths = {path for _, path in await desk.opens(2)}
    assert paths == {after.recent[0].path}


async def test_failures_are_listed_retried_and_explained(desk: Desk, media: Media) -> None:
    await desk.add(*(media.url(f"{n}.mp4", status=404) for n in range(3)))
    await desk.until(lambda s: len(s.failed) == 3 and s.board.status.active == 0)
    asked = len(media.requests)
    desk.clicks.retry_failed()
    await desk.until(lambda s: len(media.requests) == asked + 3 and len(s.failed) == 3)
    desk.clicks.retry((await desk.until(lambda s: s.failed)).failed[0].id)
    await desk.until(lambda _: len(media.requests) == asked + 4)
    await desk.until(lambda s: len(s.failed) == 3 and s.board.status.active == 0)
    desk.clicks.follow("retry", "d1 d999 d2 d3")  # one button for all; one of them was removed
    await desk.until(lambda _: len(media.requests) == asked + 7)
    desk.clicks.why("d1")
    desk.clicks.follow("why", "d2")  # the button of a popup, and a click on the popup itself
    assert {url.rpartition("view=")[2] for _, url in await desk.opens(2)} == {"d1", "d2"}


async def test_one_download_is_paused_and_cancelled(desk: Desk, media: Media) -> None:
    first, second = await desk.add(*(media.url(f"{n}.mp4", size=10**7, rate=50_000) for n in "ab"))
    await desk.until(lambda s: len(s.board.current) == 2)
    desk.clicks.pause(first.id)
    desk.clicks.cancel(second.id)
    await desk.until(lambda s: not s.board.current)
    states = [(await desk.agent.queries.download(d.id)).state for d in (first, second)]
    assert states == ["paused", "cancelled"]


async def test_the_queue_is_paused_and_resumed(desk: Desk) -> None:
    desk.clicks.pause_queue(30)
    paused = await desk.until(lambda s: s.board.status.paused)
    assert paused.board.status.paused_until
    desk.clicks.resume_queue()
    await desk.until(lambda s: not s.board.status.paused)


async def test_addresses_are_taken_from_any_text(desk: Desk, media: Media) -> None:
    text = f"Look: {media.url('a.mp4')}, and <{media.url('b.mp4')}>.\n{media.url('a.mp4')}"
    desk.clicks.add_from_clipboard(text)
    await desk.until(lambda s: s.board.status.completed == 2)
    assert sorted(media.requests) == ["/a.mp4", "/b.mp4"]


async def test_a_clipboard_without_addresses_is_said(desk: Desk) -> None:
    desk.clicks.add_from_clipboard("nothing but words")
    assert (await desk.says()).title == "The clipboard holds no web address."


async def test_pages_open_with_a_code_of_their_own(desk: Desk) -> None:
    clicks = desk.clicks
    for click in (
        clicks.open_dashboard,
        clicks.open_settings,
        clicks.set_up_images,
        clicks.connect_program,
    ):
        click()
    desk.clicks.pair_browser()
    urls = [url for _, url in await desk.opens(5)]
    assert {url.rpartition("view=")[2] for url in urls if "view=" in url} == {
        "queue",
        "settings",
        "images",
        "browsers",
    }
    assert sum("/pair#code=" in url for url in urls) == 1
    codes = {url.partition("code=")[2].partition("&")[0] for url in urls}
    assert len(codes) == 5


async def test_levels_and_snoozing(desk: Desk) -> None:
    desk.clicks.set_notifications("errors")
    await desk.until(lambda s: s.level == "errors")
    assert desk.agent.announcer.level == "errors"
    desk.clicks.snooze(60)
    await desk.until(lambda s: s.snoozed_until)
    desk.clicks.snooze(0)
    await desk.until(lambda s: not s.snoozed_until)


async def test_a_batch_is_undone_from_the_menu(desk: Desk, media: Media) -> None:
    await desk.add(media.url("a.mp4"), media.url("b.mp4"))
    undo = (await desk.until(lambda s: s.undo)).undo
    assert undo is not None
    assert undo.count == 2
    desk.clicks.undo(undo.batch)
    await desk.until(lambda s: s.undo is None)
    async with asyncio.timeout(5):
        while (await desk.agent.queries.batch(undo.batch)).counts.get("completed"):
            if not list(Path(desk.agent.live_settings.config.downloads.folder).glob("*.mp4")):
                break
            await asyncio.sleep(0.02)
    assert not list(Path(desk.agent.live_settings.config.downloads.folder).glob("*.mp4"))


async def test_buttons_of_popups_open_what_they_name(desk: Desk, media: Media) -> None:
    await desk.add(media.url("a.mp4"), media.url("b.mp4"))
    undo = (await desk.until(lambda s: s.undo)).undo
    assert undo is not None
    desk.clicks.follow("batch", undo.batch)
    desk.clicks.follow("source", "flow")
    config = desk.agent.live_settings.config
    assert set(await desk.opens(2)) == {
        ("open_folder", config.downloads.folder),
        ("open_folder", str(Path(config.library.folder) / "flow")),
    }


async def test_what_cannot_be_done_is_said_and_nothing_else_stops(desk: Desk) -> None:
    desk.clicks.retry("d999")
    assert "d999" in (await desk.says()).title
    desk.clicks.follow("open", "d998")
    assert "d998" in (await desk.says()).title
    desk.clicks.sync("nobody")
    desk.clicks.sync(None)
    desk.clicks.pause_queue(None)
    await desk.until(lambda s: s.board.status.paused)


async def test_a_bug_in_a_click_is_said_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(opener, "open_folder", broken)
    desk.clicks.open_folder("/somewhere")
    assert (await desk.says()).title == "That did not work."
    assert "a click failed" in caplog.text


async def test_quitting_is_the_apps_affair(desk: Desk) -> None:
    desk.clicks.quit()
    await asyncio.sleep(0)
    assert desk.quits == [True]


async def test_a_restart_shows_what_was_there(
    tmp_path: Path, media: Media, opened: list[tuple[str, str]]
) -> None:
    async with desk_at(tmp_path, opened) as desk:
        await desk.add(media.url("a.mp4"))
        await desk.add(media.url("b.mp4", status=404))
        await desk.until(lambda s: s.recent and s.failed)
    async with desk_at(tmp_path, opened) as desk:
        first = desk.seen.snapshots[0]
        assert [d.filename for d in first.recent] == ["a.mp4"]
        assert len(first.failed) == 1
        assert first.downloads_folder == desk.agent.live_settings.config.downloads.folder


async def test_the_last_batch_can_be_undone_after_a_restart_unless_it_was_or_is_old(
    tmp_path: Path,
    media: Media,
    opened: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with desk_at(tmp_path, opened) as desk:
        await desk.add(media.url("a.mp4"), media.url("b.mp4"))
        before = (await desk.until(lambda s: s.undo)).undo
    with monkeypatch.context() as later:
        later.setattr(feed, "UNDO_OFFERED_SECONDS", 0.0)
        async with desk_at(tmp_path, opened) as desk:
            assert desk.seen.snapshots[0].undo is None
    async with desk_at(tmp_path, opened) as desk:
        assert desk.seen.snapshots[0].undo == before
        assert before is not None
        await desk.agent.undo.take_back(before.batch)
    async with desk_at(tmp_path, opened) as desk:
        assert desk.seen.snapshots[0].undo is None


async def test_a_newcomer_is_told_where_the_icon_hides_and_others_are_not(
    tmp_path: Path,
    media: Media,
    opened: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hidden = Check("tray", "warning", "Nothing shows tray icons.", "Install the extension.")
    monkeypatch.setattr(choice, "check", lambda *, whole: hidden)
    async with desk_at(tmp_path, opened) as desk:
        hint = await desk.says()
        assert (hint.title, hint.body) == ("Where to find trayagent", "Install the extension.")
        await desk.add(media.url("a.mp4"))
        await desk.until(lambda s: s.recent)
    async with desk_at(tmp_path, opened) as desk:
        desk.clicks.retry("d999")
        assert "d999" in (await desk.says()).title


async def test_a_failure_alarms_until_somebody_has_looked(desk: Desk, media: Media) -> None:
    """Dismissed, the icon is calm although the row stays; the next failure alarms again."""
    await desk.add(media.url("lost.mp4", status=404))
    await desk.until(lambda s: icon_state(s).shape == "error")
    desk.clicks.dismiss_failures()
    calm = await desk.until(lambda s: icon_state(s).shape == "idle")
    assert calm.board.status.failed == 1
    await desk.add(media.url("lost-too.mp4", status=404))
    await desk.until(lambda s: icon_state(s).shape == "error")


async def test_the_first_start_opens_a_welcome_page_and_no_other_does(
    tmp_path: Path, opened: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []
    monkeypatch.setattr(opener, "open_page", lambda file: pages.append(address_in(file)))
    async with desk_at(tmp_path, opened), asyncio.timeout(5):
        while not pages:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/welcome#code=.+", pages[0])
    async with desk_at(tmp_path, opened) as desk:
        desk.clicks.open_dashboard()
        async with asyncio.timeout(5):
            while len(pages) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert "/welcome" not in pages[1]
    assert len(pages) == 2


@pytest.mark.skipif("sys.platform != 'linux'")
async def test_an_entry_of_an_older_place_is_repaired_at_the_start(
    tmp_path: Path, opened: list[tuple[str, str]]
) -> None:
    entry = session_entry()
    assert isinstance(entry, XdgAutostart)
    XdgAutostart(entry._path.parent, Command(("/old/python", "-m", "trayagent"))).enable()
    assert entry.status().stale
    async with desk_at(tmp_path, opened), asyncio.timeout(5):
        while entry.status().stale:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_library_that_cannot_be_asked_takes_nothing_down(
    desk: Desk, media: Media, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise OSError("the keyring is gone")

    monkeypatch.setattr(type(desk.agent.library), "sources", lambda _self: broken())
    desk.clicks.set_notifications("none")
    await desk.until(lambda s: s.level == "none")
    await desk.add(media.url("a.mp4"))
    await desk.until(lambda s: s.recent)
    assert "the sources cannot be shown" in caplog.text


async def test_a_sign_in_is_seen_at_once(desk: Desk) -> None:
    """Whoever signs in by the command line or a browser need not wait until something else happens."""
    with JsonLibrary() as library:
        source = {
            "name": "shots",
            "type": "json",
            "base": library.base,
            "list": {"url": "{base}/items"},
            "page": {"items": "data.items", "next": "data.next", "style": "cursor"},
            "item": {"id": "id", "name": "file.name", "url": "file.url"},
            "auth": {"headers": {"Authorization": "Bearer {secret:token}"}},
        }
        await desk.agent.live_settings.change({"sources": [source]})
        before = await desk.until(lambda s: s.sources)
        assert not before.sources[0].signed_in
        await desk.agent.library.sign_in("shots", TOKEN)
        await desk.until(lambda s: s.sources[0].signed_in)
        await desk.agent.library.sign_out("shots")
        await desk.until(lambda s: not s.sources[0].signed_in)
