"""What a person clicks outside the browser, done by the agent: rows of the tray, buttons of popups."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from trayagent.agent import Agent
from trayagent.desktop import autostart, doctor, opener
from trayagent.desktop.feed import Feed
from trayagent.desktop.tray import choice
from trayagent.desktop.tray.snapshot import Level
from trayagent.desktop.tray.tray import Tray
from trayagent.model import notices
from trayagent.model.downloads import Item
from trayagent.model.errors import NotFoundError, TrayagentError, WrongStateError
from trayagent.model.status import Plan, SpeedMode

ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`]+", re.IGNORECASE)
MOST_ADDRESSES: Final = 500
"""Addresses taken from the clipboard at once."""

Wish = Callable[[], Awaitable[object]]
Post = Callable[..., object]

log = logging.getLogger(__name__)


class Clicks:
    """The tray's `Actions`. Every method may be called from any thread, once attached, and returns at once."""

    def __init__(self) -> None:
        self._wishes: asyncio.Queue[Wish] = asyncio.Queue()
        self._attached = asyncio.Event()

    def attach(
        self, agent: Agent, port: int, post: Post, quit: Callable[[], None], tray: Tray
    ) -> None:
        """Serve this agent, whose loop `post` reaches, and show it in this tray."""
        self._agent, self._post, self._quit = agent, post, quit
        self._url = f"http://127.0.0.1:{port}"
        self._feed = Feed(agent, tray.show)
        post(self._attached.set)

    async def run(self) -> None:
        """Do what is asked, several things at a time, until cancelled."""
        await self._attached.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._perform(self._feed.run), name="tray feed")
            group.create_task(self._perform(self._welcome), name="welcome")
            while True:
                wish = await self._wishes.get()
                group.create_task(self._perform(wish), name="click")

    async def _welcome(self) -> None:
        """Let the session start this program, not an older place of it; show newcomers what there is."""
        await asyncio.to_thread(autostart.session_entry().repair)
        hint = doctor.hint(await asyncio.to_thread(choice.check, whole=False))
        status = self._agent.live_status.status
        newcomer = not (status.active or status.queued or status.completed or status.failed)
        if hint is not None and newcomer:
            await self._agent.announcer.tell(hint)
        if newcomer and await self._agent.clients.is_first_visit():
            code = self._agent.clients.issue_session_code()
            # A desktop without a browser: the icon is there all the same.
            with suppress(TrayagentError):
                await self._open(code, f"{self._url}/welcome#code={code}")

    async def _perform(self, wish: Wish) -> None:
        """The boundary of every click: what fails is said, and nothing else stops."""
        try:
            await wish()
        except TrayagentError as error:
            await self._agent.announcer.tell(notices.error_notice(error))
        except Exception:
            log.exception("a click failed")
            await self._agent.announcer.tell(notices.fault_notice())

    def _ask(self, wish: Wish) -> None:
        self._post(self._wishes.put_nowait, wish)

    # Pages

    def open_dashboard(self) -> None:
        self._ask(partial(self._page, "queue"))

    def open_settings(self) -> None:
        self._ask(partial(self._page, "settings"))

    def set_up_images(self) -> None:
        self._ask(partial(self._page, "images"))

    def connect_program(self) -> None:
        self._ask(partial(self._page, "browsers"))

    def why(self, id: str) -> None:
        self._ask(partial(self._page, id))

    def pair_browser(self) -> None:
        self._ask(self._pairing)

    async def _page(self, view: str) -> None:
        """Open the dashboard at a view, or at a download by its id."""
        code = self._agent.clients.issue_session_code()
        await self._open(code, f"{self._url}/#code={code}&view={view}")

    async def _pairing(self) -> None:
        code = self._agent.clients.issue_pairing_code()
        await self._open(code, f"{self._url}/pair#code={code}")

    async def _open(self, code: str, url: str) -> None:
        page = await self._agent.clients.page_for(code, url)
        await asyncio.to_thread(opener.open_page, page)

    # The queue

    def pause_queue(self, minutes: int | None) -> None:
        self._ask(partial(self._agent.queue.pause_all, minutes))

    def resume_queue(self) -> None:
        self._ask(self._agent.queue.resume_all)

    def choose_speed(self, mode: SpeedMode) -> None:
        self._ask(partial(self._agent.speed_control.choose, mode))

    def choose_when_done(self, plan: Plan) -> None:
        self._ask(partial(self._choose_when_done, plan))

    async def _choose_when_done(self, plan: Plan) -> None:
        self._agent.when_done.choose(plan)

    def pause(self, id: str) -> None:
        self._ask(partial(self._agent.queue.pause, id))

    def cancel(self, id: str) -> None:
        self._ask(partial(self._agent.queue.cancel, id))

    def retry(self, id: str) -> None:
        self._ask(partial(self._agent.queue.retry, id))

    def retry_failed(self) -> None:
        self._ask(self._retry_failed)

    def dismiss_failures(self) -> None:
        self._post(self._agent.queue.mark_failures_seen)

    async def _retry_failed(self) -> None:
        # What is retried leaves this listing. A page begins behind an id, so that shifts nothing.
        after: str | None = None
        while True:
            page, after = await self._agent.queries.downloads(states=("failed",), after=after)
            for download in page:
                await self._agent.queue.retry(download.id)
            if after is None:
                return

    def add_from_clipboard(self, text: str) -> None:
        self._ask(partial(self._add, text))

    async def _add(self, text: str) -> None:
        # Prose around a link is common; its closing mark is hardly ever a part of the address.
        found = dict.fromkeys(address.rstrip(".,;:!?)]}") for address in ADDRESS.findall(text))
        items = [Item(url) for url in found][:MOST_ADDRESSES]
        if not items:
            raise TrayagentError(
                "nothing_to_add",
                "The clipboard holds no web address.",
                "Copy one, then click again.",
            )
        entered = await self._agent.intake.add(items, via="cli")
        # One reason stands for all: a popup has room for one sentence.
        for rejected in entered.receipt.rejected[:1]:
            raise TrayagentError(rejected.code, rejected.message)

    def undo(self, batch: str) -> None:
        self._ask(partial(self._undo, batch))

    async def _undo(self, id: str) -> None:
        # First: while files move into the trash, a second click must find nothing to undo.
        self._feed.clear_undo()
        await self._agent.undo.take_back(id)

    # Images

    def sync(self, source: str | None) -> None:
        self._ask(partial(self._sync, source))

    async def _sync(self, wanted: str | None) -> None:
        # "All" leaves out who is signed out: each would fail with a notice of its own.
        for source in await self._agent.library.sources():
            if wanted == source.name or (wanted is None and source.signed_in):
                await self._agent.library.sync(source.name)

    # Files

    def open_file(self, path: str) -> None:
        self._ask(partial(asyncio.to_thread, opener.open_file, path))

    def open_folder(self, path: str) -> None:
        self._ask(partial(asyncio.to_thread, opener.open_folder, path))

    # Notifications

    def set_notifications(self, level: Level) -> None:
        self._ask(partial(self._agent.live_settings.change, {"notifications": {"level": level}}))

    def snooze(self, minutes: int) -> None:
        self._ask(partial(self._snooze, minutes))

    async def _snooze(self, minutes: int) -> None:
        self._agent.announcer.snooze(minutes)
        self._feed.set_snooze(minutes)

    def follow(self, do: str, id: str) -> None:
        """Do what a notice's button says."""
        self._ask(partial(self._follow_button, do, id))

    async def _follow_button(self, do: str, id: str) -> None:
        match do:
            case "keep_on":
                self._agent.when_done.choose("nothing")
            case "retry":
                ids = id.split()
                for one in ids:
                    try:
                        await self._agent.queue.retry(one)
                    except (NotFoundError, WrongStateError):
                        if len(ids) == 1:
                            raise  # of one alone it is said why it cannot; of several the others go on
            case "why":
                await self._page(id)
            case "open" | "folder":
                # One that has no file yet shows where it would be.
                download = await self._agent.queries.download(id)
                show = opener.open_file if do == "open" else opener.open_folder
                folder = self._agent.live_settings.config.downloads.folder
                await asyncio.to_thread(show, download.path or folder)
            case "batch":
                # A list has a report to look at; what was asked otherwise has only its files.
                batch = await self._agent.queries.batch(id)
                if batch.list:
                    await self._page("lists")
                else:
                    folder = self._agent.live_settings.config.downloads.folder
                    await asyncio.to_thread(opener.open_folder, folder)
            case "source":
                folder = self._agent.live_settings.config.library.folder
                await asyncio.to_thread(opener.open_folder, Path(folder) / id)
            case _:
                await self._page("queue")

    def quit(self) -> None:
        """End the agent; downloads are kept."""
        self._post(self._quit)
