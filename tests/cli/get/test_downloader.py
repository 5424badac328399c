"""The downloader behind `get`: whatever becomes of one download, the others go on."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from trayagent.agent.queue.video_pages import PageJob
from trayagent.cli.get.downloader import Downloader, DownloaderSettings
from trayagent.cli.get.journal import FILE_NAME, HERE, Journal
from trayagent.model import retry
from trayagent.model.downloads import Download, Item, State
from trayagent.model.errors import DownloadError
from trayagent.model.jobs import Job
from trayagent.model.transfer import Fetched, Progress, Request, Target


class Silent:
    """A listener that looks away."""

    period: float | None = None

    def show(self, download: Download) -> None: ...

    def show_progress(self, id: str, received: int, size: int | None) -> None: ...

    def report_rejection(self, url: str, code: str, message: str) -> None: ...


class InstantFetch:
    """Fetches everything at once, but for what an address is scripted to raise, in turn."""

    def __init__(self, scripts: Mapping[str, Sequence[Exception]] | None = None) -> None:
        self.scripts = {url: list(errors) for url, errors in (scripts or {}).items()}
        self.asked: list[str] = []
        self.records: dict[str, Path] = {}
        self.forgotten: list[str] = []

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress
    ) -> Fetched:
        self.asked.append(request.url)
        if errors := self.scripts.get(request.url):
            raise errors.pop(0)
        path = target.folder / request.url.rpartition("/")[2]
        path.write_text("abc")
        return Fetched(path, 3)

    async def fetch_each(
        self, following: Callable[[], PageJob | None], tell: Callable[[Fetched], None]
    ) -> None:
        while (task := following()) is not None:
            tell(await self.fetch(task.job, task.request, task.target, task.progress))

    async def fetch_after(self, task: PageJob, failure: DownloadError) -> Fetched:
        raise failure

    async def owners(self) -> set[str]:
        return set(self.records)

    async def find_settled(self, target: Target) -> Fetched | None:
        path = self.records[target.owner]
        return Fetched(path, 3) if path.exists() else None

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        for path, owner in fetches:
            # Whenever a kill comes: one of the two knows the file.
            assert Journal(path.parent).finished_file(owner), f"{path.name} is known to nobody now"
            self.forgotten.append(path.name)


async def fetch(
    folder: Path, served: InstantFetch, *urls: str, **settings: int
) -> dict[str, Download]:
    """What became of each, by the last letter of its address."""
    downloader = Downloader(
        DownloaderSettings(folder, **{"workers": 2, "per_host": 2, "retries": 0, **settings}),
        Silent(),
    )
    await downloader.add(map(Item, urls))
    await downloader.run(served)
    return {download.url[-1]: download for download in downloader.ended.values()}


async def test_a_fault_of_ours_fails_one_download_only(tmp_path: Path) -> None:
    """It is `internal` for that one, and says nothing of what the address holds."""
    bug = "http://h/bug?key=CANARY"
    served = InstantFetch({bug: [ValueError(bug)] * 2})
    ended = await fetch(tmp_path, served, "http://h/a", bug, "http://h/b", "http://h/c")

    bad, *good = sorted(ended.values(), key=lambda one: one.state == State.COMPLETED)
    assert bad.error
    assert (bad.state, bad.error.code) == (State.FAILED, "internal")
    assert "ValueError" in bad.error.message
    assert "CANARY" not in bad.error.message
    assert [one.state for one in good] == [State.COMPLETED] * 3


async def test_what_the_page_engine_sees_to_goes_back_to_the_loop(tmp_path: Path) -> None:
    """Plain files follow each other; a manifest among them is fetched by itself, then they go on."""

    plain: list[str] = []

    class CountingFetch(InstantFetch):
        async def fetch_each(
            self, following: Callable[[], PageJob | None], tell: Callable[[Fetched], None]
        ) -> None:
            while (task := following()) is not None:
                plain.append(task.request.url[-1])
                tell(await self.fetch(task.job, task.request, task.target, task.progress))

    served = CountingFetch()
    urls = ["http://h/a", "http://h/v.m3u8", "http://h/b", "http://h/c"]
    ended = await fetch(tmp_path, served, *urls, workers=1)

    assert plain == ["a", "b", "c"]
    assert served.asked == urls
    assert [one.state for one in ended.values()] == [State.COMPLETED] * 4


async def test_a_cool_down_is_a_wait_and_costs_no_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no retry left, one that was not asked for waits, and its host gets peace meanwhile."""
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.01)
    cool = DownloadError("server_busy", retry_after=0.2, spent=False)
    served = InstantFetch(
        {"http://h/a": [cool, cool], "http://h/b": [DownloadError("server_busy")]}
    )
    urls = ("http://h/a", "http://h/c", "http://other/d", "http://h/b")

    ended = await fetch(tmp_path, served, *urls, workers=1)

    states = {name: (str(one.state), one.attempts) for name, one in ended.items()}
    assert states == {
        "a": ("completed", 1),
        "b": ("failed", 1),
        "c": ("completed", 1),
        "d": ("completed", 1),
    }
    assert served.asked[:2] == ["http://h/a", "http://other/d"]


async def test_one_that_waits_keeps_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits for its next try the others go on in its place."""
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.2)
    served = InstantFetch({"http://h/a": [DownloadError("network", "reset")]})

    ended = await fetch(tmp_path, served, *(f"http://h/{c}" for c in "abcd"), workers=1, retries=1)

    assert served.asked == [f"http://h/{c}" for c in "abcda"]
    assert ended["a"].attempts == 2


async def test_results_are_in_the_order_that_was_asked_for_and_say_when(tmp_path: Path) -> None:
    served = InstantFetch({"http://h/b": [DownloadError("network")]})
    downloader = Downloader(DownloaderSettings(tmp_path, 2, 2, 1), Silent())
    await downloader.add(map(Item, [f"http://h/{c}" for c in "abca"]))
    await downloader.run(served)
    assert [one.url[-1] for one in downloader.results()] == ["a", "b", "c"]
    for one in downloader.results():
        assert one.created_at
        assert one.started_at
        assert one.finished_at
        assert one.started_at <= one.finished_at


async def test_a_clock_that_is_set_back_makes_no_wait_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.2)
    real, calls = time.time, itertools.count()
    # Each look at the clock finds it an hour further back.
    monkeypatch.setattr(time, "time", lambda: real() - 3600 * next(calls))
    served = InstantFetch({"http://h/a": [DownloadError("server_busy", retry_after=0.1)]})
    async with asyncio.timeout(10):
        ended = await fetch(tmp_path, served, "http://h/a", workers=1, retries=1)
    assert ended["a"].state == State.COMPLETED


async def test_what_has_its_name_is_never_asked_for_again(tmp_path: Path) -> None:
    """A kill left its record beside it; the same command takes it as it is."""
    served = InstantFetch()
    first = await fetch(tmp_path, served, "http://h/a", "http://h/b")
    assert sorted(served.forgotten) == ["a", "b"]
    assert not (tmp_path / FILE_NAME).exists()

    again = InstantFetch()
    again.records = {first["a"].id: tmp_path / "a", first["b"].id: tmp_path / "gone"}
    ended = await fetch(tmp_path, again, "http://h/a", "http://h/b")

    assert again.asked == ["http://h/b"]
    assert (ended["a"].state, ended["a"].warning) == (State.COMPLETED, HERE)
    assert sorted(again.forgotten) == ["a", "b"]


async def test_an_interrupted_run_knows_all_it_finished(tmp_path: Path) -> None:
    """Before a record goes, the journal has its file."""

    reached = asyncio.Event()

    class Interrupted(InstantFetch):
        async def fetch(
            self, job: Job, request: Request, target: Target, progress: Progress
        ) -> Fetched:
            if request.url.endswith("z"):
                reached.set()
                await asyncio.Event().wait()
            return await super().fetch(job, request, target, progress)

    served = Interrupted()
    urls = ("http://h/a", "http://h/b", "http://h/z")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(fetch(tmp_path, served, *urls, workers=1), name="get")
        await reached.wait()
        running.cancel()
    assert sorted(served.forgotten) == ["a", "b"]

    again = InstantFetch()
    await fetch(tmp_path, again, *urls)
    assert again.asked == ["http://h/z"]
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_record_beside_what_the_journal_knows_goes(tmp_path: Path) -> None:
    """A kill came between the two. Left there, it would keep a later run from getting the file anew."""
    first = await fetch(tmp_path, InstantFetch(), "http://h/a")
    Journal(tmp_path).note([(first["a"].id, str(tmp_path / "a"), 3)])

    again = InstantFetch()
    again.records = {first["a"].id: tmp_path / "a"}
    await fetch(tmp_path, again, "http://h/a")

    assert (again.asked, again.forgotten) == ([], ["a"])
