"""The extension in Chromium: a profile with it installed, and the ways a person uses it."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, Playwright, Worker, expect

from tests.browser.chromium import EXTENSION, launch_options
from tests.browser.popup import Popup, popup_on


def with_permissions_granted(folder: Path) -> Path:
    """Return a copy whose optional permissions are granted: headless, nobody answers the question."""
    copy = Path(shutil.copytree(EXTENSION, folder / "granted"))
    manifest: dict[str, Any] = json.loads((copy / "manifest.json").read_text())
    manifest["permissions"] += manifest["optional_permissions"]
    manifest["host_permissions"] += manifest["optional_host_permissions"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


class Extended:
    """A browser with the extension."""

    def __init__(self, context: BrowserContext, worker: Worker, profile: Path) -> None:
        self.context = context
        self.worker = worker
        self.profile = profile
        self.base = worker.url.rpartition("/")[0]

    async def ask(self, expression: str, argument: object = None) -> Any:
        """Evaluate in the background."""
        return await self.worker.evaluate(expression, argument)

    async def until(self, expression: str) -> None:
        """Wait until something holds in the background."""
        loop = f"while (!({expression})) await new Promise(go => setTimeout(go, 50));"
        async with asyncio.timeout(20):
            await self.ask(f"(async () => {{ {loop} }})()")

    async def open(self, url: str) -> Page:
        """Open a page in front."""
        page = await self.context.new_page()
        await page.goto(url)
        await page.bring_to_front()
        return page

    async def shown(self, address: str) -> Page:
        """Return the page that the extension itself has opened."""
        async with asyncio.timeout(20):
            while True:
                for page in self.context.pages:
                    if address in page.url:
                        return page
                await asyncio.sleep(0.05)

    async def pair(self, address: str) -> str:
        """Open a pairing page, say yes where the extension asks, and return what it says in the end."""
        page = await self.open(address)
        await self.say_yes(page)
        root = page.locator("html")
        await expect(root).to_have_attribute("data-pairing", re.compile("^(done|failed)"))
        said = str(await root.get_attribute("data-pairing"))
        await page.close()
        return said

    async def say_yes(self, page: Page) -> None:
        """Answer what the extension asks, until the pairing page knows the answer."""
        async with asyncio.timeout(20):
            while not await self._answered(page):
                await page.wait_for_timeout(50)

    async def _answered(self, page: Page) -> bool:
        if re.match("done|failed", await page.locator("html").get_attribute("data-pairing") or ""):
            return True
        for each in self.context.pages:
            if "options.html#pair" in each.url and await each.locator("#accept").is_visible():
                await each.locator("#accept").click()
                await expect(each.locator("#asked")).to_be_hidden()
                await each.close()
        return False

    async def click_menu(self, page: Page, **info: object) -> None:
        """Click an entry of the context menu: the event that the browser itself would send."""
        await page.bring_to_front()
        await self.ask(
            """async info => { const [tab] = await chrome.tabs.query({active: true, lastFocusedWindow: true});
            chrome.contextMenus.onClicked.dispatch(info, tab); }""",
            {"pageUrl": page.url} | info,
        )

    def popup(self, page: Page) -> AbstractAsyncContextManager[Popup]:
        """Click the toolbar button on a page."""
        return popup_on(self.profile, self.base.rpartition("/")[2], page.url)

    async def notified(self) -> list[str]:
        """Return the notifications on show."""
        found: dict[str, bool] = await self.ask("chrome.notifications.getAll()")
        return list(found)


@asynccontextmanager
async def browser_with(
    playwright: Playwright,
    extension: Path,
    profile: Path,
    site_port: int,
    environ: dict[str, str] | None = None,
) -> AsyncIterator[Extended]:
    """Start Chromium with an unpacked extension in a fresh profile; `environ` goes to what it starts."""
    flags = (
        f"--load-extension={extension}",
        f"--disable-extensions-except={extension}",
        "--remote-debugging-port=0",
        "--screen-info={1600x1200}",  # a popup is no higher than what is left of the screen
    )
    context = await playwright.chromium.launch_persistent_context(
        str(profile),
        ignore_https_errors=True,
        env=dict(environ) if environ else None,
        **launch_options(site_port, *flags),
    )
    workers = context.service_workers
    worker = workers[0] if workers else await context.wait_for_event("serviceworker")
    try:
        yield Extended(context, worker, profile)
    finally:
        await context.close()
