"""What the tests of the dashboard do with it: open it, add links, find a row, turn to a view."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.running import Running


@asynccontextmanager
async def opened(chromium: Browser, agent: Running, **options: Any) -> AsyncIterator[Page]:
    """Open the dashboard, and fail at the end if anything in it complained or asked elsewhere."""
    options = {"viewport": {"width": 1180, "height": 860}, "locale": "en-GB"} | options
    context = await chromium.new_context(**options)
    page = await context.new_page()
    complaints: list[str] = []
    outside: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: outside.append(request.url))
    await page.goto(agent.dashboard())
    await expect(page.locator("#shell")).to_be_visible()
    yield page
    # What the page still asks when its test has ended may be on its way through a test's own answer.
    await page.unroute_all(behavior="ignoreErrors")
    await context.close()
    # The agent's no to what a test asks: browsers note it, and the page says it to people.
    refusals = ("404", "409", "422")
    unexpected = [said for said in complaints if not any(code in said for code in refusals)]
    assert unexpected == [], unexpected
    elsewhere = [url for url in outside if not url.startswith((agent.base, "blob:"))]
    assert elsewhere == [], elsewhere


async def add(page: Page, *links: str) -> None:
    """Add links by the dialog."""
    await page.get_by_role("button", name="Add links", exact=True).first.click()
    await page.get_by_label("Links to download").fill("\n".join(links))
    await page.get_by_role("button", name="Download", exact=True).click()


def row(page: Page, name: str) -> Locator:
    """The row of the list with this name."""
    return page.locator(".rows .row:not([hidden])", has=page.locator(f".name[title='{name}']"))


def head(page: Page, title: str) -> Locator:
    """The row of a batch, under which its own rows fold open."""
    return page.locator(".rows .row.head:not([hidden])", has=page.locator(f"[title='{title}']"))


def names(page: Page) -> Locator:
    """The names of the rows in the page, in the order of the page's elements."""
    return page.locator(".rows .row:not([hidden]) .name")


async def shown(page: Page) -> list[str]:
    """The names of the downloads in sight, from top to bottom."""
    found: list[str] = await page.locator(".rows .row:not([hidden], .head)").evaluate_all(
        """rows => rows.map(row => [Number(row.getAttribute("aria-rowindex")), row.querySelector(".name").title])
            .sort((a, b) => a[0] - b[0]).map(([, name]) => name)"""
    )
    return found


async def see(page: Page, view: str) -> None:
    """Turn to a view, or to a part of the list."""
    link = page.locator(f"nav a[href$='#{view}']").first
    await link.click()
    await expect(link).to_have_attribute("aria-current", "page")
    # The rows of before stay for a frame: who clicks one of them then waits for what does not come back.
    await page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
