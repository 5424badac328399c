"""“Set up images…” shows the first items before it saves, then a sync fills the library with thumbnails."""

import asyncio
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
from tests.browser.running import Running, until

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
    site.server.files["/shots/items"] = ("application/json", page)


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    """Open the dashboard on the images."""
    context = await chromium.new_context(viewport={"width": 1180, "height": 860}, locale="en-GB")
    page = await context.new_page()
    await page.goto(agent.dashboard())
    await page.locator("nav a[href='#images']").click()
    yield page
    await context.close()


async def test_a_json_source_is_set_up_by_an_example_of_its_answer(
    page: Page, agent: Running, site: PublicSite, pictures: Path
) -> None:
    fill(site)
    earlier = len(site.server.seen)  # other tests ask this site, too, and without a key
    await page.get_by_role("button", name="Set up images…").first.click()
    box = page.get_by_role("dialog")
    await box.get_by_label("Library").select_option("json")
    await box.get_by_label("Name", exact=True).fill("My Shots")
    await expect(box).to_contain_text("Its folder will be called my-shots.")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box).to_contain_text("Give the address of its list first")
    await box.get_by_label("Address of its list").fill(site.url("/shots/items"))
    await box.get_by_label("Key or token").fill("a-token")
    await box.get_by_role("button", name="Show its answer").click()
    # What is usual is found by itself; a click changes it.
    roles = box.get_by_role("radiogroup")
    await expect(roles.get_by_role("radio", name="Its number or id id")).to_be_visible()
    await expect(roles.get_by_role("radio", name="Address of the file url")).to_be_visible()
    await roles.get_by_role("radio", name="Picture or video").click()
    await box.get_by_role("group", name="The first item").get_by_text("image", exact=True).click()
    await expect(roles.get_by_role("radio", name="Picture or video type")).to_be_visible()
    assert await violations(page) == []
    await page.screenshot(path=pictures / "by-example.png")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box.locator("li")).to_have_count(3)
    await expect(box).to_contain_text("shot-0")
    await expect(box).not_to_contain_text("Signed in as default")
    assert await violations(page) == []
    assert agent.call("GET", "sources")["sources"] == []
    await box.get_by_role("button", name="Save and sync").click()
    await expect(page.locator("#view li.cell")).to_have_count(COUNT)
    await expect(page.locator("#view li.cell img")).to_have_count(COUNT, timeout=20_000)
    await expect(page.locator("#view")).to_contain_text(f"{COUNT} items · {COUNT} here")
    seen = [
        headers["Authorization"]
        for path, headers in site.server.seen[earlier:]
        if path == "/shots/items"
    ]
    assert set(seen) == {"Bearer a-token"}
    assert "a-token" not in (agent.home / "config.toml").read_text()
    # By day, the newest first.
    days = page.locator("#view .day h3")
    assert (await days.all_text_contents())[:2] == ["20 Nov 2026", "19 Nov 2026"]
    assert await violations(page) == []
    await page.screenshot(path=pictures / "images.png", style="#messages { visibility: hidden }")


async def test_viewer_goes_through_the_album_by_keys_and_opens_folders(page: Page) -> None:
    await page.get_by_role("button", name="Show shot-1", exact=True).click()
    box = page.get_by_role("dialog", name="shot-1")
    await expect(box.locator("img")).to_be_visible()
    wide = await box.locator("img").evaluate("img => img.decode().then(() => img.naturalWidth)")
    assert wide == 480, "the picture itself, not its thumbnail"
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("dialog", name="shot-2")).to_be_visible()
    await expect(page.locator("dialog.viewer")).to_contain_text(f"3 of {COUNT}")
    assert await violations(page) == []
    await page.keyboard.press("End")
    await expect(page.get_by_role("dialog", name=f"shot-{COUNT - 1}")).to_be_visible()
    await expect(page.get_by_role("button", name="Next")).to_be_disabled()
    await page.keyboard.press("ArrowLeft")
    async with page.expect_response("**/open") as answer:
        await page.get_by_role("dialog").get_by_role("button", name="Open folder").click()
    assert (await (await answer.value).request.response()) is not None
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog.viewer")).to_be_hidden()


async def test_trash_can_be_taken_back_and_is_final_after_a_moment(
    page: Page, agent: Running
) -> None:
    cells = page.locator("#view li.cell")
    await page.get_by_role("button", name="Show shot-4", exact=True).click()
    await page.keyboard.press("Delete")
    await expect(page.get_by_role("dialog", name="shot-5")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(cells).to_have_count(COUNT - 1)
    await page.locator("#messages").get_by_role("button", name="Undo").click()
    await expect(cells).to_have_count(COUNT)
    assert agent.call("GET", "sources/my-shots")["present"] == COUNT
    await page.clock.install()
    await page.get_by_label("Tick shot-4", exact=True).check()
    await page.get_by_label("Tick shot-6", exact=True).check()
    await page.get_by_role("button", name="Move 2 to the trash").click()
    await expect(cells).to_have_count(COUNT - 2)
    await page.clock.fast_forward(9000)
    # After the seconds of the undo it has happened; what was trashed is not fetched again by a sync.
    await expect(page.locator("#view .cell", has_text="left out")).to_have_count(2)
    await page.get_by_label("Images to show").select_option("ignored")
    await expect(cells).to_have_count(2)
    assert agent.call("GET", "sources/my-shots")["present"] == COUNT - 2


def has_synced(agent: Running) -> bool:
    return bool(agent.call("GET", "sources")["sources"][0]["last_run"]["state"] != "running")


async def sync_beside(page: Page, agent: Running) -> None:
    """Have a source synced from elsewhere, and wait until its card is painted anew and at rest."""
    card = page.locator("[data-source='my-shots']")
    await card.locator(".numbers").evaluate("it => it.textContent = 'before'")
    agent.call("POST", "sources/my-shots/sync", {"list_only": True})
    await asyncio.to_thread(until, lambda: has_synced(agent))
    await expect(card).not_to_contain_text("before")
    await expect(card.get_by_role("button", name="Sync", exact=True)).to_be_enabled()


async def test_an_open_menu_stays_while_its_card_changes(page: Page, agent: Running) -> None:
    card = page.locator("[data-source='my-shots']")
    await card.locator("summary").click()
    await card.get_by_role("button", name="Change…").focus()
    await sync_beside(page, agent)
    await expect(card.get_by_role("button", name="Change…")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(card.get_by_role("button", name="Change…")).to_be_hidden()


async def test_a_button_that_is_pressed_while_its_card_changes_is_clicked(
    page: Page, agent: Running
) -> None:
    sync = page.locator("[data-source='my-shots']").get_by_role("button", name="Sync", exact=True)
    await sync.hover()
    await page.mouse.down()
    await sync_beside(page, agent)
    await page.mouse.up()
    await expect(page.locator("#messages")).to_contain_text("Syncing my-shots")
    await asyncio.to_thread(until, lambda: has_synced(agent))


async def test_the_keys_stay_on_a_picture_while_the_album_is_read_again(
    page: Page, agent: Running
) -> None:
    picture = page.get_by_role("button", name="Show shot-1", exact=True)
    await picture.focus()
    await page.locator("#view .day").first.evaluate("day => day.classList.add('before')")
    agent.call("POST", "sources/my-shots/sync", {"list_only": True})
    await expect(page.locator(".before")).to_have_count(0)
    await expect(picture).to_be_focused()
    await asyncio.to_thread(until, lambda: has_synced(agent))


async def test_source_is_changed_signed_out_and_removed(page: Page, agent: Running) -> None:
    card = page.locator("[data-source='my-shots']")
    more = card.locator("summary")
    await more.click()
    await card.get_by_role("button", name="Change…").click()
    await page.get_by_role("dialog").get_by_label("Sync").select_option("6h")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("Every 6 hours")
    await more.click()
    await card.get_by_role("button", name="Sign out").click()
    await expect(card.get_by_role("button", name="Sign in…")).to_be_visible()
    await card.get_by_role("button", name="Sign in…").click()
    await page.get_by_role("dialog").get_by_label("Cookie or token").fill("a-token")
    await page.get_by_role("dialog").get_by_role("button", name="Sign in", exact=True).click()
    await expect(card.get_by_role("button", name="Sign in…")).to_have_count(0)
    await more.click()
    await card.get_by_role("button", name="Remove…").click()
    await page.get_by_role("button", name="Remove the source").click()
    await expect(page.get_by_text("No image library yet")).to_be_visible()
    assert agent.call("GET", "sources")["sources"] == []
    assert list((agent.home / "library").rglob("*.png")), "its files stay"


async def test_what_is_missing_is_said_at_its_place_in_the_wizard(page: Page) -> None:
    await page.get_by_role("button", name="Set up images…").first.click()
    box = page.get_by_role("dialog")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box).to_contain_text("Paste the sign-in into its field first")
    await expect(box.get_by_label("Sign-in")).to_be_focused()
    await box.get_by_label("Library").select_option("json")
    await box.get_by_label("Name", exact=True).fill("shots")
    await box.get_by_text("Describe it as text").click()
    await box.get_by_label("Describe it as text").fill("{ not json")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box).to_contain_text("not valid JSON")
    await page.keyboard.press("Escape")
    await expect(box).to_be_hidden()
