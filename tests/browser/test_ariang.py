"""AriaNg, as it is, in Chromium: it adds, watches, stops and forgets downloads over POST and WebSocket."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.running import Running, until
from tests.foreign_clients import find
from tests.servers.media import Media
from tests.servers.threaded import Quiet, Threaded

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SLOW = 128 * 1024


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def ariang() -> Iterator[str]:
    """The address of AriaNg's page, on a web server of the user's own."""
    folder = find("ariang")
    page = "src/index.html" if (folder / "src").is_dir() else "index.html"
    with Threaded(Quiet(partial(_Files, directory=str(folder)))) as server:  # type: ignore[arg-type]
        yield f"{server.base}/{page}"


@pytest.fixture(scope="module")
def agent(ariang: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An agent that lists that server, as its user would."""
    settings = {
        "HOOK__ARIA2_ORIGINS": ariang.rpartition("/")[0].removesuffix("/src"),
        # The file server is on this computer, and a page asks for it.
        "NETWORK__PRIVATE_ADDRESSES": "allow",
        "DOWNLOADS__RETRIES": "0",
    }
    with Running(tmp_path_factory.mktemp("ariang") / "home", None, **settings) as agent:
        yield agent


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    """The file server."""
    with Media() as media:
        yield media


def address(ariang: str, agent: Running, protocol: str, secret: str) -> str:
    """The link with which AriaNg takes its settings."""
    shown = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
    return f"{ariang}#!/settings/rpc/set/{protocol}/127.0.0.1/{agent.port}/jsonrpc/{shown}"


@asynccontextmanager
async def opened(
    chromium: Browser, url: str, status: str | re.Pattern[str] = "Connected"
) -> AsyncIterator[Page]:
    """Open AriaNg, and fail at the end if its own code complained."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(url)
    # It takes the settings from the link, and loads itself again with them.
    await page.wait_for_function("performance.getEntriesByType('navigation')[0].type === 'reload'")
    await expect(page.locator(".status-label")).to_have_text(status)
    yield page
    await context.close()
    assert errors == []


async def add(page: Page, *links: str, later: bool = False) -> None:
    """Type links into its form."""
    await page.locator("a.toolbar[href='#!/new']").click()
    await page.locator("textarea[name=urls]").fill("\n".join(links))
    if later:
        await page.locator("form button.dropdown-toggle:has(.caret)").click()
        await page.get_by_text("Download Later").click()
    else:
        await page.get_by_role("button", name="Download Now").click()
    # It turns to the list by itself, once it is answered.
    await page.wait_for_url(re.compile("downloading$|waiting$"))


def task(page: Page, name: str) -> Locator:
    """The row of a download."""
    return page.locator(".task-table-body .row[data-gid]", has_text=name)


async def see(page: Page, view: str) -> None:
    """Turn to a list or to a page of settings."""
    await page.evaluate("view => { location.hash = `#!/${view}`; }", view)
    # It forgets what is selected when it has turned, so nothing may be clicked before.
    await page.wait_for_function(
        """view => angular.element(document.body).injector().get("$route").current
            ?.originalPath === `/${view}`""",
        arg=view,
    )


async def choose(page: Page, name: str, button: str) -> None:
    """Select a download and press a button of the toolbar."""
    row = task(page, name)
    # A click on the link to its page has selected it, too.
    if await row.get_attribute("data-selected") == "false":
        await row.locator("label").click()
    await expect(row).to_have_attribute("data-selected", "true")
    await page.locator(f"a.toolbar[title='{button}']").click()


async def remove(page: Page, name: str) -> None:
    """Delete a download, and say yes when asked."""
    await choose(page, name, "Delete")
    await page.get_by_text("Remove Task").click()
    await say_yes(page)


async def say_yes(page: Page) -> None:
    """Answer its question, which is deaf until it is all there."""
    await page.locator(".sweet-alert.visible button.confirm").click()
    await expect(page.locator(".sweet-alert")).to_be_hidden()


@pytest.mark.parametrize("protocol", ["http", "ws"])
async def test_a_download_lives_its_whole_life(
    chromium: Browser, ariang: str, agent: Running, media: Media, protocol: str
) -> None:
    def states() -> dict[str, str]:
        return {row["filename"]: row["state"] for row in agent.downloads()}

    async def until_state(name: str, state: str) -> None:
        await asyncio.to_thread(until, lambda: states().get(name) == state)

    secret = str(agent.call("POST", "clients", {"kind": "aria2", "name": protocol})["secret"])
    slow, fast = f"slow-{protocol}.bin", f"fast-{protocol}.bin"
    async with opened(chromium, address(ariang, agent, protocol, secret)) as page:
        await add(page, media.url(slow, 40_000_000, rate=SLOW), media.url(fast, 20_000))

        await see(page, "downloading")
        progress = task(page, slow).locator(".progress-bar span")
        await expect(progress).not_to_have_text("0.00%")
        await expect(task(page, slow).locator(".task-files")).to_contain_text("38.15 MB")
        await until_state(fast, "completed")

        await choose(page, slow, "Pause")
        await until_state(slow, "paused")
        await see(page, "waiting")
        await choose(page, slow, "Start")
        await until_state(slow, "active")

        await see(page, "downloading")
        await expect(task(page, slow)).to_be_visible()
        await task(page, slow).locator("a[href*='task/detail']").first.click()
        await expect(page.locator(".content")).to_contain_text(media.base)

        await see(page, "downloading")
        await remove(page, slow)
        await until_state(slow, "cancelled")
        await see(page, "stopped")
        await expect(task(page, fast).locator(".progress-bar span")).to_have_text("100.00%")
        for name in (slow, fast):
            await remove(page, name)
            await expect(task(page, name)).to_have_count(0)
            assert name not in states()
        assert (agent.home / "downloads" / fast).stat().st_size == 20_000


@pytest.mark.parametrize("protocol", ["http", "ws"])
async def test_its_settings_show_ours_and_change_the_number_at_once(
    chromium: Browser, ariang: str, agent: Running, protocol: str
) -> None:
    connection = agent.call("POST", "clients", {"kind": "aria2", "name": f"settings {protocol}"})
    workers = agent.call("GET", "config")["downloads"]["workers"]
    url = address(ariang, agent, protocol, connection["secret"])
    async with opened(chromium, url) as page:
        await see(page, "status")
        await expect(page.locator("#content-body")).to_contain_text("Connected")
        await see(page, "settings/aria2/basic")
        field = page.locator("[data-option-key='max-concurrent-downloads'] input")
        await expect(field).to_have_value(str(workers))
        await field.fill(str(workers + 1))
        await asyncio.to_thread(
            until, lambda: agent.call("GET", "config")["downloads"]["workers"] == workers + 1
        )
        await see(page, "settings/ariang")
        await expect(page.locator("#content-body")).to_contain_text("AriaNg Version")


async def test_a_retry_adds_the_address_anew(
    chromium: Browser, ariang: str, agent: Running, media: Media
) -> None:
    secret = str(agent.call("POST", "clients", {"kind": "aria2", "name": "retry"})["secret"])
    async with opened(chromium, address(ariang, agent, "ws", secret)) as page:
        await add(page, media.url("gone.bin", status=404))
        await see(page, "stopped")
        await task(page, "gone.bin").get_by_text("Retry").click()
        await say_yes(page)
        asked = media.requests.count
        await asyncio.to_thread(until, lambda: asked("/gone.bin") == 2)


async def test_later_means_that_it_waits(
    chromium: Browser, ariang: str, agent: Running, media: Media
) -> None:
    secret = str(agent.call("POST", "clients", {"kind": "aria2", "name": "later"})["secret"])
    async with opened(chromium, address(ariang, agent, "http", secret)) as page:
        await add(page, media.url("later.bin"), later=True)
        await see(page, "waiting")
        await expect(task(page, "later.bin")).to_be_visible()
        assert "/later.bin" not in media.requests
        await remove(page, "later.bin")
        await expect(task(page, "later.bin")).to_have_count(0)
        assert media.url("later.bin") not in [row["url"] for row in agent.downloads()]


@pytest.mark.parametrize("protocol", ["http", "ws"])
async def test_an_ariang_that_is_not_listed_gets_nothing(
    chromium: Browser, ariang: str, tmp_path: Path, media: Media, protocol: str
) -> None:
    """The same page with the right secret; no origin and any other origin are refused alike."""
    with Running(tmp_path / "home", NETWORK__PRIVATE_ADDRESSES="allow") as strict:
        secret = str(strict.call("POST", "clients", {"kind": "aria2"})["secret"])
        files = find("ariang") / ariang.partition("//")[2].partition("/")[2]
        link = base64.urlsafe_b64encode(media.url("refused.bin").encode()).decode().rstrip("=")
        for page_url in (ariang, files.as_uri()):
            where = address(page_url, strict, protocol, secret)
            async with opened(chromium, where, re.compile("Disconnected|reconnect")) as page:
                # A link that names a download adds it without a click, where AriaNg is listed.
                await page.evaluate("link => { location.hash = `#!/new/${link}`; }", link)
                enough = len(strict.refusals()) + 2
                await asyncio.to_thread(until, lambda least=enough: len(strict.refusals()) >= least)
        assert strict.downloads() == []
    assert "/refused.bin" not in media.requests
