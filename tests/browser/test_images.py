"""“Set up images…” shows the first items before it saves, then a sync fills the library with thumbnails."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
COUNT = 14


def landscape(number: int) -> bytes:
    """Paint the sun going down over a sea, a little later in every picture."""
    late = number / COUNT
    picture = Image.new("RGB", (480, 360))
    draw = ImageDraw.Draw(picture)
    for y in range(360):
        far = abs(y - 210) / 210
        sky = (
            int(252 - 190 * far),
            int(196 - 90 * far - 70 * late),
            int(150 + 60 * far - 50 * late),
        )
        draw.line((0, y, 480, y), sky if y < 210 else tuple(value * 3 // 5 for value in sky))
    x, y = 90 + number * 22, 70 + int(105 * late)
    draw.ellipse((x, y, x + 56, y + 56), (255, 240, 200))
    draw.rectangle((0, 210, 480, 214), (60, 50, 80))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def fill(site: PublicSite) -> None:
    """Let the site offer a library of pictures behind a token."""
    entries = []
    for number in range(COUNT):
        site.server.files[f"/shots/{number}.png"] = ("image/png", landscape(number))
        made = f"2026-11-{20 - number:02}T09:30:00Z"
        entries.append(
            {
                "id": f"shot-{number}",
                "created_at": made,
                "type": "image",
                "url": site.url(f"/shots/{number}.png"),
            }
        )
    page = json.dumps({"items": entries, "next": None}).encode()
    site.server.files["/api/items"] = ("application/json", page)


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    """Open the dashboard on the images."""
    context = await chromium.new_context(viewport={"width": 1180, "height": 860}, locale="en-GB")
    page = await context.new_page()
    await page.goto(agent.dashboard())
    await page.locator("nav a[href='#images']").click()
    yield page
    await context.close()


async def test_wizard_to_thumbnails(
    page: Page, agent: Running, site: PublicSite, pictures: Path
) -> None:
    fill(site)
    await page.get_by_role("button", name="Set up images…").first.click()
    box = page.get_by_role("dialog")
    await box.get_by_label("Library").select_option("json")
    await box.get_by_label("Name", exact=True).fill("shots")
    definition = {
        "base": site.url(""),
        "list": {"url": "{base}/api/items"},
        "page": {"items": "items", "next": "next", "style": "cursor"},
        "item": {"id": "id", "created": "created_at", "kind": "type", "url": "url"},
        "auth": {"headers": {"Authorization": "Bearer {secret:token}"}},
    }
    await box.get_by_label("How the site answers").fill(json.dumps(definition, indent=2))
    await box.get_by_label("Sign-in").fill("a-token")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box.locator("li")).to_have_count(3)
    await expect(box).to_contain_text("shot-0")
    assert await violations(page) == []
    assert agent.call("GET", "sources")["sources"] == []
    await box.get_by_role("button", name="Save and sync").click()
    await expect(page.locator("#view li.cell")).to_have_count(COUNT)
    await expect(page.locator("#view li.cell img")).to_have_count(COUNT, timeout=20_000)
    await expect(page.locator("#view")).to_contain_text(f"{COUNT} items · {COUNT} here")
    seen = [headers["Authorization"] for path, headers in site.server.seen if path == "/api/items"]
    assert set(seen) == {"Bearer a-token"}
    assert "a-token" not in (agent.home / "config.toml").read_text()
    assert await violations(page) == []
    await page.screenshot(path=pictures / "images.png", style="#messages { visibility: hidden }")


async def test_wrong_description_is_said_in_the_wizard(page: Page, agent: Running) -> None:
    await page.get_by_role("button", name="Set up images…").first.click()
    box = page.get_by_role("dialog")
    await box.get_by_label("Library").select_option("json")
    await box.get_by_label("How the site answers").fill("{ not json")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box).to_contain_text("not valid JSON")
    await page.keyboard.press("Escape")
    await expect(box).to_be_hidden()
