"""The one list: what it says of a download, its order, ticks, the panel, and what can be undone."""

import asyncio
import io
import re
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Page, Route, expect

from tests import programs
from tests.browser.chromium import violations
from tests.browser.dashboard import add, head, opened, row, see, shown
from tests.browser.public_site import PublicSite, holding
from tests.browser.running import Running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def agent(desktop: Path, new_agent: Callable[..., Running]) -> Iterator[Running]:
    with new_agent(DOWNLOADS__WORKERS="2") as agent:
        yield agent


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running, site: PublicSite) -> AsyncIterator[Page]:
    """Begin with an empty list, a quick site and a queue that runs."""
    agent.call("POST", "pause", {})
    for download in agent.downloads():
        agent.call("DELETE", f"downloads/{download['id']}")
    agent.call("POST", "resume", {})
    site.server.pause = 0.15
    site.server.missing.clear()
    async with opened(chromium, agent) as page:
        yield page


async def saved(agent: Running, site: PublicSite, name: str) -> Path:
    agent.call("POST", "downloads", {"url": site.url(f"/plain/{name}"), "again": True})
    return await agent.arrival(site.url(f"/plain/{name}"))


def wait(agent: Running, site: PublicSite, *names: str) -> list[str]:
    """Let these wait, since the whole queue is paused. Returns their ids."""
    agent.call("POST", "pause", {})
    items = [{"url": site.url(f"/slow/{name}")} for name in names]
    return [each["id"] for each in agent.call("POST", "downloads", {"items": items})["downloads"]]


async def test_a_download_has_its_name_as_soon_as_it_is_known(page: Page, site: PublicSite) -> None:
    site.server.called["/slow/dl.mp4"] = "Annual film 2026.mp4"
    site.server.pause = 0.5
    await add(page, site.url("/slow/dl.mp4?id=5"))
    named = row(page, "Annual film 2026.mp4")
    await expect(named).to_have_attribute("data-state", "active")


async def test_names_are_written_as_people_write_them(
    page: Page, agent: Running, site: PublicSite
) -> None:
    wait(agent, site, "Season%201%20Episode%201.mp4?token=SECRET")
    await expect(row(page, "Season 1 Episode 1.mp4")).to_be_visible()
    assert "SECRET" not in await page.locator(".rows").inner_text()


async def test_names_stay_different_on_a_narrow_screen(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """The end of a name is never cut off: it tells episodes apart."""
    await page.set_viewport_size({"width": 400, "height": 800})
    long = "A%20very%20long%20name%20of%20a%20series%20that%20has%20many%20parts%20episode%20{}.mp4"
    wait(agent, site, *(long.format(n) for n in (1, 2, 3)))
    tails = page.locator(".rows .row:not(.head) .name-tail")
    await expect(tails).to_have_text([f" episode {n}.mp4"[-12:] for n in (1, 2, 3)])
    for number in range(3):
        await expect(tails.nth(number)).to_be_in_viewport(ratio=1)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_queue_is_shown_as_it_will_run_and_changes_by_keys(
    page: Page, agent: Running, site: PublicSite
) -> None:
    wait(agent, site, "one.mp4", "two.mp4", "three.mp4")
    await expect(row(page, "three.mp4")).to_be_visible()
    assert await shown(page) == ["one.mp4", "two.mp4", "three.mp4"]
    await page.get_by_role("treegrid").focus()
    await page.keyboard.press("End")
    await page.keyboard.press("Alt+ArrowUp")
    await expect(page.locator(".rows .row[aria-rowindex='4'] .name")).to_have_attribute(
        "title", "three.mp4"
    )
    await expect(row(page, "three.mp4")).to_have_class(re.compile("current"))
    await page.keyboard.press("Alt+ArrowDown")
    await expect(page.locator(".rows .row[aria-rowindex='5'] .name")).to_have_attribute(
        "title", "three.mp4"
    )
    await row(page, "two.mp4").click()
    await page.locator(".detail").get_by_role("button", name="Start first").click()
    await expect(page.locator(".rows .row[aria-rowindex='3'] .name")).to_have_attribute(
        "title", "two.mp4"
    )
    site.server.pause = 0.02
    agent.call("POST", "resume", {})
    await agent.arrival(site.url("/slow/three.mp4"))
    # Two run at a time, and either may reach the site before the other: the agent says who began first.
    begun = {each["filename"]: each["started_at"] for each in agent.downloads()}
    assert begun["two.mp4"] <= begun["one.mp4"] < begun["three.mp4"]


async def test_an_answer_that_comes_late_hides_nothing_that_is_newer(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """A busy agent may answer after something else has happened: then the list is read once more."""
    wait(agent, site, "one.mp4")
    await expect(row(page, "one.mp4")).to_be_visible()
    asked, held = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        asked.set()
        await held.wait()
        await route.fulfill(response=answer)

    await page.route(re.compile(r"/downloads\?.*offset=0"), hold, times=1)
    await page.locator("nav a[href$='#waiting']").click()
    await asked.wait()
    wait(agent, site, "two.mp4")
    await expect(page.locator("nav a[href$='#waiting'] .number")).to_have_text("2")
    held.set()
    await expect(row(page, "two.mp4")).to_be_visible()


@pytest.mark.parametrize("then", ["another", "Escape"])
async def test_an_answer_that_comes_late_opens_no_panel(
    page: Page, agent: Running, site: PublicSite, then: str
) -> None:
    """Another row was clicked meanwhile, or the panel was closed: what was wanted last counts."""
    one, _ = wait(agent, site, "one.mp4", "two.mp4")
    await expect(row(page, "two.mp4")).to_be_visible()
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        await held.wait()
        await route.fulfill(response=answer)

    asked = re.compile(rf"/downloads/{one}$")
    await page.route(asked, hold)
    async with page.expect_request(asked):
        await row(page, "one.mp4").locator(".name").click()
    if then == "Escape":
        await page.keyboard.press("Escape")
    else:
        await row(page, "two.mp4").locator(".name").click()
        await expect(page.get_by_role("region", name="two.mp4")).to_be_visible()
    async with page.expect_response(asked) as answered:
        held.set()
        await (await answered.value).finished()
    # What the page asks now is answered after it has read that answer.
    await page.evaluate("fetch('/api/v1/health').then((answer) => answer.json())")
    await expect(page.get_by_role("region", name="one.mp4")).to_be_hidden()
    opened = page.get_by_role("region", name="two.mp4")
    await expect(opened).to_have_count(0 if then == "Escape" else 1)


async def test_a_batch_folds_open_and_shut(page: Page, agent: Running, site: PublicSite) -> None:
    """By mouse and by keys; its rows are under it, and the list goes on below."""
    wait(agent, site, "before-1.mp4", "before-2.mp4")
    wait(agent, site, "a-1.mp4", "a-2.mp4", "a-3.mp4")
    wait(agent, site, "after.mp4")
    batch = head(page, "a-1.mp4 and 2 more")
    await expect(batch).to_have_attribute("aria-expanded", "true")
    assert await violations(page) == []
    await batch.get_by_role("button", name="Hide the rows of a-1.mp4 and 2 more").click()
    await expect(batch).to_have_attribute("aria-expanded", "false")
    await expect(row(page, "a-1.mp4")).to_have_count(0)
    assert await shown(page) == ["before-1.mp4", "before-2.mp4", "after.mp4"]
    await page.get_by_role("treegrid").focus()
    await expect(batch).to_have_class(re.compile("current"))
    for key, name in (
        ("ArrowRight", None),
        ("ArrowRight", "a-1.mp4"),
        ("ArrowDown", "a-2.mp4"),
        ("ArrowLeft", None),
        ("ArrowLeft", None),
    ):
        await page.keyboard.press(key)
        current = batch if name is None else row(page, name)
        await expect(current).to_have_class(re.compile("current"))
        if key == "ArrowRight":
            await expect(row(page, "a-3.mp4")).to_have_class(re.compile("inside"))
    await expect(row(page, "a-1.mp4")).to_have_count(0)
    await page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Report")
    await expect(panel.get_by_role("heading", name="a-1.mp4 and 2 more")).to_be_visible()
    await panel.get_by_text("Report", exact=True).click()
    await expect(panel.get_by_role("row")).to_have_count(4)
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(page.get_by_role("treegrid")).to_be_focused()
    await page.keyboard.press("Control+a")
    await expect(page.get_by_role("toolbar")).to_contain_text("6 ticked")


async def test_a_batch_is_stopped_retried_and_undone_from_its_row(
    page: Page, agent: Running, site: PublicSite
) -> None:
    await page.set_viewport_size({"width": 400, "height": 800})
    site.server.missing.add("/slow/gone.mp4")
    site.server.pause = 0.02
    items = [{"url": site.url(f"/slow/{name}")} for name in ("here.mp4", "gone.mp4")]
    agent.call("POST", "downloads", {"items": items})
    batch = head(page, "here.mp4 and 1 more")
    await expect(batch).to_contain_text("2 of 2, 1 failed")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await violations(page) == []
    site.server.missing.clear()
    await batch.get_by_role("button", name="Retry failed: here.mp4 and 1 more").click()
    await expect(row(page, "gone.mp4")).to_have_attribute("data-state", "completed")
    await expect(batch).not_to_contain_text("failed")
    await batch.get_by_role("button", name="Undo: here.mp4 and 1 more").click()
    await page.get_by_role("dialog").get_by_role("button", name="Undo: 1 to the trash").click()
    await expect(batch).to_contain_text("Undone")
    wait(agent, site, "never-1.mp4", "never-2.mp4", "never-3.mp4")
    await (
        head(page, "never-1.mp4 and 2 more")
        .get_by_role("button", name="Stop: never-1.mp4 and 2 more")
        .click()
    )
    await expect(row(page, "never-2.mp4")).to_have_attribute("data-state", "cancelled")


async def test_dragging_gives_a_download_another_place(
    page: Page, agent: Running, site: PublicSite
) -> None:
    wait(agent, site, "a.mp4", "b.mp4", "c.mp4", "d.mp4")
    await expect(row(page, "d.mp4")).to_be_visible()
    start = await row(page, "d.mp4").locator(".type").bounding_box()
    end = await row(page, "b.mp4").bounding_box()
    assert start
    assert end
    await page.mouse.move(start["x"] + 5, start["y"] + 5)
    await page.mouse.down()
    await page.mouse.move(start["x"] + 5, end["y"] + 12, steps=5)
    await expect(page.locator(".drop-line")).to_be_visible()
    await page.mouse.move(start["x"] + 5, end["y"] + 4)
    await page.mouse.up()
    await expect(page.locator(".rows .row[aria-rowindex='4'] .name")).to_have_attribute(
        "title", "d.mp4"
    )
    assert await shown(page) == ["a.mp4", "d.mp4", "b.mp4", "c.mp4"]
    await expect(page.locator("#curtain")).to_be_hidden()


async def test_a_cancelled_download_can_go_on_where_it_was(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """No question before, a moment to think again after; until then no byte is lost."""
    end = threading.Event()
    site.server.special["/plain/regretted.mp4"] = holding(end, first=12_000)
    await add(page, site.url("/plain/regretted.mp4"))
    line = row(page, "regretted.mp4")
    await expect(line.locator("progress")).to_be_visible()
    await asyncio.to_thread(
        until, lambda: [one for one in agent.downloads() if one["received"] > 8000]
    )
    await line.get_by_role("button", name="Cancel").click()
    await expect(line).to_contain_text("Cancelled")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.locator("#messages").get_by_role("button", name="Undo").click()
    end.set()
    await expect(line).to_have_attribute("data-state", "completed")
    assert [path for path, _ in site.server.seen].count("/plain/regretted.mp4") <= 2


async def test_off_the_list_and_to_the_trash_are_two_things(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """Each button has one meaning; a file stays where only its line goes, and both can be undone."""
    kept, thrown = await saved(agent, site, "kept.mp4"), await saved(agent, site, "thrown.mp4")
    await row(page, "kept.mp4").get_by_role("button", name="Remove from the list").click()
    await expect(row(page, "kept.mp4")).to_contain_text("Removed")
    await row(page, "kept.mp4").get_by_role("button", name="Undo").click()
    await expect(row(page, "kept.mp4")).to_contain_text("Saved")
    await row(page, "kept.mp4").get_by_role("button", name="Remove from the list").click()
    await row(page, "thrown.mp4").click()
    panel = page.get_by_role("region", name="thrown.mp4")
    await panel.get_by_role("button", name="Move the file to the trash").click()
    await expect(row(page, "kept.mp4")).to_have_count(0)
    await expect(row(page, "thrown.mp4")).to_have_count(0)
    assert kept.exists()
    assert not thrown.exists()


async def test_what_is_undone_too_late_is_done_when_the_page_closes(
    page: Page, agent: Running, site: PublicSite
) -> None:
    await saved(agent, site, "closing.mp4")
    await row(page, "closing.mp4").get_by_role("button", name="Remove from the list").click()
    await expect(row(page, "closing.mp4")).to_contain_text("Removed")
    await page.goto("about:blank")
    await asyncio.to_thread(until, lambda: agent.downloads() == [])


async def test_a_stopped_download_shows_what_it_has(
    page: Page, agent: Running, site: PublicSite
) -> None:
    end = threading.Event()
    site.server.special["/plain/half.mp4"] = holding(end, first=12_000)
    await add(page, site.url("/plain/half.mp4"))
    await asyncio.to_thread(
        until, lambda: [one for one in agent.downloads() if one["received"] > 8000]
    )
    agent.call("POST", "pause", {})
    line = row(page, "half.mp4")
    await expect(line).to_have_attribute("data-state", "queued")
    await expect(line).to_contain_text(re.compile(r"Waiting, \d+ %"))
    assert await line.locator("progress").evaluate("bar => bar.position") > 0
    end.set()


async def test_ticked_rows_are_dealt_with_together(
    page: Page, agent: Running, site: PublicSite
) -> None:
    wait(agent, site, *(f"tick-{n}.mp4" for n in range(5)))
    await row(page, "tick-1.mp4").get_by_role("checkbox").click()
    await row(page, "tick-3.mp4").get_by_role("checkbox").click(modifiers=["Shift"])
    bar = page.get_by_role("toolbar")
    await expect(bar).to_contain_text("3 ticked")
    await bar.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.locator(".row[data-state='paused']")).to_have_count(3)
    await expect(bar).to_be_hidden()
    await page.get_by_role("treegrid").focus()
    await page.keyboard.press("Control+a")
    await expect(bar).to_contain_text("5 ticked")
    await page.keyboard.press("Delete")
    await expect(page.locator(".row.leaving")).to_have_count(5)
    await page.keyboard.press("Escape")
    await expect(bar).to_be_hidden()
    await expect(page.locator(".rows .row:not([hidden])")).to_have_count(0)


async def test_a_saved_file_and_its_folder_open(
    page: Page, agent: Running, site: PublicSite, desktop: Path
) -> None:
    """From its row, from its panel, with a double click."""
    file = await saved(agent, site, "opened.mp4")
    line = row(page, "opened.mp4")
    await line.get_by_role("button", name="Open: opened.mp4").click()
    await line.get_by_role("button", name="Open folder: opened.mp4").click()
    await line.locator(".name").dblclick()
    panel = page.get_by_role("region", name="opened.mp4")
    await panel.get_by_role("button", name="Open folder").click()
    wanted = sorted([str(file), str(file.parent), str(file), str(file.parent)])
    await asyncio.to_thread(until, lambda: sorted(desktop.read_text().split()) == wanted)
    file.unlink()
    await line.get_by_role("button", name="Open: opened.mp4").click()
    await expect(page.locator("#messages")).to_contain_text("It is not there any more")


async def test_a_saved_file_moves_to_another_folder(
    page: Page, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    """By the desktop's own dialog, or typed where there is none; what has the name there stays."""
    file = await saved(agent, site, "moving.mp4")
    before = file.read_bytes()
    (tmp_path / "moving.mp4").write_text("somebody else's")
    answers: list[dict[str, object]] = [
        {"status": 422, "json": {"error": {"code": "no_dialog", "message": "None here."}}},
        {"json": {"folder": str(tmp_path)}},
    ]

    async def choose(route: Route) -> None:
        await route.fulfill(**answers.pop(0))  # type: ignore[arg-type]

    await page.route("**/desktop/choose-folder", choose)
    await row(page, "moving.mp4").click()
    panel = page.locator(".detail")
    for width in (1180, 400):  # many buttons leave its name room to be read
        await page.set_viewport_size({"width": width, "height": 800})
        said = await panel.get_by_role("heading", name="moving.mp4").bounding_box()
        assert said
        assert said["width"] > 200
    await panel.get_by_role("button", name="Move to…").click()
    box = page.get_by_role("dialog")
    assert await violations(page) == []
    await box.get_by_role("textbox").fill("Films")
    await page.keyboard.press("Enter")
    await expect(panel).to_contain_text(str(file.parent / "Films" / "moving.mp4"))
    await panel.get_by_role("button", name="Move to…").click()
    await expect(row(page, "moving (1).mp4")).to_contain_text("Saved")
    await expect(panel).to_contain_text(str(tmp_path / "moving (1).mp4"))
    assert (tmp_path / "moving (1).mp4").read_bytes() == before
    assert (tmp_path / "moving.mp4").read_text() == "somebody else's"
    assert not file.exists()


@pytest.mark.needs("ffmpeg")
async def test_pictures_are_seen_in_their_rows(
    page: Page, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    """Small, made once, without moving where people want nothing to move; what is no picture keeps its icon.

    So do videos, where there is an ffmpeg to read them.
    """
    film = tmp_path / "film.mp4"
    source = ("-f", "lavfi", "-i", "color=green:size=320x180:rate=5:duration=1")
    subprocess.run([str(programs.find("ffmpeg")), "-v", "error", *source, film], check=True)
    site.server.files["/plain/film.mp4"] = ("video/mp4", film.read_bytes())
    await saved(agent, site, "film.mp4")
    for name, colour in (("red.png", "red"), ("blue.png", "blue"), ("broken.png", None)):
        drawn = io.BytesIO()
        if colour is not None:
            Image.new("RGB", (900, 600), colour).save(drawn, "PNG")
        site.server.files[f"/plain/{name}"] = (
            "image/png",
            drawn.getvalue() or b"\x89PNG\r\n\x1a\n",
        )
        await saved(agent, site, name)
    await saved(agent, site, "tune.mp3")
    await page.emulate_media(reduced_motion="reduce")
    await page.reload()
    for name in ("red.png", "blue.png", "film.mp4"):
        picture = row(page, name).locator(".type img")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("img => img.decode().then(() => img.naturalWidth)") == 256
        took = await picture.evaluate("img => parseFloat(getComputedStyle(img).animationDuration)")
        assert took < 0.01
    await expect(row(page, "tune.mp3").locator(".type svg")).to_be_visible()
    await expect(row(page, "broken.png").locator(".type svg")).to_be_visible()
    assert await violations(page) == []


async def test_a_download_that_runs_elsewhere_says_where(
    page: Page, agent: Running, site: PublicSite
) -> None:
    wait(agent, site, "away.iso")

    async def with_engine(route: Route) -> None:
        answer = await route.fetch()
        text = await answer.text()
        await route.fulfill(response=answer, body=text.replace('"engine":null', '"engine":"nas"'))

    await page.route(re.compile(r"/downloads(\?|/d)"), with_engine)
    await page.reload()
    await expect(row(page, "away.iso")).to_contain_text("on nas")
    await row(page, "away.iso").click()
    await expect(page.locator(".detail")).to_contain_text("on nas")
    await page.set_viewport_size({"width": 400, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_links_are_pasted_anywhere_and_refused_ones_stay(
    page: Page, agent: Running, site: PublicSite
) -> None:
    await page.evaluate(
        """text => {
        const data = new DataTransfer();
        data.setData("text/plain", text);
        const paste = {clipboardData: data, bubbles: true, cancelable: true};
        document.body.dispatchEvent(new ClipboardEvent("paste", paste)); }""",
        f"{site.url('/plain/pasted.mp4')}\nmailto:somebody@example.org",
    )
    box = page.get_by_role("dialog")
    await expect(box.get_by_label("Links to download")).to_be_focused()
    await box.get_by_role("button", name="Download", exact=True).click()
    await agent.arrival(site.url("/plain/pasted.mp4"))
    await expect(box.get_by_label("Links to download")).to_have_value("mailto:somebody@example.org")
    await expect(box.get_by_role("alert")).to_contain_text("This line was refused")
    assert await violations(page) == []
    await box.get_by_label("Links to download").fill(site.url("/plain/mended.mp4"))
    await page.keyboard.press("Enter")
    await expect(box).to_be_hidden()
    await expect(row(page, "mended.mp4")).to_be_visible()


async def test_a_page_is_looked_at_and_chosen_from(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """Its title, its forms with their sizes, its subtitles and entries are there before anything is fetched."""
    seen: dict[str, object] = {
        "title": "Three films of the sea",
        "seconds": 61,
        "forms": [{"height": 1080, "size": 5_000_000}, {"height": 0, "size": 900_000}],
        "subtitles": ["en", "nb"],
        "entries": [],
        "total": 0,
        "picture": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    }
    asked: list[str] = []

    async def look(route: Route) -> None:
        asked.append(route.request.post_data or "")
        await route.fulfill(json=seen)

    await page.route("**/pages/look", look)
    agent.call("POST", "pause", {})
    await page.get_by_role("button", name="Add links", exact=True).first.click()
    box = page.get_by_role("dialog")
    await box.get_by_label("Links to download").fill(site.url("/plain/watch"))
    await box.get_by_role("button", name="Look at the page first").click()
    await expect(box.get_by_role("group", name="Three films of the sea")).to_be_visible()
    await expect(box.get_by_label("1080p, about 5.0 MB")).to_be_checked()
    await expect(box.locator("img")).to_be_visible()
    assert await violations(page) == []
    await box.get_by_label("Sound only").check()
    await box.get_by_label("nb").check()
    await box.get_by_role("button", name="Download", exact=True).click()
    wished = agent.wished(site.url("/plain/watch"))
    assert (wished["quality"], wished["subtitles"], wished["kind"]) == ("audio", ["nb"], "page")

    entries = [{"url": site.url(f"/plain/part-{n}"), "title": f"Part {n}"} for n in (1, 2, 3)]
    seen |= {"entries": entries, "forms": [], "subtitles": [], "total": 40}
    await page.get_by_role("button", name="Add links", exact=True).first.click()
    await box.get_by_label("Links to download").fill(site.url("/plain/list"))
    await box.get_by_role("button", name="Look at the page first").click()
    await expect(box).to_contain_text("the first 3 of 40 videos")
    await box.get_by_label("Part 2").uncheck()
    await box.get_by_role("button", name="Download", exact=True).click()
    await expect(row(page, "part-3")).to_be_visible()
    assert await shown(page) == ["watch", "part-1", "part-3"]
    assert len(asked) == 2


async def test_a_file_that_is_here_already_can_be_shown_or_fetched_again(
    page: Page, agent: Running, site: PublicSite
) -> None:
    await saved(agent, site, "twice.mp4")
    await add(page, site.url("/plain/twice.mp4"))
    said = page.locator("#messages")
    await expect(said).to_contain_text("You have this file already.")
    await said.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_role("region", name="twice.mp4")).to_be_visible()
    await add(page, site.url("/plain/twice.mp4"))
    await said.get_by_role("button", name="Download again").click()
    await expect(row(page, "twice (1).mp4")).to_be_visible()


async def test_the_panel_follows_its_download_and_changes_it(
    page: Page, agent: Running, site: PublicSite
) -> None:
    end = threading.Event()
    site.server.special["/plain/followed.mp4"] = holding(end)
    await add(page, site.url("/plain/followed.mp4"))
    await row(page, "followed.mp4").click()
    panel = page.get_by_role("region", name="followed.mp4")
    await expect(panel.get_by_role("status")).to_contain_text("Downloading")
    await expect(panel.get_by_role("img", name="Parts of the file")).to_be_visible()
    await expect(panel.locator("rect.part").first).to_be_attached()
    await panel.get_by_label("Limit for this one").select_option("2MB")
    await expect(page.locator("#messages")).to_contain_text("Changed.")
    assert agent.wished(site.url("/plain/followed.mp4"))["speed_limit"] == "2MB"
    await panel.get_by_role("button", name="Pause").click()
    await expect(panel.get_by_role("status")).to_contain_text("Paused")
    end.set()
    await panel.get_by_role("button", name="Resume").click()
    await expect(panel.get_by_role("status")).to_contain_text("Saved")
    await expect(panel.get_by_label("Limit for this one")).to_have_count(0)
    assert await violations(page) == []
    await panel.get_by_role("button", name="Close").click()
    await expect(panel).to_be_hidden()
    await expect(page.get_by_role("treegrid")).to_be_focused()


async def test_whoever_sees_what_failed_has_been_told(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """The dashboard says that somebody has looked, once for each new failure: the tray is calm then."""
    site.server.missing.add("/plain/unseen.mp4")
    agent.call("POST", "downloads", {"url": site.url("/plain/unseen.mp4")})
    await expect(page.locator("nav a[href$='#needs'] .number")).to_have_text("1")
    async with page.expect_response("**/downloads/seen") as told:
        await see(page, "needs")
    assert (await told.value).status == 200


async def test_a_batch_is_stopped_tried_again_and_undone(
    page: Page, agent: Running, site: PublicSite
) -> None:
    site.server.missing.add("/plain/lost.mp4")
    names = ("stays.mp4", "lost.mp4")
    items = [{"url": site.url(f"/plain/{name}"), "again": True} for name in names]
    asked = agent.call("POST", "downloads", {"items": items})
    await agent.arrival(site.url("/plain/stays.mp4"))
    await page.locator(f"nav a[href='#{asked['batch']}']").click()
    head = page.get_by_role("region", name="Report")
    await expect(head).to_contain_text("Failed: 1")
    assert await shown(page) == ["lost.mp4", "stays.mp4"]
    site.server.missing.clear()
    await head.get_by_role("button", name="Retry failed").click()
    await expect(row(page, "lost.mp4")).to_have_attribute("data-state", "completed")
    await expect(head.get_by_role("button", name="Retry failed")).to_be_hidden()
    await head.get_by_role("button", name="Undo…").click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("One file that arrived goes to the trash.")
    await expect(question.get_by_role("button", name="Leave it as it is")).to_be_visible()
    await question.get_by_role("button", name=re.compile("^Undo: . to the trash")).click()
    await expect(head).to_contain_text("undone just now")
    await expect(head.get_by_role("button", name="Undo…")).to_be_hidden()


async def test_what_has_failed_is_counted_anew_where_the_agent_says_so(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """It may answer with what it knew a moment ago, and nothing else happens after that."""
    wait(agent, site, "fine-1.mp4", "fine-2.mp4")
    batch = agent.call("GET", "batches?limit=1")["batches"][0]["id"]
    link = page.locator(f"nav a[href='#{batch}']")
    await expect(link).to_be_visible()
    was_seen = asyncio.Event()

    async def answer_old(route: Route) -> None:
        if not answers:
            await was_seen.wait()
            return await route.continue_()
        answer = await route.fetch()
        return await route.fulfill(json=await answer.json() | answers.pop())

    answers = [{"total": 1, "again": 0.05}]
    await page.route(re.compile("state=failed&batch="), answer_old)
    await link.click()
    retry = page.get_by_role("region", name="Report").get_by_role("button", name="Retry failed")
    await expect(retry).to_be_visible()
    was_seen.set()
    await expect(retry).to_be_hidden()


async def test_clearing_what_is_finished_keeps_what_failed(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """Its reason is still to be read; the files of what was cleared stay."""
    site.server.missing.add("/plain/lost.mp4")
    agent.call("POST", "downloads", {"url": site.url("/plain/lost.mp4")})
    file = await saved(agent, site, "done.mp4")
    await expect(row(page, "lost.mp4")).to_have_attribute("data-state", "failed")
    await page.locator(".list-head summary", has_text="More").click()
    await page.get_by_role("button", name="Clear finished").click()
    await expect(row(page, "done.mp4")).to_have_count(0)
    await expect(row(page, "lost.mp4")).to_contain_text("no such file")
    assert file.exists()


async def test_types_narrow_the_list(page: Page, agent: Running, site: PublicSite) -> None:
    agent.call("POST", "pause", {})
    for name in ("film.mp4", "tune.mp3", "text.pdf"):
        agent.call("POST", "downloads", {"url": site.url(f"/plain/{name}")})
    await expect(row(page, "text.pdf")).to_be_visible()
    await see(page, "audio")
    await expect(page.locator(".rows .row:not([hidden])")).to_have_count(1)
    assert await shown(page) == ["tune.mp3"]
    assert page.url.endswith("#audio")
    await page.go_back()
    await expect(row(page, "text.pdf")).to_be_visible()


async def test_rows_are_compact_and_can_be_roomy(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """At least as many are in sight as with the best of its kind: fourteen in a window of 860 pixels."""
    wait(agent, site, *(f"row-{n:02}.mp4" for n in range(30)))
    await expect(row(page, "row-00.mp4")).to_be_visible()
    box = await row(page, "row-00.mp4").bounding_box()
    table = await page.get_by_role("treegrid").bounding_box()
    assert box
    assert table
    assert box["height"] == 36
    assert (table["height"] - 32) // box["height"] >= 14
    await page.locator(".list-head summary", has_text="More").click()
    await page.get_by_role("button", name="Roomy rows").click()
    await expect(row(page, "row-00.mp4").locator(".from")).to_be_visible()
    await page.reload()
    await expect(row(page, "row-00.mp4").locator(".from")).to_be_visible()


async def test_an_unknown_address_leads_back(page: Page, agent: Running) -> None:
    answer = await page.goto(f"{agent.base}/nonsense")
    assert answer is not None
    assert answer.status == 404
    assert await violations(page) == []
    await page.get_by_role("link", name="Open the dashboard").click()
    await expect(page.locator("#shell")).to_be_visible()
