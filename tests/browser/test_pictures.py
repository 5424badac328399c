"""The documentation's pictures show the pages as they are: these tests take them.

To keep them: PICTURES=1 python3 dev.py test tests/browser
"""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from tests.browser.dashboard import add, opened, row, see
from tests.browser.public_site import PublicSite
from tests.browser.running import Running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SHAPES = {
    "dashboard": ("light", 1180, 940),
    "dashboard-dark": ("dark", 1180, 940),
    "dashboard-phone": ("light", 390, 780),
}


async def work(agent: Running, site: PublicSite) -> None:
    """Give the agent a day's work: some done, some failed, some going on, some waiting."""

    def add(path: str, name: str) -> None:
        agent.call("POST", "downloads", {"url": site.url(path), "filename": name})

    site.server.files["/holiday/lighthouse.jpg"] = (
        "image/jpeg",
        b"\xff\xd8\xff\xe0" + bytes(3_400_000),
    )
    add("/holiday/lighthouse.jpg", "Lighthouse at dusk.jpg")
    await agent.arrival(site.url("/holiday/lighthouse.jpg"))
    site.server.missing.add("/gone/concert.mp4")
    add("/gone/concert.mp4", "Concert in the park.mp4")
    for name, size in (
        ("Aurora over Lofoten.mp4", 180),
        ("Keynote 2026.webm", 120),
        ("How bread rises.mp4", 90),
    ):
        add(f"/large/{size}/{quote(name)}", name)
    for number in (7, 8):
        add(f"/large/90/lecture-{number}.mp4", f"Lecture {number}, The oceans.mp4")
    await asyncio.to_thread(
        until, lambda: len([one for one in agent.downloads() if one["received"] > 50_000_000]) >= 3
    )
    paused = next(one for one in agent.downloads() if one["filename"] == "How bread rises.mp4")
    agent.call("POST", f"downloads/{paused['id']}/pause", {})


async def test_dashboard(
    chromium: Browser, agent: Running, site: PublicSite, pictures: Path
) -> None:
    await work(agent, site)
    for name, (scheme, width, height) in SHAPES.items():
        context = await chromium.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
            locale="en-GB",
        )
        page = await context.new_page()
        await page.goto(agent.dashboard())
        await expect(page.locator(".row[data-state='active'] progress").first).to_be_visible()
        await expect(page.locator("#status")).to_contain_text("/s")
        await page.screenshot(path=pictures / f"{name}.png")
        await context.close()
    for download in agent.downloads():
        agent.call("DELETE", f"downloads/{download['id']}")


async def test_confirm_page(
    chromium: Browser, agent: Running, site: PublicSite, pictures: Path
) -> None:
    context = await chromium.new_context(viewport={"width": 460, "height": 460})
    page = await context.new_page()
    url = quote("https://videos.example/watch/aurora-over-lofoten", safe="")
    await page.goto(f"{agent.base}/send#url={url}&title={quote('Aurora over Lofoten')}")
    await expect(page.locator("#send")).to_be_enabled()
    await page.screenshot(path=pictures / "confirm.png")
    await context.close()


@pytest.mark.timeout(
    120
)  # a dozen steps, each with a bound of its own; a browser and an agent start, too
async def test_the_first_five_minutes(
    chromium: Browser, agent: Running, site: PublicSite, pictures: Path
) -> None:
    """A newcomer's way from the first start to a file that opens, as docs/dashboard.md shows it."""
    options = {"viewport": {"width": 1180, "height": 760}, "color_scheme": "light"}
    async with opened(chromium, agent, **options) as page:

        async def take(name: str) -> None:
            await page.evaluate("document.getElementById('messages').hidden = true")
            await page.screenshot(path=pictures / f"first-{name}.png")

        await page.goto(f"{agent.base}/welcome{agent.dashboard().removeprefix(agent.base)[1:]}")
        await page.get_by_role("button", name="Start a test download").click()
        await expect(page.get_by_role("button", name="Open folder")).to_be_visible()
        await take("1-welcome")

        await page.get_by_role("link", name="Go to the downloads").click()
        site.server.missing.add("/gone/concert.mp4")
        # The first one is looked at below: it outlasts that, and no row above it can end and let it move.
        films = [site.url(f"/large/{size}/Film%20{size}.mp4") for size in (300, 60, 90, 150, 180)]
        site.server.special["/large/300/Film%20300.mp4"] = lambda answer: answer.drip(
            300_000_000, pause=0.5
        )
        await add(page, *films, site.url("/gone/concert.mp4"), "htp:/mistyped.example/film")
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
        await take("2-add")
        await page.keyboard.press("Escape")

        await expect(row(page, "concert.mp4")).to_have_attribute("data-state", "failed")
        await expect(page.locator("#status")).to_contain_text("/s")
        await take("3-list")

        panel = page.get_by_role("region", name="Film 300.mp4")
        await row(page, "Film 300.mp4").click()
        await expect(panel.get_by_role("status")).to_contain_text("/s")
        await expect(panel.locator("rect.part").first).to_be_attached()
        await take("4-panel")

        await see(page, "needs")
        await row(page, "concert.mp4").click()
        await expect(page.get_by_role("region", name="concert.mp4")).to_be_visible()
        await take("5-failed")

        await see(page, "saved")
        await row(page, "Welcome to trayagent.txt").hover()
        await expect(
            row(page, "Welcome to trayagent.txt").get_by_role("button", name="Open folder")
        ).to_be_visible()
        await take("6-saved")
    agent.call("POST", "pause", {})
    for download in agent.downloads():
        agent.call("DELETE", f"downloads/{download['id']}")
    agent.call("POST", "resume", {})
