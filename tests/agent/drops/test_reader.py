"""The drop folder: every line of every list has exactly one outcome."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running_queue import RunningQueue, running_queue, until
from tests.privacy import is_private
from trayagent.agent.drops import folder as drop_folder
from trayagent.agent.drops import reader
from trayagent.agent.drops.folder import FolderWatcher
from trayagent.agent.drops.reader import DropReader
from trayagent.agent.queue.commands import BatchUndo
from trayagent.lists import dialect_for
from trayagent.model.errors import DownloadError
from trayagent.model.events import Event, Notice


@pytest.fixture(autouse=True)
def _short_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # The rule itself is shown in test_folder; here it would only make everything wait.
    monkeypatch.setattr(drop_folder, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(reader, "RESCAN_SECONDS", 0.5)


@dataclass
class Folder:
    """A drop folder with everything behind it, and what it said."""

    root: Path
    queue: RunningQueue
    heard: list[Event]

    def drop(self, name: str, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        (self.root / f"{name}.tmp").write_bytes(data)
        (self.root / f"{name}.tmp").rename(self.root / name)

    async def filed(self, place: str) -> dict[str, Any]:
        """The report, once the list lies in its place."""
        await until((self.root / place).exists)
        return json.loads((self.root / f"{place}.report.json").read_text())  # type: ignore[no-any-return]


@asynccontextmanager
async def folder(tmp_path: Path, **limits: Any) -> AsyncIterator[Folder]:
    async with running_queue(tmp_path, **limits) as h:
        root = tmp_path / "drop"
        service = DropReader(h.db, h.bus, h.intake, root)
        heard: list[Event] = []
        h.bus.subscribe(heard.append)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(service.run(), name="drops")
            await until((root / "failed").exists)
            yield Folder(root, h, heard)
            running.cancel()


@pytest.mark.timeout(20)
async def test_a_list_that_comes_between_the_first_look_and_the_watch_is_seen_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing hints at it, and the next look of its own is far away."""
    monkeypatch.setattr(reader, "RESCAN_SECONDS", 300.0)
    ensure = FolderWatcher.ensure

    def late(watcher: FolderWatcher) -> bool:
        monkeypatch.setattr(FolderWatcher, "ensure", ensure)
        (tmp_path / "drop/films.txt").write_text("http://h/1.mp4\n")
        return ensure(watcher)

    monkeypatch.setattr(FolderWatcher, "ensure", late)
    async with folder(tmp_path) as f:
        report = await f.filed("done/films.txt")
    assert report["counts"] == {"completed": 1}


async def test_a_list_is_fetched_and_filed_with_its_report(tmp_path: Path) -> None:
    """Comments and blank lines are nothing; every other line is in the report with its number."""
    async with folder(tmp_path) as f:
        f.drop("films.txt", "# two films\n\nhttp://h/1.mp4\r\n  http://h/2.mp4\n")
        report = await f.filed("done/films.txt")

    assert report["list"] == "films.txt"
    assert report["counts"] == {"completed": 2}
    assert [(line["line"], line["outcome"]) for line in report["lines"]] == [
        (3, "completed"),
        (4, "completed"),
    ]
    assert all(Path(line["path"]).exists() for line in report["lines"])
    assert not list((f.root / "working").iterdir())


async def test_bad_lines_never_block_good_ones_and_can_be_dropped_again(tmp_path: Path) -> None:
    """The retry list holds exactly the failed and rejected lines, with their options."""

    async def gone() -> None:
        raise DownloadError("not_found", "HTTP 404")

    async with folder(tmp_path) as f:
        f.queue.transfer.scripts = {"http://h/gone": gone}
        f.drop(
            "x.txt", "http://h/ok\nfile:///etc/passwd\nhttp://h/gone\n  out=kept.bin\nnonsense\n"
        )
        report = await f.filed("failed/x.txt")
        again = (f.root / "failed/x.txt.retry.txt").read_text()
        (f.root / "failed/x.txt.retry.txt").rename(f.root / "again.txt")
        f.queue.transfer.scripts = {}
        second = await f.filed("failed/again.txt")

    outcomes = {line["line"]: (line["outcome"], line["code"]) for line in report["lines"]}
    assert outcomes[1] == ("completed", None)
    assert outcomes[2] == ("rejected", "bad_url")
    assert outcomes[3] == ("failed", "not_found")
    assert "http://h/gone" in again
    assert "out=kept.bin" in again
    assert "http://h/ok" not in again
    assert second["counts"]["completed"] == 1


async def test_a_repeated_line_shares_the_outcome_and_is_fetched_once(tmp_path: Path) -> None:
    """In a list, across lists, and against history."""
    async with folder(tmp_path) as f:
        f.drop("a.txt", "http://h/1\nhttp://H:80/1#x\n")
        f.drop("b.txt", "http://h/1\n")
        first, second = await f.filed("done/a.txt"), await f.filed("done/b.txt")
        f.drop("c.txt", "http://h/1\n")
        third = await f.filed("done/c.txt")

    assert len(f.queue.transfer.asked) == 1
    assert sum((Counter(r["counts"]) for r in (first, second)), Counter()).keys() <= {
        "completed",
        "duplicate",
    }
    assert third["counts"] == {"duplicate": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a file open")
async def test_a_list_that_a_program_writes_with_long_pauses_loses_no_line(tmp_path: Path) -> None:
    """`slow-search > drop/found.txt`: what it wrote so far is not the whole list."""
    async with folder(tmp_path) as f:
        with (f.root / "found.txt").open("w") as file:
            file.write("http://h/1.mp4\n")
            file.flush()
            await asyncio.sleep(3 * drop_folder.QUIET_SECONDS + reader.RESCAN_SECONDS)
            assert not list((f.root / "working").iterdir())
            file.write("http://h/2.mp4\n")
        report = await f.filed("done/found.txt")
    assert report["counts"] == {"completed": 2}


async def test_an_empty_list_is_done_at_once(tmp_path: Path) -> None:
    """Nothing to do is done."""
    async with folder(tmp_path) as f:
        f.drop("empty.txt", "# nothing\n")
        report = await f.filed("done/empty.txt")

    assert report["lines"] == []


@pytest.mark.parametrize("text", ["# nothing\n", "file:///x\n", "http://h/1\n"])
async def test_a_list_is_filed_once_and_then_there_is_rest(tmp_path: Path, text: str) -> None:
    """A list that is finished the moment it is read is one list, with one report."""
    async with folder(tmp_path) as f:
        f.drop("x.txt", text)
        await until(lambda: any(f.root.glob("*/x.txt.report.json")))
        await until(lambda: not any((f.root / "working").iterdir()))
        f.drop("later.txt", "http://h/later\n")
        await f.filed("done/later.txt")
        finished = [e for e in f.heard if e.name == "batch.finished"]
        filed = sorted(path.name for path in f.root.glob("*/*.report.json"))

    assert filed == ["later.txt.report.json", "x.txt.report.json"]
    assert len(finished) == 2


async def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    """What was filed before stays as it is."""
    async with folder(tmp_path) as f:
        f.drop("x.txt", "http://h/1\n")
        await f.filed("done/x.txt")
        f.drop("x.txt", "http://h/2\n")
        report = await f.filed("done/x (1).txt")

    assert report["lines"][0]["url"] == "http://h/2"
    assert (f.root / "done/x.txt").read_text() == "http://h/1\n"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
@pytest.mark.parametrize(
    "name", [b"x" * 251 + b".txt", "ü".encode() * 125 + b".txt", b"\xe4\xff.txt"]
)
async def test_no_name_keeps_a_list_from_its_report(tmp_path: Path, name: bytes) -> None:
    """The longest that a disk takes, and one that is no text: what zip programs of other systems leave."""
    async with folder(tmp_path) as f:
        place = os.fsencode(f.root) + b"/" + name
        for number in (1, 2):
            with open(place, "wb") as file:  # noqa: PTH123 - no Path has such a name
                file.write(f"http://h/{number}\nno address\n".encode())

            def is_filed(count: int = number) -> bool:
                return len(list((f.root / "failed").glob("*.report.json"))) == count

            await until(is_filed)
            await until(lambda: not any((f.root / "working").iterdir()))
    reports = [json.loads(path.read_text()) for path in (f.root / "failed").glob("*.report.json")]
    assert [report["counts"] for report in reports] == [{"completed": 1, "rejected": 1}] * 2


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
async def test_what_is_no_list_is_told_of_whatever_its_name(tmp_path: Path) -> None:
    async with folder(tmp_path) as f:
        os.mkdir(os.fsencode(f.root) + b"/\xff.txt")  # noqa: PTH102
        await until(lambda: any(isinstance(event, Notice) for event in f.heard))
    (told,) = [event for event in f.heard if isinstance(event, Notice)]
    assert "\ufffd.txt" in told.body


async def test_what_is_no_ordinary_file_is_told_once_and_left_alone(tmp_path: Path) -> None:
    """Links, pipes and folders that are named like lists stay where they are."""
    secret = tmp_path / "secret.txt"
    secret.write_text("http://h/secret\n")
    root = tmp_path / "drop"
    root.mkdir()
    (root / "folder.txt").mkdir()
    odd = ["folder.txt"]
    if sys.platform != "win32":  # there, few users may make links, and pipes are no files
        (root / "link.txt").symlink_to(secret)
        os.mkfifo(root / "pipe.txt")
        odd += ["link.txt", "pipe.txt"]
    async with folder(tmp_path) as f:
        f.drop("good.txt", "http://h/1\n")
        await f.filed("done/good.txt")
        told = [event for event in f.heard if isinstance(event, Notice)]

    assert sorted(event.body.split()[0] for event in told) == odd
    assert [request.url for request in f.queue.transfer.asked] == ["http://h/1"]
    assert set(odd) <= {path.name for path in root.iterdir()}


async def test_what_is_left_alone_is_in_the_log_once_each_time_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a desktop the log is where a person looks; no look repeats it, a new one of the name is news."""

    def told() -> list[str]:
        return [r.message.split()[0] for r in caplog.records if "no ordinary file" in r.message]

    odd = tmp_path / "drop" / "odd.txt"
    async with folder(tmp_path) as f:
        odd.mkdir()
        await until(lambda: told() == ["odd.txt"])
        for number in range(2):  # each list takes more than one look
            f.drop(f"{number}.txt", "# nothing\n")
            await f.filed(f"done/{number}.txt")
        assert told() == ["odd.txt"]
        odd.rmdir()
        f.drop("gone.txt", "# nothing\n")
        await f.filed("done/gone.txt")
        odd.mkdir()
        await until(lambda: told() == ["odd.txt", "odd.txt"])


@pytest.mark.parametrize("bad", ["~", "~root", "C:x", "C:", ".."])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "http://h/ok\nhttp://h/no\n  dir={}\n"),
        ("a.json", '[{{"url": "http://h/ok"}}, {{"url": "http://h/no", "folder": "{}"}}]'),
    ],
)
async def test_a_folder_that_is_none_of_ours_rejects_its_line_alone(
    tmp_path: Path, name: str, text: str, bad: str
) -> None:
    async with folder(tmp_path) as f:
        f.drop(name, text.format(bad))
        report = await f.filed(f"failed/{name}")
    assert [line["outcome"] for line in report["lines"]] == ["completed", "rejected"]


@pytest.mark.parametrize("junk", [("junk.txt", bytes(range(256)) * 20), ("junk.json", b"{")])
async def test_binary_junk_is_filed_as_failed(tmp_path: Path, junk: tuple[str, bytes]) -> None:
    """A list that cannot be read says so in its report, and leaves no list of lines to drop again."""
    name, data = junk
    async with folder(tmp_path) as f:
        f.drop(name, data)
        report = await f.filed(f"failed/{name}")
        left = {path.name for path in (f.root / "failed").iterdir()}

    assert [line["outcome"] for line in report["lines"]] == ["rejected"]
    assert left == {name, f"{name}.report.json"}


async def test_a_list_that_breaks_its_reader_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a list does to us, the agent goes on, and the list stays where it was taken."""

    def sometimes(name: str) -> Any:
        if name == "bad.txt":
            raise ZeroDivisionError
        return dialect_for(name)

    monkeypatch.setattr(reader, "dialect_for", sometimes)
    async with folder(tmp_path) as f:
        f.drop("bad.txt", "http://h/1.mp4\n")
        await until((f.root / "working" / "bad.txt").exists)
        f.drop("good.txt", "http://h/2.mp4\n")
        await f.filed("done/good.txt")
        assert (f.root / "working" / "bad.txt").exists()


async def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Writers' half files and other people's files are none of our business."""
    names = ["x.txt.part", "x.crdownload", "notes.pdf", ".hidden.txt", "~lock.txt", "x.txt~"]
    async with folder(tmp_path) as f:
        for name in names:
            (f.root / name).write_text("http://h/1\n")
        f.drop("good.txt", "http://h/good\n")
        await f.filed("done/good.txt")

    assert all((f.root / name).exists() for name in names)
    assert len(f.queue.transfer.asked) == 1


def is_renamed(source: Path, target: Path) -> bool:
    """Rename it unless Windows says that somebody has it open."""
    try:
        source.rename(target)
    except PermissionError:
        return False
    return True


async def test_the_folder_may_go_away_and_come_back(tmp_path: Path) -> None:
    """Renamed and made anew, it is watched again."""
    async with folder(tmp_path) as f:
        # On Windows a folder that is being looked into cannot be renamed; a person tries once more.
        await until(lambda: is_renamed(f.root, tmp_path / "elsewhere"))
        await until((f.root / "failed").exists)
        f.drop("x.txt", "http://h/1\n")
        await f.filed("done/x.txt")


async def test_what_was_dropped_while_nobody_ran_is_taken_at_the_start(tmp_path: Path) -> None:
    """The scan is the truth, not the events."""
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "x.txt").write_text("http://h/1\n")
    async with folder(tmp_path) as f:
        assert (await f.filed("done/x.txt"))["counts"] == {"completed": 1}


async def test_a_list_goes_on_after_a_restart(tmp_path: Path) -> None:
    """A list whose downloads were cut off by the end of the agent is filed by the next one."""
    async with folder(tmp_path) as f:
        gate = asyncio.Event()
        f.queue.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        f.drop("x.txt", "http://h/1\nhttp://h/2\n")
        await f.queue.transfer.busy_with(1)
    async with folder(tmp_path) as f:
        report = await f.filed("done/x.txt")

    assert report["counts"] == {"completed": 2}


async def test_a_large_list_is_announced_once(tmp_path: Path) -> None:
    """Over a hundred lines are one event, not a flood, and the status counts them all."""
    async with folder(tmp_path) as f:
        await f.queue.queue.pause_all()
        f.drop("big.txt", "".join(f"http://h/{i}\n" for i in range(1200)))
        await until(lambda: any(e.name == "batch.queued" for e in f.heard))
        singly = [event for event in f.heard if event.name == "download.queued"]

        assert f.queue.live_status.status.queued == 1200
        assert len(singly) <= 100


async def test_a_line_with_a_nul_is_refused_alone(tmp_path: Path) -> None:
    async with folder(tmp_path) as f:
        f.drop("x.txt", b"http://h/a\nhttp://h/b\0c\nhttp://h/d\n")
        report = await f.filed("failed/x.txt")

    outcomes = [(line["line"], line["outcome"], line["code"]) for line in report["lines"]]
    assert outcomes == [
        (1, "completed", None),
        (2, "rejected", "bad_url"),
        (3, "completed", None),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
async def test_what_is_written_beside_a_list_is_the_users_alone(tmp_path: Path) -> None:
    """The lines to be dropped again come with what opens doors."""
    secret = "http://me:pw@h/gone\n  header=Authorization: Bearer s\n"

    async def gone() -> None:
        raise DownloadError("not_found", "HTTP 404")

    before = os.umask(0)
    try:
        async with folder(tmp_path) as f:
            f.queue.transfer.scripts = {"http://h/gone": gone}
            f.drop("x.txt", secret)
            await f.filed("failed/x.txt")
            beside = [f.root / "failed" / f"x.txt.{end}" for end in ("retry.txt", "report.json")]
            private = {path.name: is_private(path) for path in beside}
    finally:
        os.umask(before)

    assert "Bearer s" in beside[0].read_text()
    assert private == {"x.txt.retry.txt": True, "x.txt.report.json": True}


async def test_undo_takes_back_what_a_list_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is cancelled, what arrived goes to the trash, what others asked for stays."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    async with folder(tmp_path) as f:
        never = asyncio.Event()
        f.queue.transfer.scripts = {"http://h/slow": never.wait}  # type: ignore[dict-item]
        (own,) = await f.queue.settled(*await f.queue.add("http://h/mine"))
        f.drop("x.txt", "http://h/mine\nhttp://h/quick\nhttp://h/slow\n")
        await until(lambda: f.queue.live_status.status.completed == 2)
        batch = await BatchUndo(f.queue.db, f.queue.queue, f.queue.trash).take_back("b1")

    assert batch.undone_at is not None
    assert batch.counts == {"duplicate": 1, "completed": 1, "cancelled": 1}
    assert Path(own.path or "").exists()
    assert not (tmp_path / "quick").exists()
