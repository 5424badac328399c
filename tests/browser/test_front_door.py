"""How people come in: the welcome page, one window at a time, a session that lasts, a page that asks."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import opened
from tests.browser.running import Running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def agent(desktop: Path, new_agent: Callable[..., Running]) -> Iterator[Running]:
    with new_agent() as agent:
        yield agent


async def test_a_newcomer_ends_in_a_folder_with_a_file(
    chromium: Browser, agent: Running, desktop: Path
) -> None:
    """Without a network: a first download, its folder, the drop folder, the start with the session."""
    async with opened(chromium, agent) as page:
        code = agent.dashboard().partition("#")[2]
        await page.goto(f"{agent.base}/welcome#{code}")
        await expect(page.get_by_role("heading", name="Welcome", exact=True)).to_be_visible()
        assert page.url == f"{agent.base}/#welcome"
        assert await violations(page) == []
        await page.get_by_role("button", name="Start a test download").click()
        await page.get_by_role("button", name="Open folder").click()
        saved = agent.home / "downloads"
        await asyncio.to_thread(until, lambda: str(saved) in desktop.read_text())
        assert "your first download" in (saved / "Welcome to trayagent.txt").read_text()
        await page.get_by_role("button", name="Open the drop folder").click()
        await asyncio.to_thread(until, lambda: "drop" in desktop.read_text())
        await page.get_by_label("Start trayagent when I sign in").check()
        await expect(page.locator("#messages")).to_contain_text("Changed.")
        assert agent.call("GET", "desktop/autostart") == {"on": True}
        await page.get_by_role("link", name="Go to the downloads").click()
        await expect(page.locator(".name[title='Welcome to trayagent.txt']")).to_be_visible()


async def test_the_end_of_the_test_download_is_shown_once(
    chromium: Browser, desktop: Path, new_agent: Callable[..., Running]
) -> None:
    """The event and the answer tell of it; whoever has reached the button by then keeps it."""
    with new_agent() as agent:
        async with opened(chromium, agent) as page:
            is_released = asyncio.Event()

            async def hold(route: Route) -> None:
                await is_released.wait()
                await route.continue_()

            one = re.compile(r"/api/v1/downloads/d\d+$")
            await page.route(one, hold)
            await page.evaluate("location.hash = 'welcome'")
            await page.get_by_role("button", name="Start a test download").click()
            folder = page.get_by_role("button", name="Open folder")
            await folder.focus()
            async with page.expect_response(one) as answered:
                is_released.set()
            await (await answered.value).finished()
            # What the page asks now is answered after it has read that answer.
            await page.evaluate("fetch('/api/v1/health').then((answer) => answer.json())")
            await expect(folder).to_be_focused()


async def test_a_second_click_on_the_icon_does_not_pile_up_tabs(
    chromium: Browser, agent: Running
) -> None:
    """The window that was asked for shows the dashboard; the one from before makes way."""
    context = await chromium.new_context()
    first, second = await context.new_page(), await context.new_page()
    await first.goto(agent.dashboard())
    await expect(first.locator("#shell")).to_be_visible()
    await second.goto(agent.dashboard())
    await expect(second.locator("#shell")).to_be_visible()
    if not first.is_closed():
        await expect(first.locator("#shell")).to_be_hidden()
        await first.get_by_role("button", name="Use this window").click()
        await expect(first.locator("#shell")).to_be_visible()
    await context.close()


async def test_a_reload_changes_nothing(chromium: Browser, agent: Running) -> None:
    async with opened(chromium, agent) as page:
        await page.evaluate("location.hash = 'settings'")
        await expect(page.get_by_role("heading", name="Settings")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="Settings")).to_be_visible()


async def test_the_dashboard_can_be_a_window_of_its_own(chromium: Browser, agent: Running) -> None:
    async with opened(chromium, agent) as page:
        session = await page.context.new_cdp_session(page)
        manifest = await session.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert '"standalone"' in manifest["data"]
        reasons = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
        # Playwright's windows are private ones, in which nothing is ever installed.
        assert [reason["errorId"] for reason in reasons] in ([], ["in-incognito"])
