"""What the page says can be read and answered, whatever else is open; and it says what does not work now."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import opened, row
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def agent(new_agent: Callable[..., Running]) -> Iterator[Running]:
    with new_agent() as agent:
        yield agent


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    async with opened(chromium, agent) as page:
        yield page


async def is_read_out(page: Page, said: Locator) -> bool:
    """Whether the browser hands an element on to screen readers."""
    session = await page.context.new_cdp_session(page)
    await said.evaluate("each => { window.said = each; }")
    found = await session.send("Runtime.evaluate", {"expression": "window.said"})
    wanted = {"objectId": found["result"]["objectId"], "fetchRelatives": False}
    tree = await session.send("Accessibility.getPartialAXTree", wanted)
    await session.detach()
    return not tree["nodes"][0]["ignored"]


async def test_a_message_is_read_and_answered_while_a_dialog_is_open(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """One that was there before the dialog, one that comes meanwhile, and one that stays after it."""
    for name in ("first.mp4", "second.mp4"):
        agent.call("POST", "downloads", {"url": site.url(f"/plain/{name}")})
        await agent.arrival(site.url(f"/plain/{name}"))
    said = page.locator("#messages")
    box = page.get_by_role("dialog")
    undo = said.get_by_role("button", name="Undo")
    await row(page, "first.mp4").get_by_role("button", name="Remove from the list").click()
    await expect(undo).to_be_visible()
    await page.get_by_role("button", name="Add links", exact=True).click()
    await expect(box.locator("#messages")).to_be_attached()
    assert await is_read_out(page, undo)
    await undo.click()
    await expect(row(page, "first.mp4")).to_contain_text("Saved")
    await box.get_by_label("Links to download").fill(
        f"{site.url('/plain/first.mp4')}\nmailto:somebody@example.org"
    )
    await box.get_by_role("button", name="Download", exact=True).click()
    again = said.get_by_role("button", name="Download again")
    await again.hover()  # what holds the pointer stays, however long all this takes
    assert await is_read_out(page, again)
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(box).to_be_hidden()
    await expect(page.locator("body > #messages")).to_contain_text("You have this file already.")
    assert await is_read_out(page, again)
    await again.click()
    await expect(row(page, "first (1).mp4")).to_be_visible()


async def test_a_message_is_in_the_dialog_that_was_opened_last(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """Also above one that its element stands behind in the page; and back again when that one closes."""
    await page.route(
        "**/desktop/choose-folder",
        lambda route: route.fulfill(
            status=422, json={"error": {"code": "no_dialog", "message": "None here."}}
        ),
    )
    agent.call("POST", "downloads", {"url": site.url("/plain/moved.mp4"), "again": True})
    await agent.arrival(site.url("/plain/moved.mp4"))
    await row(page, "moved.mp4").click()
    await page.locator(".detail").get_by_role("button", name="Move to…").click()
    asked = page.get_by_role("dialog", name="Move to another folder")
    await expect(asked.locator("#messages")).to_be_attached()
    agent.call("POST", "when-done", {"plan": "shutdown"})
    agent.call("POST", "downloads", {"url": site.url("/plain/last.mp4"), "again": True})
    countdown = page.get_by_role("dialog", name="All downloads are done")
    await expect(countdown.locator("#messages")).to_be_attached()
    await countdown.get_by_role("button", name="Stop it").click()
    await expect(asked.locator("#messages")).to_be_attached()
    await page.keyboard.press("Escape")
    await expect(page.locator("body > #messages")).to_be_attached()


async def test_a_view_that_cannot_be_read_says_so_and_comes_when_the_agent_is_back(
    chromium: Browser, tmp_path: Path
) -> None:
    page = await chromium.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with Running(tmp_path / "home") as agent:
        await page.goto(agent.dashboard())
        await expect(page.locator("#shell")).to_be_visible()
    await page.locator("#places a[href='#images']").click()
    await expect(page.locator(".message")).to_have_text("trayagent does not answer. Trying again…")
    with Running(tmp_path / "home", HOOK__PORT=str(agent.port)):
        await expect(page.get_by_role("heading", name="Images", exact=True)).to_be_visible()
        await expect(page.locator("#banner")).to_be_hidden()
    assert complaints == []
    await page.close()
