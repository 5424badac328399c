"""Other people's extensions for aria2 and MeTube, unpacked in Chromium: a click in the menu is a download here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Playwright

from tests.browser.extension import Extended, browser_with
from tests.browser.name_proxy import NameProxy
from tests.browser.public_site import PublicSite
from tests.browser.running import Running
from tests.foreign_clients import find

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def agent(
    site: PublicSite, proxy: NameProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """An agent that reaches the site, with the settings that everybody has."""
    home = tmp_path_factory.mktemp("foreign") / "home"
    with Running(home, site.authority, NETWORK__PROXY=proxy.url) as agent:
        yield agent


async def send(browser: Extended, site: PublicSite, entry: str, name: str) -> str:
    """Click an entry of the menu on a link of the site; returns the link."""
    site.server.files["/links.html"] = ("text/html", b"<!doctype html><title>Links</title>")
    link = site.url(f"/plain/{name}")
    page = await browser.open(site.url("/links.html"))
    await browser.click_menu(page, menuItemId=entry, linkUrl=link, editable=False)
    return link


def via(agent: Running, link: str) -> str:
    """By which way an address came in."""
    return next(str(row["via"]) for row in agent.downloads() if row["url"] == link)


async def test_aria2_explorer(
    playwright: Playwright, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    """It sends by POST, and its badge counts what runs, over a WebSocket."""
    secret = agent.call("POST", "clients", {"kind": "aria2", "name": "Aria2-Explorer"})["secret"]
    server = f"http://token:{secret}@127.0.0.1:{agent.port}/jsonrpc"
    extension = find("aria2-explorer")
    async with browser_with(playwright, extension, tmp_path / "profile", site.port) as browser:
        servers = [{"name": "trayagent", "url": server, "pattern": ""}]
        await browser.ask(
            "servers => chrome.storage.local.set({rpcList: servers, monitorAria2: true})", servers
        )
        link = await send(browser, site, "MENU_EXPORT_TO-0", "explorer.mp4")
        await agent.arrival(link)
        await browser.until("await chrome.action.getBadgeText({}) === '0'")
    assert via(agent, link) == "aria2"


async def test_aria2_integration(
    playwright: Playwright, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    """It sends with referer and cookies, also when they are empty."""
    secret = agent.call("POST", "clients", {"kind": "aria2", "name": "aria2-integration"})["secret"]
    server: dict[str, Any] = {
        "uuid": "ours",
        "name": "trayagent",
        "secure": False,
        "host": "127.0.0.1",
        "port": agent.port,
        "path": "/jsonrpc",
        "secret": secret,
        "rpcParameters": {},
    }
    extension = find("aria2-integration")
    async with browser_with(playwright, extension, tmp_path / "profile", site.port) as browser:
        await browser.ask(
            """server => chrome.storage.sync.set({options: JSON.stringify({servers: {ours: server}})})""",
            server,
        )
        link = await send(browser, site, "ours", "integration.mp4")
        await agent.arrival(link)
        popup = await browser.open(f"{browser.worker.url.partition('/js/')[0]}/popup/popup.html")
        await popup.get_by_text("integration.mp4").first.wait_for()
    assert via(agent, link) == "aria2"


async def test_download_with_aria2(
    playwright: Playwright, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    """It is connected by a WebSocket, and shows what is here."""
    secret = agent.call("POST", "clients", {"kind": "aria2", "name": "Download with Aria2"})[
        "secret"
    ]
    settings = {
        "jsonrpc_url": f"http://127.0.0.1:{agent.port}/jsonrpc",
        "jsonrpc_secret": secret,
    }
    extension = find("download-with-aria2")
    async with browser_with(playwright, extension, tmp_path / "profile", site.port) as browser:
        await browser.ask(
            """settings => { storageDispatch({...aria2Storage, ...settings});
            return chrome.storage.sync.set(settings); }""",
            settings,
        )
        await browser.until("aria2Version?.version")
        link = await send(browser, site, "ctxmenu_thisurl", "jc.mp4")
        await agent.arrival(link)
        popup = await browser.open(f"{browser.base}/pages/popup.html")
        await popup.get_by_text("jc.mp4").first.wait_for()
    assert via(agent, link) == "aria2"


async def test_metubes_extension(
    playwright: Playwright, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    """It knows one address, and the secret is a part of it."""
    url = agent.call("POST", "clients", {"kind": "metube"})["url"]
    extension = find("metube-browser-extension")
    async with browser_with(playwright, extension, tmp_path / "profile", site.port) as browser:
        await browser.ask(
            """url => chrome.storage.sync.set({metube: url, defaultFormat: "any",
            contextMenuClickBehavior: "context-menu-send-current-url",
            advancedSettings: {disable_auto_start: false}})""",
            url,
        )
        link = await send(browser, site, "metube", "metube.mp4")
        await agent.arrival(link)
    assert via(agent, link) == "metube"
