"""The settings: problems stand at their fields, folders are chosen on the desktop, the clock and folder rules count."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import opened, see
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    """Open the dashboard at the settings."""
    async with opened(chromium, agent) as page:
        await see(page, "settings")
        yield page


ASK = """fetch("/api/v1/sessions/ask",
    { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })"""
"""Have the agent say something to everybody."""


async def save(page: Page) -> None:
    """Save what was changed, and wait until it is written; an earlier "Saved." may still be in sight."""
    async with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
        await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#messages")).to_contain_text("Saved.")


async def test_a_problem_stands_at_its_field_in_plain_words(page: Page, agent: Running) -> None:
    field = page.get_by_label("Largest file")
    await field.fill("lots")
    await page.get_by_label("Slow is at most").fill("fast")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(field).to_be_focused()
    await expect(field).to_be_in_viewport()
    await expect(field).to_have_attribute("aria-invalid", "true")
    note = page.locator("#s-downloads-max_size-error")
    await expect(note).to_have_text("“lots” is not a size; write it like 500KB, 2MB or 50GB.")
    await expect(page.get_by_role("alert").filter(visible=True)).to_have_text(
        "2 settings are not right; they are marked."
    )
    assert await violations(page) == []
    await field.fill("40GB")
    await page.get_by_label("Slow is at most").fill("200kB")
    await save(page)
    assert agent.call("GET", "config")["downloads"]["max_size"] == "40GB"


async def test_what_counts_after_a_restart_says_so(page: Page) -> None:
    port = page.get_by_label("Port of this page")
    said = await port.get_attribute("aria-describedby") or ""
    hint = page.locator(f"#{said.split()[-1]}")
    await expect(hint).to_contain_text("counts when trayagent is started again")


async def test_a_folder_is_chosen_on_the_desktop(page: Page, agent: Running) -> None:
    chosen = str(agent.home / "films")
    await page.route(
        "**/desktop/choose-folder", lambda route: route.fulfill(json={"folder": chosen})
    )
    await page.get_by_role("button", name="Choose the folder: Videos").click()
    await expect(page.get_by_label("Videos", exact=True)).to_have_value(chosen)


async def test_the_clock_slows_down_and_full_speed_wins(page: Page, agent: Running) -> None:
    await page.get_by_label("Slow is at most").fill("200kB")
    await page.get_by_label("Hours: from").fill("00:00")
    await page.get_by_label("Hours: to").fill("23:59")
    await save(page)
    head = page.locator("#queue-tools details").first
    await expect(head.locator("summary")).to_have_text(re.compile("At most 200 KB/s"))
    assert agent.call("GET", "speed")["limit"] == 200_000
    await head.locator("summary").click()
    await expect(head.get_by_role("button", name="By the clock")).to_have_attribute(
        "aria-pressed", "true"
    )
    assert await violations(page) == []
    await head.get_by_role("button", name="Full speed").click()
    await expect(head.locator("summary")).to_have_text(re.compile("Full speed"))
    assert agent.call("GET", "speed")["limit"] == 0
    await head.locator("summary").click()
    await head.get_by_role("button", name="Slow: 200 KB/s").click()
    await expect(head.locator("summary")).to_have_text(re.compile("At most 200 KB/s"))
    agent.call("POST", "speed", {"mode": "clock"})
    await expect(head.locator("summary")).to_have_text(re.compile("At most 200 KB/s"))


async def test_types_and_sites_have_their_folders(
    page: Page, agent: Running, site: PublicSite
) -> None:
    await page.get_by_label("Documents", exact=True).fill("Papers")
    await page.get_by_role("button", name="Add a site").click()
    sites = page.get_by_role("group", name="Sites")
    await sites.get_by_label("Site", exact=True).fill("Shows.example")
    await sites.get_by_label("Folder", exact=True).fill("Shows")
    await save(page)
    assert agent.call("GET", "config")["folders"]["sites"] == {"shows.example": "Shows"}
    site.server.files["/paper.pdf"] = ("application/pdf", b"%PDF-1.4\n" + bytes(2000))
    url = site.url("/paper.pdf")
    agent.call("POST", "downloads", {"url": url})
    saved = await agent.arrival(url)
    assert saved.parent == Path(agent.call("GET", "config")["downloads"]["folder"]) / "Papers"
    await page.get_by_role("button", name="Remove shows.example").click()
    await page.get_by_label("Documents", exact=True).fill("")
    await save(page)
    await expect(page.get_by_role("button", name="Remove shows.example")).to_have_count(0)
    assert agent.call("GET", "config")["folders"]["sites"] == {}


async def test_start_with_the_session_is_a_tick(page: Page, agent: Running) -> None:
    tick = page.get_by_label("Start with the session")
    await expect(tick).not_to_be_checked()
    for on in (True, False):
        async with page.expect_response("**/desktop/autostart"):
            await tick.set_checked(on)
        await expect(tick).to_be_checked(checked=on)
        assert agent.call("GET", "desktop/autostart") == {"on": on}


async def test_settings_fit_on_a_narrow_screen(page: Page, pictures: Path) -> None:
    await page.set_viewport_size({"width": 400, "height": 800})
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 400
    assert await violations(page) == []


async def test_a_foreign_client_is_connected_and_listed(page: Page, agent: Running) -> None:
    await see(page, "browsers")
    await page.get_by_role("button", name="Connect an aria2 client").click()
    box = page.get_by_role("dialog")
    await expect(box.get_by_label("Address", exact=True)).to_have_value(f"{agent.base}/jsonrpc")
    await expect(box.get_by_label("Secret", exact=True)).not_to_have_value("")
    assert await violations(page) == []
    secret = await box.get_by_label("Secret", exact=True).input_value()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await box.get_by_role("button", name="Copy: Secret").click()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    await box.get_by_role("button", name="Done").click()
    assert [one["kind"] for one in agent.call("GET", "clients")["clients"]].count("aria2") == 1

    await page.get_by_role("button", name="Connect an aria2 client").click()
    await expect(box.get_by_label("Secret", exact=True)).to_have_value(secret)
    await box.get_by_role("button", name="Done").click()
    row = page.get_by_role("listitem").filter(has_text="aria2 clients")
    await row.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row).to_have_count(0)
    assert [one["kind"] for one in agent.call("GET", "clients")["clients"]].count("aria2") == 0


async def test_what_fetches_elsewhere_stands_with_its_trouble(page: Page, agent: Running) -> None:
    """Engines and the webhook are only shown; their secrets never come to the page."""
    engine = {"name": "nas", "type": "aria2", "url": "http://nas.lan:6800/jsonrpc", "under_way": 2}
    away = engine | {"state": "away", "message": "nas does not answer. It is asked again."}
    ready = engine | {"state": "ready", "message": None, "version": "1.37.0"}
    await page.route("**/api/v1/engines", lambda route: route.fulfill(json={"engines": [away]}))
    await page.route("**/api/v1/engines/nas/test", lambda route: route.fulfill(json=ready))
    agent.call("PATCH", "config", {"hooks": {"url": "https://hook.example/token-SECRET"}})
    await page.reload()
    part = page.get_by_role("region", name="Other machines")
    await expect(part).to_contain_text("changed in config.toml, not here")
    await expect(part).to_contain_text("nas does not answer. It is asked again.")
    await expect(part).to_contain_text("https://hook.example")
    assert "SECRET" not in await part.inner_text()
    assert await violations(page) == []
    await part.get_by_role("button", name="Ask nas now").click()
    await expect(part.get_by_role("status").first).to_have_text("It answers: version 1.37.0.")
    answers = [
        {
            "is_on": True,
            "told_at": None,
            "failed_at": "2026-11-28T10:00:00Z",
            "reason": "It answered HTTP 404.",
        },
        {"is_on": True, "told_at": "2026-11-28T10:00:01Z", "failed_at": None, "reason": None},
    ]
    await page.route("**/api/v1/webhook/test", lambda route: route.fulfill(json=answers.pop(0)))
    await expect(part).to_contain_text("Nothing was told since the start.")
    ask = part.get_by_role("button", name="Send a test")
    await ask.click()
    await expect(part).to_contain_text("It did not take the test: It answered HTTP 404.")
    assert await violations(page) == []
    await ask.click()
    await expect(part).to_contain_text("It took a message")
    await page.set_viewport_size({"width": 400, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    agent.call("PATCH", "config", {"hooks": {"url": ""}})


async def test_finished_files_go_where_the_settings_say(page: Page, agent: Running) -> None:
    field = page.get_by_label("Move finished files to", exact=True)
    await field.fill("not/absolute")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await field.fill("")


async def test_a_sound_is_heard_when_somebody_wants_one(page: Page) -> None:
    """Off at first; one short sound, and none for the next message a moment later."""
    await page.evaluate(
        """() => {
        window.heard = 0;
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (...args) { window.heard += 1; start.apply(this, args); }; }"""
    )
    box = page.get_by_label("Play a short sound with each message")
    await expect(box).not_to_be_checked()
    await page.evaluate(ASK)
    await expect(page.locator("#messages")).to_contain_text("A page asks to be the dashboard")
    assert await page.evaluate("heard") == 0
    await box.check()
    assert await page.evaluate("heard") == 2, "two tones, as a taste"
    await page.evaluate("import('/static/sound.js').then(({ sound }) => sound())")
    assert await page.evaluate("heard") == 2, "none follows another at once"
    await page.reload()
    await expect(box).to_be_checked()
