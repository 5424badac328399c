"""A hundred thousand downloads: the list is there at once, scrolls smoothly, and holds only what is seen."""

import asyncio
import json
import os
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from tests.browser.dashboard import head, opened, row, shown
from tests.browser.name_proxy import NameProxy
from tests.browser.public_site import PublicSite
from tests.browser.running import Running
from trayagent.store.database import Database

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
ROWS = 100_000
IN_A_LIST = 60_000
"""Of them were asked for as one list, some years ago."""
TRIES = 6
FIRST_PAINT_SECONDS = 1.0
FRAME_SECONDS = 0.032
FRAME_WORK_SECONDS = 0.016
LONG_TASK_SECONDS = 0.1
TAB_BYTES = 150_000_000

FRAMES = """async steps => {
    const table = document.querySelector("[role=treegrid]");
    const times = [];
    let before = await new Promise(requestAnimationFrame);
    for (let step = 0; step < steps; step += 1) {
        table.scrollTop += 180;
        const now = await new Promise(requestAnimationFrame);
        times.push((now - before) / 1000);
        before = now;
    }
    return times;
}"""
LONG_TASKS = """() => {
    window.longTasks = [];
    new PerformanceObserver(list => longTasks.push(...list.getEntries().map(each => each.duration / 1000)))
        .observe({ type: "longtask" });
}"""


def fill(home: Path, site: PublicSite) -> None:
    """Give the agent a history of many years, and some rows that wait."""
    db = Database.open(home / "trayagent.db")
    asyncio.run(db.run(insert, site.url("/large/400/film")))
    db.close()


def insert(conn: Any, base: str) -> None:
    host = base.split("/")[2]
    columns = (
        "key, url, host, state, path, size, received, via, created_at, finished_at, sha256, batch"
    )
    endings = ("mp4", "jpg", "mp3", "pdf", "zip")

    def values(number: int) -> tuple[object, ...]:
        url = f"https://old.example/{number}"
        path = f"/home/somebody/Downloads/file {number:06}.{endings[number % 5]}"
        size = number * 7919 % 1_000_000_007
        return (
            url,
            url,
            "old.example:443",
            "completed",
            path,
            size,
            size,
            "cli",
            number,
            number,
            "0",
            1 if 20_000 <= number < 20_000 + IN_A_LIST else None,
        )

    marks = ", ".join("?" * 12)
    conn.executemany(
        f"INSERT INTO downloads ({columns}) VALUES ({marks})", map(values, range(1, ROWS - 7))
    )
    conn.execute(
        "INSERT INTO batches (n, title, via, created_at, finished_at) VALUES (1, 'old.txt', 'drop', 1, 2)"
    )
    conn.execute(
        "INSERT INTO entries (batch, line, url, outcome, path)"
        " SELECT 1, n, url, state, path FROM downloads WHERE batch = 1"
    )
    for number in range(8):
        url = f"{base}-{number}.mp4"
        conn.execute(
            "INSERT INTO downloads (key, url, host, state, via, created_at) VALUES (?, ?, ?, 'queued', 'cli', ?)",
            (url, url, host, ROWS + number),
        )


@pytest.fixture(scope="module")
def agent(
    site: PublicSite, proxy: NameProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Run an agent that has seen very much, and is at work on four more."""
    home = tmp_path_factory.mktemp("large") / "home"
    home.mkdir()
    fill(home, site)
    with Running(home, site.authority, NETWORK__PROXY=proxy.url) as agent:
        yield agent


async def metrics(session: CDPSession) -> dict[str, float]:
    found = (await session.send("Performance.getMetrics"))["metrics"]
    return {each["name"]: float(each["value"]) for each in found}


async def work_in_a_frame(page: Page) -> float:
    """The processor time that the page itself takes for one frame of scrolling, in seconds."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    await session.send("Performance.enable")
    before = await metrics(session)
    await page.evaluate(FRAMES, 60)
    after = await metrics(session)
    await session.detach()
    parts = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    return sum(after[part] - before[part] for part in parts) / 60


def is_quiet() -> bool:
    """Whether this machine has a core for the page: else times tell of other programs."""
    return os.getloadavg()[0] <= (os.cpu_count() or 1)


async def best(measure: Callable[[], Awaitable[float]], limit: float) -> float:
    """The best of several measurements: other programs at work on the machine only make it worse."""
    found = await measure()
    for _ in range(TRIES - 1):
        if found <= limit:
            break
        found = min(found, await measure())
    return found


async def largest_tab(chromium: Browser) -> int:
    """Bytes of the largest process of a tab; what it shares with others counts in parts (proc(5): Pss)."""
    session = await chromium.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    sizes = []
    for each in found["processInfo"]:
        if each["type"] == "renderer":
            rollup = Path(f"/proc/{each['id']}/smaps_rollup").read_text()
            sizes += [
                int(kib) * 1024 for kib in re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
            ]
    return max(sizes)


@pytest.mark.timeout(180)
async def test_a_hundred_thousand_rows(chromium: Browser, agent: Running) -> None:
    async with opened(chromium, agent) as page:

        async def paint() -> float:
            """Wait as a person does who comes back to the page."""
            began = time.monotonic()
            await page.reload(wait_until="commit")
            await page.wait_for_selector(".rows .row .name-head:not(:empty)")
            return time.monotonic() - began

        async def scroll() -> float:
            """Scroll on while downloads run; the frames of one in twenty take longer."""
            frames = await page.evaluate(FRAMES, 60)
            return float(statistics.quantiles(frames, n=20)[-1])

        async def stall() -> float:
            """Scroll on, and find the longest that the page was busy with one thing."""
            await page.evaluate("longTasks.length = 0")
            await page.evaluate(FRAMES, 60)
            return float(max(await page.evaluate("longTasks"), default=0))

        painted = await best(paint, FIRST_PAINT_SECONDS)
        await expect(page.locator("nav a[href$='#all'] .number").first).to_have_text(f"{ROWS:,}")
        assert await page.locator(".rows .row").count() < 80
        await page.evaluate(LONG_TASKS)
        await expect(page.locator(".row[data-state='active']").first).to_be_visible()
        frame = await best(scroll, FRAME_SECONDS)
        task = await best(stall, LONG_TASK_SECONDS)
        work = await best(lambda: work_in_a_frame(page), FRAME_WORK_SECONDS)
        session = await page.context.new_cdp_session(page)
        await session.send("HeapProfiler.collectGarbage")
        await session.send("Performance.enable")
        counted = await metrics(session)
        heap = counted["JSHeapTotalSize"]
        figures = {
            "first paint, s": round(painted, 2),
            "frame at p95, ms": round(frame * 1000, 1),
            "of it our work, ms": round(work * 1000, 1),
            "longest task, ms": round(task * 1000),
            "heap, MB": round(heap / 1e6, 1),
            "its process, MB": round(await largest_tab(chromium) / 1e6),
            "elements": counted["Nodes"],
        }
        print(json.dumps(figures))
        assert painted <= FIRST_PAINT_SECONDS or not is_quiet(), figures
        assert work <= FRAME_WORK_SECONDS, figures
        assert frame <= FRAME_SECONDS or not is_quiet(), figures
        assert task <= LONG_TASK_SECONDS or not is_quiet(), figures
        assert figures["its process, MB"] * 1e6 <= TAB_BYTES, figures


@pytest.mark.timeout(180)
async def test_a_list_of_very_many_folds_open(chromium: Browser, agent: Running) -> None:
    """One row at first; opened, all its rows can be scrolled through, and few are in the page."""
    async with opened(chromium, agent) as page:
        table = page.get_by_role("treegrid")
        await expect(table).to_have_attribute("aria-rowcount", str(ROWS - IN_A_LIST + 2))
        await page.get_by_role("button", name="Name", exact=True).click()
        await table.focus()
        await page.keyboard.press("End")
        await page.get_by_role("button", name="Added", exact=True).click()
        await table.evaluate("table => { table.scrollTop = 36 * 19_990 }")
        old = head(page, "old.txt")
        await expect(old).to_contain_text("60,000 of 60,000")
        await old.get_by_role("button", name="Show the rows of old.txt").click()
        await expect(table).to_have_attribute("aria-rowcount", str(ROWS + 2))
        await expect(row(page, "file 020000.mp4")).to_have_class(re.compile("inside"))
        assert await page.locator(".rows .row").count() < 80
        work = await best(lambda: work_in_a_frame(page), FRAME_WORK_SECONDS)
        print(json.dumps({"in a list, our work in a frame, ms": round(work * 1000, 1)}))
        assert work <= FRAME_WORK_SECONDS
        await table.focus()
        await page.keyboard.press("ArrowDown")  # from the head, which is far out of sight by now
        await expect(row(page, "file 020000.mp4")).to_have_class(re.compile("current"))
        await page.keyboard.press("ArrowLeft")
        await expect(old).to_have_class(re.compile("current"))
        await page.keyboard.press("ArrowLeft")
        await expect(table).to_have_attribute("aria-rowcount", str(ROWS - IN_A_LIST + 2))


@pytest.mark.timeout(120)
async def test_both_ends_and_every_order_are_near(chromium: Browser, agent: Running) -> None:
    async with opened(chromium, agent) as page:
        await expect(page.locator(".rows")).to_contain_text("film-")
        await page.get_by_role("treegrid").focus()
        await page.keyboard.press("End")
        await expect(page.locator(".rows .name[title='file 000001.jpg']")).to_be_in_viewport()
        await page.get_by_role("button", name="Name", exact=True).click()
        head = page.get_by_role("columnheader", name="Name")
        await expect(head).to_have_attribute("aria-sort", "ascending")
        await expect(page.locator(".rows .name[title='file 000001.jpg']")).to_be_in_viewport()
        await page.get_by_role("button", name="Name", exact=True).click()
        await expect(page.locator(".rows .name[title='film-7.mp4']")).to_be_in_viewport()
        assert (await shown(page))[:2] == ["film-7.mp4", "film-6.mp4"]
        await page.get_by_role("searchbox").fill("file 077777")  # it is inside the closed list
        await expect(page.locator(".rows .row:not([hidden])")).to_have_count(1)
