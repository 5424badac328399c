"""The dashboard shows what goes on as it happens, everything on it works, and it is usable by everyone."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import add, opened, row, see
from tests.browser.public_site import VIDEO, Answers, PublicSite, holding
from tests.browser.running import ROOT, Running
from trayagent.model.file_types import ENDINGS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
PIECE = 8192
IS_ABOVE_DIALOGS = "said => said.closest(':popover-open') !== null"
VIEWS = ("all", "needs", "saved", "images", "browsers", "settings")


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agent: Running) -> AsyncIterator[Page]:
    async with opened(chromium, agent) as page:
        yield page


async def test_live_progress_to_saved(page: Page, agent: Running, site: PublicSite) -> None:
    pieces = threading.Semaphore(1)

    def send_pieces(answers: Answers) -> None:
        answers.send_response(200)
        answers.send_header("Content-Type", "video/mp4")
        answers.send_header("Content-Length", str(len(VIDEO)))
        answers.end_headers()
        for start in range(0, len(VIDEO), PIECE):
            pieces.acquire(timeout=60)
            answers.wfile.write(VIDEO[start : start + PIECE])

    site.server.special["/plain/live.mp4"] = send_pieces
    await add(page, site.url("/plain/live.mp4"))
    bar = row(page, "live.mp4").locator("progress")
    await expect(row(page, "live.mp4")).to_have_attribute("data-state", "active")
    for _ in range(3):
        before = await bar.get_attribute("value")
        pieces.release()
        await expect(bar).not_to_have_attribute("value", before or "")
    pieces.release(len(VIDEO) // PIECE)
    await expect(row(page, "live.mp4")).to_have_attribute("data-state", "completed")
    assert (await agent.arrival(site.url("/plain/live.mp4"))).name == "live.mp4"


async def test_numbers_and_names_are_worded_as_everywhere_else(page: Page) -> None:
    """The tray, notifications and the command line take the same examples."""
    examples = json.loads((ROOT / "tests" / "examples" / "wording.json").read_text("utf-8"))
    worded = await page.evaluate(
        """async examples => {
        const { count, duration, nameOf, size } = await import("/static/format.js");
        const { FILTERS, STATES } = await import("/static/words.js");
        return {
            states: STATES,
            needs_you: FILTERS.needs,
            sizes: examples.sizes.map(([bytes]) => [bytes, size(bytes)]),
            durations: examples.durations.map(([seconds]) => [seconds, duration(seconds)]),
            counts: examples.counts.map(([number, noun]) => [number, noun, count(number, noun)]),
            names: examples.names.map(([filename, url]) => [filename, url, nameOf({ filename, url })]),
        }; }""",
        examples,
    )
    assert worded == examples


async def test_types_of_files_are_those_of_the_agent(page: Page) -> None:
    known = await page.evaluate(
        "import('/static/types.js').then(({ TYPE_OF }) => Object.fromEntries(TYPE_OF))"
    )
    assert known == {ending: kind for kind, endings in ENDINGS.items() for ending in endings}


async def test_wishes_go_along_with_the_links(page: Page, agent: Running, site: PublicSite) -> None:
    await page.get_by_role("button", name="Add links", exact=True).first.click()
    await page.get_by_text("Options", exact=True).click()
    await page.get_by_label("Folder", exact=True).fill("lectures")
    await page.get_by_label("Video quality").select_option("720")
    await page.get_by_label("Subtitles").fill("en, pt-BR")
    await page.get_by_label("Links to download").fill(site.url("/plain/lecture.mp4"))
    await page.get_by_role("button", name="Download", exact=True).click()
    assert (await agent.arrival(site.url("/plain/lecture.mp4"))).parent.name == "lectures"
    wished = agent.wished(site.url("/plain/lecture.mp4"))
    assert (wished["quality"], wished["subtitles"]) == ("720", ["en", "pt-BR"])


async def test_failed_says_why_and_retries(page: Page, agent: Running, site: PublicSite) -> None:
    site.server.missing.add("/plain/gone.mp4")
    await add(page, site.url("/plain/gone.mp4"))
    failed = row(page, "gone.mp4")
    await expect(failed).to_have_attribute("data-state", "failed")
    await expect(failed).to_contain_text("The server has no such file")
    await failed.click()
    await expect(page.locator(".detail")).to_contain_text("Check the link on its page")
    site.server.missing.clear()
    await failed.get_by_role("button", name="Retry: gone.mp4").click()
    await expect(failed).to_have_attribute("data-state", "completed")


async def test_pause_resume_cancel_remove(page: Page, agent: Running, site: PublicSite) -> None:
    end = threading.Event()
    site.server.special["/plain/long.mp4"] = holding(end)
    await add(page, site.url("/plain/long.mp4"))
    line = row(page, "long.mp4")
    await line.get_by_role("button", name="Pause: long.mp4").click()
    await expect(line).to_have_attribute("data-state", "paused")
    await line.get_by_role("button", name="Resume: long.mp4").click()
    await line.get_by_role("button", name="Cancel: long.mp4").click()
    await expect(line).to_have_attribute("data-state", "cancelled")
    await line.get_by_role("button", name="Remove from the list: long.mp4").click()
    await expect(line).to_have_count(0)
    end.set()


async def test_everything_is_searched(page: Page, agent: Running, site: PublicSite) -> None:
    """Whatever the list shows, words are looked for in all of it."""
    agent.call("POST", "downloads", {"url": site.url("/plain/needle.mp4")})
    await agent.arrival(site.url("/plain/needle.mp4"))
    agent.call("POST", "downloads", {"url": site.url("/plain/hay.mp4")})
    await agent.arrival(site.url("/plain/hay.mp4"))
    await see(page, "active")
    await page.get_by_role("searchbox").fill("needle")
    await expect(row(page, "needle.mp4")).to_be_visible()
    await expect(row(page, "hay.mp4")).to_have_count(0)
    await page.get_by_role("searchbox").fill("no such thing")
    await expect(page.get_by_text("Nothing found.")).to_be_visible()


async def test_a_link_to_one_download_opens_it_however_old(
    page: Page, agent: Running, site: PublicSite
) -> None:
    site.server.missing.add("/plain/long-ago.mp4")
    asked = agent.call("POST", "downloads", {"url": site.url("/plain/long-ago.mp4")})
    old = asked["downloads"][0]["id"]
    later = [{"url": site.url(f"/plain/later-{n}.mp4")} for n in range(45)]
    newest = agent.call("POST", "downloads", {"items": later})["downloads"][-1]["id"]
    await agent.arrival(later[-1]["url"])

    await page.goto("about:blank")
    await page.goto(f"{agent.dashboard()}&view={old}")
    panel = page.get_by_role("region", name="long-ago.mp4")
    await expect(panel.locator("dl")).to_contain_text("not_found: The server has no such file")
    await expect(panel.get_by_role("heading", name="long-ago.mp4")).to_be_focused()
    await expect(row(page, "long-ago.mp4")).to_be_in_viewport()
    assert page.url == f"{agent.base}/#{old}"
    assert await violations(page) == []

    await page.evaluate("id => { location.hash = id; }", newest)
    await expect(page.get_by_role("region", name="later-44.mp4")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".detail")).to_be_hidden()
    site.server.missing.clear()


async def check_files(page: Page) -> None:
    await page.locator(".list-head summary", has_text="More").click()
    await page.get_by_role("button", name="Check files").click()


async def test_saved_files_are_checked(page: Page, agent: Running, site: PublicSite) -> None:
    agent.call("POST", "downloads", {"url": site.url("/plain/checked.mp4")})
    saved = await agent.arrival(site.url("/plain/checked.mp4"))
    saved.unlink()
    await check_files(page)
    await expect(page.locator("#view")).to_contain_text(f": {saved}")


async def test_a_long_check_can_be_stopped(page: Page, agent: Running, site: PublicSite) -> None:
    agent.call("POST", "downloads", {"url": site.url("/plain/endless.mp4")})
    saved = await agent.arrival(site.url("/plain/endless.mp4"))
    os.truncate(saved, 1 << 40)  # a hole, no bytes on the disk
    await check_files(page)
    await page.get_by_role("button", name="Stop", exact=True).click()
    await expect(page.locator("#view")).to_contain_text("stopped early")
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_hidden()
    assert agent.call("GET", "verify")["state"] == "cancelled"
    saved.unlink()


async def test_dropped_list_becomes_downloads(page: Page, agent: Running, site: PublicSite) -> None:
    text = f"# videos\n[holiday]\n{site.url('/plain/a.mp4')}\n{site.url('/plain/b.mp4')}\n  out=second.mp4\nftp://no\n"
    await page.evaluate(
        """text => {
        const data = new DataTransfer();
        const bytes = Uint16Array.from("\ufeff" + text, letter => letter.charCodeAt());
        data.items.add(new File([bytes], "list.txt"));
        for (const type of ["dragenter", "drop"])
          document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true})); }""",
        text,
    )
    await expect(page.locator("#messages")).to_contain_text("2 downloads added.")
    assert (await agent.arrival(site.url("/plain/a.mp4"))).parts[-2:] == ("holiday", "a.mp4")
    assert (await agent.arrival(site.url("/plain/b.mp4"))).name == "second.mp4"
    # What was refused stays, with its reason, where it can be mended.
    box = page.get_by_role("dialog")
    await expect(box.get_by_label("Links to download")).to_have_value("ftp://no")
    await expect(box.get_by_role("alert")).to_contain_text("ftp://no")
    await page.keyboard.press("Escape")
    # The agent is shared: until this list stands at the side another of its name does, and moves down.
    batch = agent.call("GET", "batches?limit=1")["batches"][0]
    assert batch["title"] == "a.mp4 and 1 more"
    await page.locator(f"#batches a[href='#{batch['id']}']").click()
    await page.get_by_text("Report", exact=True).click()
    await expect(page.get_by_role("region", name="Lines of the list")).to_contain_text("Refused")


async def test_whole_queue_pauses_and_resumes(page: Page, agent: Running) -> None:
    await page.locator("#queue-tools summary", has_text="Pause").click()
    await page.get_by_role("button", name="For 30 minutes").click()
    await expect(page.locator("#status")).to_contain_text("Paused until")
    assert agent.call("GET", "status")["paused"] is True
    await page.get_by_role("button", name="Resume", exact=True).click()
    await expect(page.locator("#status")).not_to_contain_text("Paused")
    assert agent.call("GET", "status")["paused"] is False


async def test_settings_are_written_with_comments_kept(page: Page, agent: Running) -> None:
    await see(page, "settings")
    await page.get_by_label("Downloads at a time").fill("3")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#messages")).to_contain_text("Saved.")
    assert agent.call("GET", "config")["downloads"]["workers"] == 3
    written = (agent.home / "config.toml").read_text()
    assert written == "# My own words.\n[downloads]\nworkers = 3  # four\n"
    await page.get_by_label("Speed limit").fill("quick")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#s-downloads-speed_limit-error")).to_contain_text("is not a size")


async def test_code_works_once_and_the_session_stays_in_its_tab(
    chromium: Browser, agent: Running
) -> None:
    opened = agent.dashboard()
    context = await chromium.new_context()
    other = await context.new_page()
    await other.goto(opened)
    await expect(other.locator("#shell")).to_be_visible()
    assert other.url == f"{agent.base}/"
    kept = await other.evaluate("[document.cookie, localStorage.length, location.href]")
    assert kept == ["", 0, f"{agent.base}/"]
    await other.reload()
    await expect(other.locator("#shell")).to_be_visible()
    second = await context.new_page()
    for address in (opened, agent.base):
        await second.goto("about:blank")
        await second.goto(address)
        await expect(second.locator("#locked-reason")).to_contain_text("trayagent dashboard")
    # Ended from elsewhere, it locks at once and stays locked.
    for client in agent.call("GET", "clients")["clients"]:
        agent.call("DELETE", f"clients/{client['id']}")
    await expect(other.locator("#locked-reason")).to_contain_text("signed out")
    await other.reload()
    await expect(other.locator("#locked-reason")).to_contain_text("trayagent dashboard")
    await context.close()


async def test_a_locked_page_asks_and_learns_nothing(chromium: Browser, agent: Running) -> None:
    page = await chromium.new_page()
    await page.goto(agent.base)
    async with page.expect_response("**/sessions/ask") as answered:
        await page.get_by_role("button", name="Ask to open it").click()
    answer = await answered.value
    assert (answer.status, await answer.json()) == (202, {"done": True})
    await expect(page.locator("#locked-reason")).to_contain_text("notification")
    await page.close()


async def test_open_dashboards_are_listed_and_ended_one_by_one(
    page: Page, chromium: Browser, agent: Running
) -> None:
    other = await chromium.new_page()
    await other.goto(agent.dashboard())
    await expect(other.locator("#shell")).to_be_visible()
    await see(page, "browsers")
    await expect(page.get_by_role("heading", name="This dashboard")).to_have_count(1)
    listed = len(agent.call("GET", "clients")["clients"])
    ends = page.get_by_role("button", name="End", exact=True)
    await expect(ends).to_have_count(listed)
    await ends.last.click()
    await expect(other.locator("#locked-reason")).to_contain_text("signed out")
    await expect(page.locator("#shell")).to_be_visible()
    await other.close()


async def test_a_session_that_ends_between_loading_and_listening_locks_its_tab(
    chromium: Browser, agent: Running
) -> None:
    """Others have used up what the agent answers of wrong tokens at once: it says 429, not 401."""
    tab = await chromium.new_page()
    may_listen = asyncio.Event()

    async def hold(stream: Route) -> None:
        await may_listen.wait()
        await stream.continue_()

    await tab.route("**/api/v1/events", hold)
    known = {client["id"] for client in agent.call("GET", "clients")["clients"]}
    async with tab.expect_request("**/api/v1/events"):
        await tab.goto(agent.dashboard())
    await expect(tab.locator("#shell")).to_be_visible()
    opened = {client["id"] for client in agent.call("GET", "clients")["clients"]} - known
    for id in opened:
        agent.call("DELETE", f"clients/{id}")
    statuses = [wrong_token_answer(agent) for _ in range(11)]
    assert statuses[-1] == 429
    may_listen.set()
    await expect(tab.locator("#locked-reason")).to_contain_text("signed out")
    # The session is forgotten: the tab does not come back with it.
    await tab.reload()
    await expect(tab.locator("#locked-reason")).to_contain_text("opens from the tray")
    await tab.close()


def wrong_token_answer(agent: Running) -> int:
    """Return the status that a program with a stale token gets."""
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/api/v1/status", headers={"Authorization": "Bearer stale"})
        return connection.getresponse().status


async def test_a_page_opens_by_itself_once_the_agent_has_time(
    chromium: Browser, agent: Running
) -> None:
    tab = await chromium.new_page()
    await tab.route("**/api/v1/downloads/counts", lambda asked: asked.fulfill(status=503))
    await tab.goto(agent.dashboard())
    await expect(tab.locator("#locked-reason")).to_contain_text("Trying again")
    await expect(tab.get_by_role("button")).to_have_count(0)
    await tab.unroute("**/api/v1/downloads/counts")
    await expect(tab.locator("#shell")).to_be_visible()
    await tab.close()


async def test_keyboard_alone_adds_and_pauses(page: Page, agent: Running, site: PublicSite) -> None:
    end = threading.Event()
    site.server.special["/plain/typed.mp4"] = holding(end)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    for _ in range(40):
        if await page.evaluate("document.activeElement.id === 'add'"):
            break
        await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Links to download")).to_be_focused()
    await page.keyboard.type(site.url("/plain/typed.mp4"))
    await page.keyboard.press("Enter")
    await expect(row(page, "typed.mp4")).to_be_visible()
    await page.get_by_role("treegrid").focus()
    await page.keyboard.press("Home")
    await expect(row(page, "typed.mp4")).to_have_class(re.compile("current"))
    await page.keyboard.press("Enter")
    pause = page.get_by_role("region", name="typed.mp4").get_by_role("button", name="Pause")
    await expect(pause).to_be_visible()
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await pause.evaluate("button => button === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(row(page, "typed.mp4")).to_have_attribute("data-state", "paused")
    end.set()


@pytest.mark.timeout(120)
async def test_no_violations_and_no_sideways_scrolling(page: Page, agent: Running) -> None:
    for scheme, width in (("light", 1180), ("dark", 360)):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 860})
        for view in VIEWS:
            await see(page, view)
            await expect(page.locator("#view > *").first).to_be_visible()
            await expect(page.locator("#view")).to_have_attribute("aria-busy", "false")
            assert await violations(page) == [], f"{view}, {scheme}"
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view


async def test_at_twice_the_size_everything_is_within_reach(
    page: Page, agent: Running, site: PublicSite
) -> None:
    """A window of 1280 by 800 pixels at 200 %: nothing is cut off sideways, and a row's panel can be read."""
    await page.set_viewport_size({"width": 640, "height": 400})
    agent.call("POST", "downloads", {"url": site.url("/plain/large-print.mp4")})
    await agent.arrival(site.url("/plain/large-print.mp4"))
    await row(page, "large-print.mp4").locator(".name").click()
    panel = page.get_by_role("region", name="large-print.mp4")
    await expect(panel.get_by_role("button", name="Open folder")).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Add links", exact=True).first.click()
    send = page.get_by_role("button", name="Download", exact=True)
    await send.scroll_into_view_if_needed()
    await expect(send).to_be_in_viewport()


async def test_agent_gone_is_said_and_the_page_goes_on_when_it_is_back(
    chromium: Browser, tmp_path: Path
) -> None:
    page = await chromium.new_page()
    with Running(tmp_path / "home") as agent:
        await page.goto(agent.dashboard())
        await expect(page.locator("#shell")).to_be_visible()
    await expect(page.locator("#banner")).to_contain_text("does not answer")
    # Links that cannot be sent now stay in the box; why is read above it, and once.
    await page.get_by_role("button", name="Add links", exact=True).first.click()
    await page.get_by_label("Links to download").fill("https://videos.example/later.mp4")
    said = page.locator(".message", has_text="does not answer")
    for _ in range(2):
        await said.evaluate_all("all => all.forEach(each => each.classList.add('earlier'))")
        await page.get_by_role("button", name="Download", exact=True).click()
        await expect(page.locator(".message.earlier")).to_have_count(0)
        await expect(said).to_have_count(1)
        assert await said.evaluate(IS_ABOVE_DIALOGS)
    await expect(page.get_by_label("Links to download")).to_have_value(re.compile("later.mp4"))
    await page.keyboard.press("Escape")
    with Running(tmp_path / "home", HOOK__PORT=str(agent.port)):
        await expect(page.locator("#banner")).to_be_hidden(timeout=15_000)
        await page.reload()
        await expect(page.locator("#shell")).to_be_visible()
    # Another agent on that port knows nothing of it.
    with Running(tmp_path / "another", HOOK__PORT=str(agent.port)):
        await expect(page.locator("#locked-reason")).to_contain_text("signed out", timeout=15_000)
    await page.close()
