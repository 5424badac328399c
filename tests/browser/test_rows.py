"""A row counts what the rest of the page counts, shows what is not known yet, and offers only what does something."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import head, opened, row, shown
from tests.browser.public_site import PublicSite, holding
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
VERBS = ["Pause", "Resume", "Retry", "Start first", "Cancel"]


@pytest.fixture(scope="module")
def agent(new_agent: Callable[..., Running]) -> Iterator[Running]:
    with new_agent() as agent:
        yield agent


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running, site: PublicSite) -> AsyncIterator[Page]:
    """Begin with an empty list."""
    for download in agent.downloads():
        agent.call("DELETE", f"downloads/{download['id']}")
    site.server.missing.clear()
    async with opened(chromium, agent) as page:
        yield page


def ask(agent: Running, site: PublicSite, *names: str, paused: bool = False) -> None:
    """Ask for each by itself, so that no batch gathers them."""
    for name in names:
        url = site.url(f"/plain/{name}")
        agent.call("POST", "downloads", {"url": url, "paused": paused, "again": True})


async def test_a_batch_counts_its_refused_lines_wherever_it_is_counted(
    page: Page, agent: Running, site: PublicSite
) -> None:
    site.server.missing.add("/plain/gone.mp4")
    urls = [site.url(f"/plain/{name}.mp4") for name in ("here", "there", "gone")]
    urls += ["mailto:a@b.example", "mailto:c@d.example"]
    asked = agent.call("POST", "downloads", {"items": [{"url": url} for url in urls]})
    batch = head(page, "here.mp4 and 2 more")
    await expect(batch.locator(".words")).to_have_text("5 of 5, 1 failed, 2 refused")
    await expect(batch.locator(".size")).to_be_empty()
    side = page.locator(f"#batches a[href='#{asked['batch']}'] .number")
    await expect(side).to_have_text("5")
    await batch.get_by_role("button", name="Report").click()
    panel = page.get_by_role("region", name="Report")
    await expect(panel.locator(".counts")).to_contain_text("5 of 5")
    await expect(panel.locator(".counts")).to_contain_text("Refused: 2")
    # What was refused stays refused, when nothing else is the matter any more.
    site.server.missing.clear()
    await batch.get_by_role("button", name="Retry failed").click()
    await expect(batch.locator(".words")).to_have_text("5 of 5, 2 refused")


async def test_a_row_that_is_still_read_cannot_be_ticked(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """A busy agent takes a while: where names will be stand quiet bars, and the list says that it is busy."""
    ask(agent, site, "one.mp4", "two.mp4", paused=True)
    await expect(row(page, "two.mp4")).to_be_visible()
    grid = page.get_by_role("treegrid")
    await expect(grid).to_have_attribute("aria-busy", "false")
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route(re.compile(r"/downloads\?.*offset=0"), hold)
    await page.locator("nav a[href$='#waiting']").click()
    await expect(page.locator(".rows .row.unread:not([hidden])")).to_have_count(2)
    await expect(grid).to_have_attribute("aria-busy", "true")
    await expect(page.locator(".rows .row:not([hidden]) input:visible")).to_have_count(0)
    await expect(page.get_by_label("Tick all", exact=True)).to_be_disabled()
    assert await violations(page) == []
    held.set()
    await expect(row(page, "one.mp4").get_by_role("checkbox", name="Tick one.mp4")).to_be_visible()
    await expect(row(page, "one.mp4").locator(".type svg")).to_be_visible()
    await expect(grid).to_have_attribute("aria-busy", "false")
    await expect(page.locator(".rows .row.unread:not([hidden])")).to_have_count(0)
    await page.get_by_label("Tick all", exact=True).check()
    await expect(page.get_by_role("toolbar")).to_contain_text("2 ticked")


async def test_ticked_rows_are_offered_only_what_does_something(
    page: Page, agent: Running, site: PublicSite
) -> None:
    site.server.missing.add("/plain/lost.mp4")
    ask(agent, site, "saved.mp4", "lost.mp4")
    ask(agent, site, "later.mp4", paused=True)
    await expect(row(page, "saved.mp4")).to_have_attribute("data-state", "completed")
    await expect(row(page, "lost.mp4")).to_have_attribute("data-state", "failed")
    bar = page.get_by_role("toolbar")

    async def offers(*wanted: str) -> None:
        for verb in VERBS:
            button = bar.get_by_role("button", name=verb, exact=True)
            await expect(button).to_have_count(int(verb in wanted))

    async def has_more(*wanted: str) -> None:
        await bar.locator("summary").click()
        # The bar follows the ticks a moment later.
        await expect(bar.locator(".menu-body button")).to_have_text(wanted)
        await page.keyboard.press("Escape")

    await row(page, "saved.mp4").get_by_role("checkbox").check()
    await offers()
    await has_more("Copy the link", "Remove from the list", "Move the file to the trash")
    await row(page, "lost.mp4").get_by_role("checkbox").check()
    await offers("Retry")
    await row(page, "later.mp4").get_by_role("checkbox").check()
    await offers("Resume", "Retry", "Start first", "Cancel")
    await row(page, "saved.mp4").get_by_role("checkbox").uncheck()
    await has_more("Start last", "Copy the link", "Remove from the list")
    # What changes meanwhile is offered as it is now; and each verb goes to those that it is for.
    await row(page, "later.mp4").get_by_role("button", name="Resume").click()
    await expect(row(page, "later.mp4")).to_have_attribute("data-state", "completed")
    await offers("Retry")
    await row(page, "saved.mp4").get_by_role("checkbox").check()
    site.server.missing.clear()
    await bar.get_by_role("button", name="Retry", exact=True).click()
    await expect(row(page, "lost.mp4")).to_have_attribute("data-state", "completed")
    await expect(page.locator("#messages")).to_be_empty()


UNDER = "([x, y]) => document.elementFromPoint(x, y).closest('.row').querySelector('.name').title"


async def test_a_row_that_somebody_aims_at_keeps_its_place(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """Above it a download ends and makes way: not in the moment of a click, but once the hand rests.

    The clock is the test's own: a busy machine makes no rest of a moment between two moves.
    """
    ends = {f"{name}.mp4": threading.Event() for name in ("first", "second", "third")}
    for name, end in ends.items():
        site.server.special[f"/plain/{name}"] = holding(end)
    ask(agent, site, *ends)
    await page.clock.install()
    await page.reload()
    for name in ends:
        await expect(row(page, name)).to_have_attribute("data-state", "active")
    await page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    assert await shown(page) == [*ends]
    second = row(page, "second.mp4")
    box = await second.locator(".name").bounding_box()
    assert box is not None
    place = (box["x"] + 5, box["y"] + box["height"] / 2)

    async def move_for(tenths: int) -> list[str]:
        """Move by a pixel ten times a second; returns over which rows the pointer was."""
        over = []
        for step in range(tenths):
            await page.mouse.move(place[0] + step % 2, place[1])
            await page.clock.run_for(100)
            over.append(await page.evaluate(UNDER, place))
        return over

    await move_for(1)
    ends["first.mp4"].set()
    await agent.arrival(site.url("/plain/first.mp4"))
    over = []
    while await row(page, "first.mp4").get_attribute("data-state") != "completed":
        over += await move_for(1)
    assert {*over, *await move_for(15)} == {"second.mp4"}
    await page.mouse.click(*place)
    await page.clock.run_for(100)
    await expect(page.get_by_role("region", name="second.mp4")).to_be_visible()
    # At rest the list is as the agent has it; and it is, within seconds, under a hand that never rests.
    await page.clock.resume()
    await expect(second).to_have_attribute("aria-rowindex", "2")
    ends["second.mp4"].set()
    third = row(page, "third.mp4")
    async with asyncio.timeout(30):
        while await third.get_attribute("aria-rowindex") != "2":
            await page.mouse.move(place[0] + 1, place[1])
            await page.mouse.move(*place)
    ends["third.mp4"].set()
    await agent.arrival(site.url("/plain/third.mp4"))  # the next test begins with an empty list


async def test_a_list_at_the_side_that_somebody_aims_at_keeps_its_place(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """Another is asked for meanwhile, and comes to stand above it."""

    def ask_for(name: str) -> str:
        items = [{"url": site.url(f"/plain/{name}-{n}.mp4"), "paused": True} for n in range(2)]
        return str(agent.call("POST", "downloads", {"items": items})["batch"])

    older = page.locator(f"#batches a[href='#{ask_for('older')}']")
    await page.clock.install()
    await page.reload()
    await expect(older).to_be_visible()
    await page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    box = await older.bounding_box()
    assert box is not None
    place = (box["x"] + 30, box["y"] + box["height"] / 2)
    newer = page.locator(f"#batches a[href='#{ask_for('newer')}']")
    for step in range(15):
        await page.mouse.move(place[0] + step % 2, place[1])
        await page.clock.run_for(100)
    await page.mouse.click(*place)
    await page.clock.run_for(100)
    await expect(older).to_have_attribute("aria-current", "page")
    await expect(newer).to_have_count(0)
    await page.clock.resume()
    await expect(newer).to_be_visible()
    await expect(older).to_be_focused()  # also where it stands now
