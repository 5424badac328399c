"""Downloads of the browser are taken over where they can be repeated, and stay with it where they cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser.extension import Extended
from tests.browser.public_site import PublicSite
from tests.browser.running import Running, until
from tests.browser.takeover_site import CONTENT, SMALL, offer_downloads

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MAY_ASK_EVERY_SITE = True
RULES = {"on": True, "smallest": 1000, "kinds": ["archive", "other"], "except": "left.example"}


@pytest.fixture(scope="module")
def agent(site: PublicSite, new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Run an agent on one of the ports where the extension looks."""
    offer_downloads(site)
    with new_agent(HOOK__PORT="17832") as agent:
        yield agent


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def extended(extended: Extended) -> Extended:
    """Let the browser's downloads be taken over."""
    await choose_rules(extended)
    return extended


@pytest_asyncio.fixture(loop_scope="session")
async def page(extended: Extended, site: PublicSite) -> AsyncIterator[Page]:
    """Show the page with the downloads, to a member; the browser begins without any of its own."""
    site.server.seen.clear()
    await extended.ask("chrome.downloads.erase({})")
    page = await extended.open(site.url("/take/"))
    await page.evaluate("document.cookie = 'session=member; Secure; path=/'")
    yield page
    await page.close()


async def choose_rules(extended: Extended, **changes: object) -> None:
    """Set the rules as the options page does."""
    await extended.ask(
        "takeover => chrome.storage.local.set({ options: { takeover } })", RULES | changes
    )


async def own(extended: Extended) -> list[dict[str, Any]]:
    """Return the browser's own downloads, once all are over."""
    await extended.until(
        """(found => found.length && found.every(({ state }) => state !== "in_progress"))
        (await chrome.downloads.search({}))"""
    )
    found: list[dict[str, Any]] = await extended.ask("chrome.downloads.search({})")
    return found


def asked_for(agent: Running, url: str) -> bool:
    """Tell whether the agent has a download of an address."""
    return url in {row["url"] for row in agent.downloads()}


async def test_with_cookies_and_referer_it_goes_to_trayagent_alone(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    await page.locator("#members").click()
    url = site.url("/take/members.zip")
    file = await agent.arrival(url)
    assert file.read_bytes() == CONTENT
    ours = [headers for path, headers in site.server.seen if path == "/take/members.zip"][-1]
    assert ours["Cookie"] == "session=member"
    assert ours["Referer"] == page.url
    await extended.until("(await chrome.downloads.search({})).length === 0")  # it leaves no trace


@pytest.mark.parametrize(
    ("link", "path", "content"),
    [
        ("#form", "/take/form.zip", CONTENT),  # a form's words cannot be said again
        ("#blob", "", b"x" * 5000),  # the page made it; no server has it
        ("#small", "/take/small.zip", SMALL),  # a rule of the person's
    ],
)
async def test_what_cannot_be_repeated_or_is_not_wanted_stays(
    link: str,
    path: str,
    content: bytes,
    page: Page,
    extended: Extended,
    agent: Running,
    site: PublicSite,
) -> None:
    await page.locator(link).click()
    (download,) = await own(extended)
    assert download["state"] == "complete"
    assert download["fileSize"] == len(content)
    assert not asked_for(agent, site.url(path))


async def test_what_only_the_browser_gets_it_keeps(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    await page.locator("#once").click()
    (download,) = await own(extended)
    assert (download["state"], download["fileSize"]) == ("complete", len(CONTENT))
    assert not asked_for(agent, site.url("/take/once.zip"))  # what failed is forgotten


async def test_alt_means_not_this_time(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    await page.locator("#other").click(modifiers=["Alt"])
    (download,) = await own(extended)
    assert download["state"] == "complete"
    assert not asked_for(agent, site.url("/take/other.zip"))


async def test_a_site_that_is_excepted_keeps_its_downloads(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    await choose_rules(extended, **{"except": "Videos.example"})
    await page.locator("#other").click()
    (download,) = await own(extended)
    await choose_rules(extended)
    assert download["state"] == "complete"
    assert not asked_for(agent, site.url("/take/other.zip"))


async def test_agent_away_the_browser_goes_on(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    await extended.ask("chrome.storage.local.remove('pairing')")
    await page.locator("#other").click()
    (download,) = await own(extended)
    await extended.ask("pairing => chrome.storage.local.set({pairing})", stored)
    assert (download["state"], download["fileSize"]) == ("complete", len(CONTENT))


async def test_aborted_in_the_browser_it_is_over_here_too(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    agent.call("POST", "pause", {})  # the queue stands still, so the browser's own waits beside it
    try:
        await page.locator("#other").click()
        await asyncio.to_thread(until, lambda: asked_for(agent, site.url("/take/other.zip")))
        await extended.ask(
            "chrome.downloads.search({}).then(([{ id }]) => chrome.downloads.cancel(id))"
        )
        await asyncio.to_thread(until, lambda: not asked_for(agent, site.url("/take/other.zip")))
    finally:
        agent.call("POST", "resume", {})
    (download,) = await own(extended)
    assert download["state"] == "interrupted"


A_FILE = {
    "id": 1,
    "url": "https://a.example/x.zip",
    "totalBytes": 5_000_000,
    "state": "in_progress",
}
JUDGED: list[tuple[dict[str, Any], dict[str, Any], str | None]] = [
    ({}, {}, None),
    ({"totalBytes": -1, "fileSize": -1}, {}, None),  # nobody knows yet
    ({}, {"altHeld": True}, "alt"),
    ({}, {"method": "POST"}, "not repeatable"),
    ({"url": "blob:https://a.example/1"}, {}, "not repeatable"),
    ({"url": "data:,x"}, {}, "not repeatable"),
    ({"finalUrl": "blob:https://a.example/1"}, {}, "not repeatable"),
    ({"incognito": True}, {}, "private window"),
    ({"byExtensionId": "other"}, {}, "asked by an extension"),
    ({"state": "complete"}, {}, "over"),
    ({"totalBytes": 999}, {}, "small"),
    ({"url": "https://a.example/x.pdf"}, {}, "kind"),
    ({"url": "https://a.example/dl?id=5", "mime": "video/mp4"}, {}, "kind"),
    ({"url": "https://a.example/dl?id=5", "mime": "application/zip"}, {}, None),
    ({"url": "https://cdn.left.example/x.zip"}, {}, "site"),
    ({"referrer": "https://left.example/page"}, {}, "site"),
    ({"url": "https://notleft.example/x.zip"}, {}, None),
]


async def test_the_rules_one_by_one(extended: Extended) -> None:
    page = await extended.open(f"{extended.base}/options.html")
    for changes, how, reason in JUDGED:
        said = await page.evaluate(
            """async ([download, rules, how]) => {
            const { reasonToLeave } = await import("./takeover.js");
            return reasonToLeave(download, rules, how); }""",
            [A_FILE | changes, RULES, how],
        )
        assert said == reason, (changes, how)
    await page.close()


async def test_what_is_on_its_way_already_is_left_to_come(
    page: Page, extended: Extended, agent: Running, site: PublicSite
) -> None:
    url = site.url("/take/members.zip")
    agent.call("POST", "pause", {})
    try:
        (first,) = agent.call("POST", "downloads", {"url": url, "again": True})["downloads"]
        await extended.ask(
            "globalThis.erased = 0; chrome.downloads.onErased.addListener(() => { erased += 1; })"
        )
        await extended.until(f"Date.now() > Date.parse('{first['created_at']}') + 300")
        await page.locator("#members").click()
        await extended.until("globalThis.erased === 1")
    finally:
        on_its_way = [row["id"] for row in agent.downloads() if row["state"] == "queued"]
        agent.call("POST", f"downloads/{first['id']}/cancel", {})
        agent.call("POST", "resume", {})
    assert on_its_way == [first["id"]]
