"""From a browser that has just got the extension to the first file: few clicks, and the agent may be down."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Playwright, expect

from tests.browser.chromium import violations
from tests.browser.extension import Extended, browser_with
from tests.browser.impostor import impostor
from tests.browser.name_proxy import NameProxy
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
INSTALL_CLICKS = 3
"""Developer mode, Load unpacked, and the folder that `trayagent extension` has opened."""
MOST_CLICKS = 6


@pytest.fixture
def agent(site: PublicSite, proxy: NameProxy, tmp_path: Path) -> Iterator[Running]:
    """Give an agent that is down; whoever starts it, it is ended here."""
    agent = Running(tmp_path / "home", site.authority, NETWORK__PROXY=proxy.url)
    agent.home.mkdir()
    yield agent
    if (agent.home / "runtime.json").exists():
        agent.find()
        agent.call("POST", "quit", {})


@pytest_asyncio.fixture(loop_scope="session")
async def extended(
    playwright: Playwright, site: PublicSite, agent: Running, tmp_path: Path
) -> AsyncIterator[Extended]:
    """Run a browser that has just got the extension, after `trayagent extension`."""
    profile = tmp_path / "profile"
    profile.mkdir()
    chromium = agent.home / ".config/chromium"
    chromium.parent.mkdir()
    chromium.symlink_to(profile)  # where it looks for hosts
    command = [sys.executable, "-m", "trayagent", "extension", "--no-open"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=agent.environ, capture_output=True, text=True, check=True
    )
    unpacked = agent.home / "extension/chromium"
    assert str(unpacked) in done.stdout
    async with browser_with(
        playwright, unpacked, profile, site.port, environ=agent.environ
    ) as extended:
        yield extended


async def test_first_file_with_the_agent_down(
    extended: Extended, agent: Running, site: PublicSite, pictures: Path
) -> None:
    page = await extended.open(site.url("/player.html"))
    async with extended.popup(page) as popup:
        await popup.until("document.getElementById('way-in')?.textContent === 'Start trayagent'")
        assert "Not running" in await popup.text()
        await popup.click("#way-in")
        await popup.until("document.getElementById('way-in')?.textContent === 'Pair now'")
        await asyncio.to_thread(agent.find)
        assert f"port {agent.port} " in await popup.text()
        await popup.picture(pictures / "popup-not-paired.png")
        await popup.click("#way-in")
        await popup.until("document.getElementById('state').textContent === 'Connected'")
        await popup.until("document.querySelectorAll('#here li').length === 5")
        await popup.click("#here li button")
        url = site.url("/media/aurora.mp4")
        assert (await agent.arrival(url)).name == "aurora.mp4"
        await popup.until("document.querySelector('#going li')?.dataset.state === 'completed'")
    (client,) = agent.call("GET", "clients")["clients"]
    assert client["origin"] == extended.base


async def test_on_a_new_port_it_is_found_without_asking_around(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    """A stranger has the old port, another the last of the usual ten: neither hears more than a question for proof."""
    with agent:
        welcome = await extended.shown("options.html#welcome")
        await welcome.reload()
        await welcome.get_by_role("button", name="Pair now").click()
        await expect(welcome.locator("#link")).to_be_visible()
        old = agent.port
    with impostor(port=old) as stranger, impostor(port=17839) as usual:
        page = await extended.open(site.url("/player.html"))
        async with extended.popup(page) as popup:  # down, whatever the stranger says
            await popup.until(
                "document.getElementById('way-in')?.textContent === 'Start trayagent'"
            )
            await popup.ask("window.close()")
        with agent:
            assert agent.port != old
            url = site.url("/media/moved.mp4")
            await extended.click_menu(page, menuItemId="link", linkUrl=url)
            assert (await agent.arrival(url)).name == "moved.mp4"
        assert set(stranger.asked) == {"hello"}
        assert usual.connections == 0


async def test_after_an_update_the_popup_begins_again(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    settings = await extended.open("chrome://extensions")
    await settings.evaluate(  # as for everybody who has loaded a folder
        "chrome.developerPrivate.updateProfileConfiguration({ inDeveloperMode: true })"
    )
    manifest = agent.home / "extension/chromium/manifest.json"
    newer = json.loads(manifest.read_text()) | {"version": "99.0"}
    manifest.write_text(json.dumps(newer))
    page = await extended.open(site.url("/player.html"))
    async with extended.context.expect_event("serviceworker") as started:
        async with extended.popup(page):
            pass
        worker = await started.value
    assert await worker.evaluate("chrome.runtime.getManifest().version") == "99.0"


async def test_clicks_from_install_to_first_file(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    clicks = INSTALL_CLICKS
    with agent:
        welcome = await extended.shown("options.html#welcome")
        await expect(welcome.get_by_role("heading", name="Welcome")).to_be_visible()
        await welcome.reload()  # it was opened before the agent was there
        assert await violations(welcome) == []
        await welcome.get_by_role("button", name="Pair now").click()
        clicks += 1
        await expect(welcome.locator("#link")).to_have_text(
            f"Connected to trayagent on port {agent.port}."
        )
        page = await extended.open(site.url("/player.html"))
        url = site.url("/media/first.mp4")
        await extended.click_menu(page, menuItemId="link", linkUrl=url)
        clicks += 2  # the menu, and its entry
        assert (await agent.arrival(url)).name == "first.mp4"
    assert clicks <= MOST_CLICKS
