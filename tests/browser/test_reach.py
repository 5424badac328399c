"""Everybody gets everywhere: on a phone, in a window at 200 %, and with the keys alone.

Each task is walked through in both sizes; at each of its steps nothing lies over a control or is cut
off, nothing scrolls in two directions, and axe finds nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import head, opened, row, see
from tests.browser.public_site import PublicSite
from tests.browser.running import Running, until
from tests.browser.test_images import COUNT, fill

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(240),  # axe looks at every step, and takes seconds where others work, too
]
SIZES = {"phone": (400, 800), "at 200 %": (640, 400)}
"""A phone; and what a window of 1280 by 800 pixels has at twice the size."""

OUT_OF_REACH = """() => {
    const isAbove = each => each.checkVisibility() && !["static", "relative"].includes(getComputedStyle(each).position);
    const find = which => [...document.querySelectorAll(which)].find(isAbove);
    const open = find("dialog[open]") ?? find("details[open] > .menu-body") ?? find(".detail, .batch-panel")
        ?? document;
    document.getElementById("messages")?.replaceChildren();  // they go by themselves
    const controls = open.querySelectorAll("a[href], button, input, select, textarea, summary");
    const found = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push("the page scrolls sideways");
    for (const each of controls) {
        if (each.disabled || !each.checkVisibility({ visibilityProperty: true })) continue;
        each.scrollIntoView({ block: "nearest", inline: "nearest" });
        const { left, right, top, bottom, width } = each.getClientRects()[0];  // of a link its first line
        if (!width || each.matches(".skip, .hidden-text")) continue;
        const name = each.ariaLabel || each.innerText || each.id || each.className;
        if (left < -1 || right > innerWidth + 1) { found.push(`cut: ${name}`); continue; }
        const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        const own = each.contains(hit) || hit?.closest("label")?.control === each;
        if (!own) found.push(`covered: ${name} by ${hit?.className}`);
    }
    return found; }"""
"""What a finger cannot touch, even after scrolling to it; of a dialog, menu or sheet above the page, in that."""


IS_WITHIN = (
    "each => document.activeElement === document.body || each.contains(document.activeElement)"
)
"""Whether the keys go to something in there; behind its last control is the browser's own bar, and then
the page as a whole has the focus."""


async def check(page: Page, step: str) -> None:
    """Everything in sight is within reach, and axe has nothing to say."""
    reached = await page.evaluate(OUT_OF_REACH)
    assert reached == [], f"{step}: {reached}"
    found = await violations(page)
    assert found == [], f"{step}: {found}"


@pytest.fixture(scope="module")
def agent(desktop: Path, new_agent: Callable[..., Running], site: PublicSite) -> Iterator[Running]:
    """An agent with a bit of everything: a batch, a picture, a failure, a library."""
    fill(site)
    with new_agent(DOWNLOADS__WORKERS="2") as agent:
        agent.call("POST", "downloads", {"url": site.url("/shots/3.png"), "filename": "sunset.png"})
        site.server.missing.add("/plain/lost.mp4")
        agent.call("POST", "downloads", {"url": site.url("/plain/lost.mp4")})
        agent.saved(site.url("/shots/3.png"))
        names = [f"series%20episode%20{n}.mp4" for n in (1, 2, 3)]
        items = [{"url": site.url(f"/plain/{name}"), "paused": True} for name in names]
        agent.call("POST", "downloads", {"items": items})
        until(lambda: [each for each in agent.downloads() if each["state"] == "failed"])
        yield agent


@pytest_asyncio.fixture(params=SIZES, loop_scope="session")
async def page(
    request: pytest.FixtureRequest, chromium: Browser, agent: Running
) -> AsyncIterator[Page]:
    width, height = SIZES[request.param]
    async with opened(chromium, agent, viewport={"width": width, "height": height}) as page:
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def wide(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    """A window of a usual size, for what is done with the keys."""
    async with opened(chromium, agent) as page:
        yield page


async def no_dialog(route: Route) -> None:
    """A desktop without a dialog for folders."""
    await route.fulfill(status=422, json={"error": {"code": "no_dialog", "message": "None here."}})


async def offer(page: Page, **seen: object) -> None:
    """Let every page offer this."""
    usual: dict[str, object] = {"title": "Films of the sea", "seconds": 61, "forms": []}
    usual |= {"subtitles": ["en", "nb"], "entries": [], "total": 0} | seen
    await page.route("**/pages/look", lambda route: route.fulfill(json=usual))


async def press(page: Page, locator: Locator, key: str = "Enter") -> None:
    """Go to a control with Tab alone, and press a key there."""
    for _ in range(90):
        if await locator.evaluate("each => each === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await expect(locator).to_be_focused()
    await page.keyboard.press(key)


async def test_a_batch_folds_open_and_its_panel_is_read(page: Page) -> None:
    batch = head(page, "series episode 1.mp4 and 2 more")
    await expect(batch).to_be_visible()
    await check(page, "the list")
    await batch.get_by_role("button", name="Hide the rows").click()
    await expect(batch).to_have_attribute("aria-expanded", "false")
    await check(page, "folded")
    await batch.get_by_role("button", name="Report").click()
    await expect(page.get_by_role("region", name="Report")).to_be_visible()
    await check(page, "its panel")
    await page.keyboard.press("Escape")


async def test_a_file_with_its_picture_is_opened_and_moved(page: Page) -> None:
    await page.route("**/desktop/choose-folder", no_dialog)
    await see(page, "saved")
    await expect(row(page, "sunset.png").locator(".type img")).to_be_visible()
    await row(page, "sunset.png").locator(".name").click()
    panel = page.get_by_role("region", name="sunset.png")
    await expect(panel).to_be_visible()
    await check(page, "the panel")
    await panel.get_by_role("button", name="Move to…").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await check(page, "where to")
    await page.keyboard.press("Escape")


async def test_rows_are_ticked_and_menus_opened(page: Page) -> None:
    await expect(
        row(page, "lost.mp4")
    ).to_be_visible()  # before it is read there is nothing to tick
    await page.get_by_role("treegrid").focus()
    await page.keyboard.press("Control+a")
    await expect(page.get_by_role("toolbar")).to_be_visible()
    await check(page, "ticked")
    await page.keyboard.press("Escape")
    for menu in await page.locator("details.menu summary:visible").all():
        await menu.click()
        await check(page, await menu.get_attribute("aria-label") or "a menu")
        await page.keyboard.press("Escape")


async def test_a_page_is_chosen_from(page: Page, site: PublicSite) -> None:
    forms = [{"height": 2160, "size": 950_000_000}, {"height": 0, "size": 9_000_000}]
    entries = [
        {"url": site.url(f"/plain/part-{n}"), "title": f"Part {n}: a long way around the islands"}
        for n in range(20)
    ]
    box = page.get_by_role("dialog")
    for kind, seen in (("film", {"forms": forms}), ("list", {"entries": entries, "total": 40})):
        await page.unroute_all()
        await offer(page, **seen)
        await page.get_by_role("button", name="Add links", exact=True).click()
        await box.get_by_label("Links to download").fill(site.url(f"/plain/{kind}"))
        await box.get_by_role("button", name="Look at the page first").click()
        await expect(box.get_by_role("group", name="Films of the sea")).to_be_in_viewport()
        await expect(box.get_by_role("button", name="Download", exact=True)).to_be_in_viewport()
        await check(page, kind)
        await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Add links", exact=True).click()
    await box.get_by_text("Options", exact=True).click()
    await box.get_by_label("Links to download").fill("mailto:a@b.example\nftp://c.example/d")
    await box.get_by_role("button", name="Download", exact=True).click()
    await expect(box.get_by_role("alert")).to_be_in_viewport()
    await check(page, "refused")


async def test_the_button_that_adds_stands_beside_the_one_that_does_not(page: Page) -> None:
    await page.get_by_role("button", name="Add links", exact=True).click()
    box = page.get_by_role("dialog")
    send = await box.get_by_role("button", name="Download", exact=True).bounding_box()
    cancel = await box.get_by_role("button", name="Cancel", exact=True).bounding_box()
    assert send
    assert cancel
    assert send["y"] == cancel["y"]
    assert send["x"] > cancel["x"]
    assert send["width"] > cancel["width"]


async def test_settings_with_rules_clock_sound_and_engines(page: Page, agent: Running) -> None:
    engine = {"name": "nas", "type": "aria2", "url": "http://nas.lan:6800/jsonrpc", "under_way": 2}
    away = engine | {"state": "away", "message": "nas does not answer. It is asked again."}
    await page.route("**/api/v1/engines", lambda route: route.fulfill(json={"engines": [away]}))
    agent.call("PATCH", "config", {"hooks": {"url": "https://hook.example/"}})
    await page.locator("#places a[href='#settings']").click()
    await expect(page.get_by_role("button", name="Ask nas now")).to_be_visible()
    await page.get_by_role("button", name="Add a site").click()
    await page.get_by_label("Largest file").fill("lots")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_label("Largest file")).to_have_attribute("aria-invalid", "true")
    await check(page, "settings")
    agent.call("PATCH", "config", {"hooks": {"url": ""}})


async def test_other_pages_and_the_way_in(page: Page, agent: Running, chromium: Browser) -> None:
    for view, seen in (("welcome", "Welcome"), ("browsers", "Browsers")):
        await page.evaluate("view => { location.hash = view; }", view)
        await expect(page.get_by_role("heading", name=seen, exact=True)).to_be_visible()
        await check(page, view)
    await page.get_by_role("button", name="Connect an aria2 client").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await check(page, "a client's secret")
    size: Any = page.viewport_size
    for path in ("/", "/nonsense", "/pair", "/send#url=https%3A%2F%2Fvideos.example%2Fwatch"):
        other = await chromium.new_page(viewport=size)
        await other.goto(agent.base + path)
        await expect(other.locator("h1:visible")).to_be_visible()
        await check(other, path)
        await other.close()


async def set_up_by_example(page: Page, agent: Running, site: PublicSite) -> Locator:
    """As far as the fields of the first item."""
    agent.call("POST", "resume", {})
    await page.locator("#places a[href='#images']").click()
    await page.get_by_role("button", name="Set up images…").first.click()
    box = page.get_by_role("dialog")
    await box.get_by_label("Library").select_option("json")
    await box.get_by_label("Name", exact=True).fill("Shots")
    await box.get_by_label("Address of its list").fill(site.url("/shots/items"))
    await box.get_by_label("Key or token").fill("a-token")
    await box.get_by_role("button", name="Show its answer").click()
    await expect(box.get_by_role("radiogroup")).to_be_visible()
    return box


async def test_a_library_by_example_its_album_and_viewer(
    page: Page, agent: Running, site: PublicSite
) -> None:
    box = await set_up_by_example(page, agent, site)
    await check(page, "the fields of the first item")
    await box.get_by_role("button", name="Look at the first items").click()
    await expect(box.locator("li")).to_have_count(3)
    await check(page, "the first items")
    await box.get_by_role("button", name="Save and sync").click()
    await expect(page.locator("#view li.cell")).to_have_count(COUNT)
    await expect(page.get_by_role("button", name="Show shot-0", exact=True)).to_be_visible()
    await check(page, "the album")
    await page.locator("[data-source] summary").click()
    await check(page, "what can be done with the source")
    await page.keyboard.press("Escape")
    await page.get_by_label("Tick shot-0", exact=True).check()
    await check(page, "ticked")
    await page.get_by_label("Tick shot-0", exact=True).uncheck()
    await page.get_by_role("button", name="Show shot-0", exact=True).click()
    await expect(page.locator("dialog.viewer img")).to_be_visible()
    await check(page, "the viewer")
    await page.keyboard.press("Escape")
    agent.call("DELETE", "sources/shots")


@pytest_asyncio.fixture(loop_scope="session")
async def phone(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    """A phone that has a keyboard, as those of blind people often do."""
    width, height = SIZES["phone"]
    async with opened(chromium, agent, viewport={"width": width, "height": height}) as page:
        yield page


async def test_keys_stay_in_a_sheet_and_come_back_to_the_list(phone: Page) -> None:
    grid = phone.get_by_role("treegrid")
    batch = head(phone, "series episode 1.mp4 and 2 more")
    for opener, name in (
        (row(phone, "lost.mp4").locator(".name"), "lost.mp4"),
        (batch.get_by_role("button", name="Report"), "Report"),
    ):
        await opener.click()
        sheet = phone.get_by_role("region", name=name, exact=True)
        await expect(sheet).to_be_visible()
        await expect(sheet).to_be_focused()
        for key in ["Tab"] * 25 + ["Shift+Tab"] * 25:
            await phone.keyboard.press(key)
            assert await sheet.evaluate(IS_WITHIN), key
        await phone.keyboard.press("Escape")
        await expect(sheet).to_be_hidden()
        await expect(grid).to_be_focused()
        await expect(phone.locator("[inert]")).to_have_count(0)


@pytest.mark.parametrize("nothing_has_the_focus", [False, True])
async def test_escape_closes_a_sheet(phone: Page, nothing_has_the_focus: bool) -> None:
    await row(phone, "lost.mp4").locator(".name").click()
    sheet = phone.get_by_role("region", name="lost.mp4", exact=True)
    await expect(sheet).to_be_focused()
    await phone.keyboard.press("Tab")
    if nothing_has_the_focus:
        # As behind its last control, or where a button has gone under the finger.
        await phone.evaluate("document.activeElement.blur()")
    await phone.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await expect(phone.get_by_role("treegrid")).to_be_focused()


async def test_a_sheet_goes_by_a_touch_beside_it_and_holds_nothing_back(phone: Page) -> None:
    sheet = phone.get_by_role("region", name="lost.mp4", exact=True)

    async def open_sheet() -> None:
        await row(phone, "lost.mp4").locator(".name").click()
        await expect(sheet).to_be_focused()

    await open_sheet()
    await phone.mouse.click(200, 10)
    await expect(sheet).to_be_hidden()
    await open_sheet()
    await phone.evaluate("location.hash = 'settings'")
    await expect(phone.get_by_role("heading", name="Settings")).to_be_visible()
    await expect(phone.locator("[inert]")).to_have_count(0)
    await phone.evaluate("location.hash = 'all'")
    await open_sheet()
    # A phone that is turned, or a window made wide: the panel stands beside the list again.
    await phone.set_viewport_size({"width": 1180, "height": 400})
    await expect(phone.locator("[inert]")).to_have_count(0)
    await expect(sheet).to_be_visible()


async def test_dialogs_hold_the_keys_and_give_them_back(phone: Page) -> None:
    add_links = phone.get_by_role("button", name="Add links", exact=True)
    await press(phone, add_links)
    box = phone.get_by_role("dialog")
    for _ in range(15):
        await phone.keyboard.press("Tab")
        assert await box.evaluate(IS_WITHIN)
    await phone.keyboard.press("Escape")
    await expect(add_links).to_be_focused()


async def test_a_panel_that_closes_by_itself_leaves_the_keys_where_they_are(
    wide: Page, agent: Running, site: PublicSite
) -> None:
    url = site.url("/plain/shortlived.mp4")
    asked = agent.call("POST", "downloads", {"items": [{"url": url, "paused": True}]})
    await row(wide, "shortlived.mp4").locator(".name").click()
    await expect(wide.get_by_role("region", name="shortlived.mp4")).to_be_visible()
    search = wide.get_by_role("searchbox")
    await search.focus()
    agent.call("DELETE", f"downloads/{asked['downloads'][0]['id']}")
    await expect(wide.get_by_role("region", name="shortlived.mp4")).to_be_hidden()
    await expect(search).to_be_focused()


async def test_keys_alone_fold_a_batch_and_move_a_file(
    wide: Page, agent: Running, tmp_path: Path
) -> None:
    await wide.route("**/desktop/choose-folder", no_dialog)
    batch = head(wide, "series episode 1.mp4 and 2 more")
    await wide.get_by_role("treegrid").focus()
    await wide.keyboard.press("Home")
    await wide.keyboard.press("ArrowLeft")
    await expect(batch).to_have_attribute("aria-expanded", "false")
    await wide.keyboard.press("ArrowRight")
    await expect(batch).to_have_attribute("aria-expanded", "true")
    await wide.keyboard.press("/")
    await wide.keyboard.type("sunset")
    await expect(row(wide, "lost.mp4")).to_have_count(0)
    await press(wide, wide.get_by_role("treegrid"), "Home")
    await wide.keyboard.press("Enter")
    panel = wide.get_by_role("region", name="sunset.png")
    await press(wide, panel.get_by_role("button", name="Move to…"))
    await expect(wide.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    await wide.keyboard.press("Control+a")
    await wide.keyboard.type(str(tmp_path / "by keys"))
    await wide.keyboard.press("Enter")
    await asyncio.to_thread(until, (tmp_path / "by keys" / "sunset.png").exists)
    await expect(panel).to_contain_text("by keys")
    await wide.keyboard.press("Escape")
    await expect(wide.get_by_role("treegrid")).to_be_focused()


async def test_keys_alone_choose_from_a_page(wide: Page, agent: Running, site: PublicSite) -> None:
    forms = [{"height": 1080, "size": 5_000_000}, {"height": 0, "size": 900_000}]
    await offer(wide, forms=forms)
    box = wide.get_by_role("dialog")
    await press(wide, wide.get_by_role("button", name="Add links", exact=True))
    await wide.keyboard.type(site.url("/plain/by-keys"))
    await press(wide, box.get_by_role("button", name="Look at the page first"))
    await press(wide, box.get_by_role("radio").first, "ArrowDown")
    await expect(box.get_by_label("Sound only")).to_be_checked()
    await press(wide, box.get_by_label("nb"), "Space")
    await press(wide, box.get_by_role("button", name="Download", exact=True))
    await expect(box).to_be_hidden()
    wished = await asyncio.to_thread(agent.wished, site.url("/plain/by-keys"))
    assert (wished["quality"], wished["subtitles"]) == ("audio", ["nb"])


async def test_keys_alone_set_rules_clock_and_sound(wide: Page, agent: Running) -> None:
    await press(wide, wide.locator("#places a[href='#settings']"))
    await expect(wide.get_by_role("heading", name="Settings")).to_be_visible()
    await press(wide, wide.get_by_label("Slow is at most"), "Control+a")
    await wide.keyboard.type("300KB")
    await press(wide, wide.get_by_label("Mon"), "Space")
    await press(wide, wide.get_by_label("Documents", exact=True), "Control+a")
    await wide.keyboard.type("Papers")
    await press(wide, wide.get_by_role("button", name="Add a site"))
    sites = wide.get_by_role("group", name="Sites")
    await press(wide, sites.get_by_label("Site", exact=True), "Control+a")
    await wide.keyboard.type("shows.example")
    await press(wide, sites.get_by_label("Folder", exact=True), "Control+a")
    await wide.keyboard.type("Shows")
    await press(wide, wide.get_by_label("Play a short sound with each message"), "Space")
    await press(wide, wide.get_by_role("button", name="Save", exact=True))
    await expect(wide.locator("#messages")).to_contain_text("Saved.")
    config = agent.call("GET", "config")
    assert config["folders"]["document"] == "Papers"
    assert config["folders"]["sites"] == {"shows.example": "Shows"}
    assert config["schedule"]["days"] == "mon"
    await expect(wide.get_by_label("Play a short sound")).to_be_checked()


async def test_keys_alone_set_up_a_library(wide: Page, agent: Running, site: PublicSite) -> None:
    agent.call("POST", "resume", {})
    await press(wide, wide.locator("#places a[href='#images']"))
    await press(wide, wide.get_by_role("button", name="Set up images…").first)
    box = wide.get_by_role("dialog")
    await press(wide, box.get_by_label("Library"), "End")
    await press(wide, box.get_by_label("Name", exact=True), "Control+a")
    await wide.keyboard.type("Shots")
    await press(wide, box.get_by_label("Address of its list"), "Control+a")
    await wide.keyboard.type(site.url("/shots/items"))
    await press(wide, box.get_by_role("button", name="Show its answer"))
    field = box.get_by_role("group", name="The first item").get_by_role("button").first
    await press(wide, field)
    await press(wide, box.get_by_role("button", name="Look at the first items"))
    await expect(box.locator("li")).to_have_count(3)
    await press(wide, box.get_by_role("button", name="Save and sync"))
    await expect(wide.locator("#view li.cell")).to_have_count(COUNT)
    await press(wide, wide.get_by_role("button", name="Show shot-0", exact=True))
    await expect(wide.get_by_role("dialog", name="shot-0")).to_be_visible()
    await wide.keyboard.press("ArrowRight")
    await expect(wide.get_by_role("dialog", name="shot-1")).to_be_visible()
    await wide.keyboard.press("Escape")
    agent.call("DELETE", "sources/shots")


async def test_keys_alone_begin(wide: Page, agent: Running, desktop: Path) -> None:
    """The newcomer's page: its test download, and the folder it lies in."""
    await wide.evaluate("location.hash = 'welcome'")
    agent.call("POST", "resume", {})
    await press(wide, wide.get_by_role("button", name="Start a test download"))
    await press(wide, wide.get_by_role("button", name="Open folder"))
    await asyncio.to_thread(until, lambda: str(agent.home / "downloads") in desktop.read_text())
