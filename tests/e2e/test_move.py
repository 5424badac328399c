"""Moved when done: whole in one of two places at every moment, however often it is killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, Agent, until
from tests.servers.media import Media, content

STEPS = ["move-copied", "move-intended", "move-named", "move-noted", "move-removed"]


def whole(path: Path) -> bool:
    return path.exists() and path.read_bytes() == content("film.mp4", 50_000)


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_loses_nothing_and_leaves_nothing(tmp_path: Path, step: str) -> None:
    home, share = tmp_path / "home", tmp_path / "share"
    (share / "Films").mkdir(parents=True)
    (share / "Films" / "film.mp4").write_text("somebody else's")
    with Media() as media:
        agent = Agent(home, MOVE__TO=str(share), FAILPOINT=step)
        agent.start()
        agent.call("POST", "downloads", {"url": media.url("film.mp4", 50_000), "folder": "Films"})
        assert agent.process is not None
        assert agent.process.wait(PATIENCE) == 137
        here = home / "downloads" / "Films" / "film.mp4"
        there = share / "Films" / "film (1).mp4"
        assert whole(here) or whole(there)
        with Agent(home, MOVE__TO=str(share)) as after:
            until(lambda: whole(there) and not here.exists(), "the move")
            until(lambda: after.get("downloads/d1")["path"] == str(there), "its path")
        assert sorted(file.name for file in (share / "Films").iterdir()) == [
            "film (1).mp4",
            "film.mp4",
        ]
        assert (share / "Films" / "film.mp4").read_text() == "somebody else's"
        assert media.requests == ["/film.mp4"]


def test_a_share_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """An unmounted share leaves an empty folder: nothing is written there."""
    home, share = tmp_path / "home", tmp_path / "share"
    share.mkdir()
    with Media() as media, Agent(home, MOVE__TO=str(share)) as agent:
        agent.call("POST", "downloads", {"url": media.url("a.bin")})
        until((share / "a.bin").exists, "the first")
        # Windows renames no folder in which a file is open: the move has to be over.
        until(lambda: not (home / "downloads" / "a.bin").exists(), "the one here to go")
        share.rename(tmp_path / "unmounted")
        share.mkdir()
        agent.call("POST", "downloads", {"url": media.url("b.bin")})
        until(lambda: agent.get("status")["completed"] == 2 or None, "the second")
        agent.stop()
    assert list(share.iterdir()) == []
    assert (home / "downloads" / "b.bin").exists()
    share.rmdir()
    (tmp_path / "unmounted").rename(share)
    with Agent(home, MOVE__TO=str(share)):
        until((share / "b.bin").exists, "it to arrive")
        until(lambda: not (home / "downloads" / "b.bin").exists(), "the one here to go")


def test_a_file_where_its_folder_should_be_holds_up_no_other(tmp_path: Path) -> None:
    """Not even at the next start; and the file arrives once there is room for its folder."""
    home, share = tmp_path / "home", tmp_path / "share"
    share.mkdir()
    (share / "Films").write_text("somebody else's")
    with Media() as media:
        for number in ("1", "2"):
            with Agent(home, MOVE__TO=str(share)) as agent:
                agent.post("downloads", {"url": media.url("film.mp4", 50_000), "folder": "Films"})
                agent.post("downloads", {"url": media.url(f"{number}.bin")})
                until((share / f"{number}.bin").exists, "the other one")
        assert (share / "Films").read_text() == "somebody else's"
        assert whole(home / "downloads" / "Films" / "film.mp4")
        (share / "Films").unlink()
        with Agent(home, MOVE__TO=str(share)):
            until(lambda: whole(share / "Films" / "film.mp4"), "it to arrive")


LARGE = 48 << 20


class Mount:
    """A disk at the place of a share; `unmount` takes it away from under who writes there."""

    def __init__(self, disk: Path, place: Path) -> None:
        self._disk, self._place = disk, place

    def mount(self) -> None:
        subprocess.run(["mount", "--bind", self._disk, self._place], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self._place], check=True)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Mount]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts are made by root, on Linux")
    disk, place = tmp_path / "disk", tmp_path / "share"
    disk.mkdir()
    place.mkdir()
    mount = Mount(disk, place)
    try:
        mount.mount()
    except subprocess.CalledProcessError:
        pytest.skip("this machine lets root mount nothing")
    yield mount
    with suppress(subprocess.CalledProcessError):
        mount.unmount()


def stop_in_mid_copy(agent: Agent, place: Path) -> None:
    """Return while the agent stands still, with a part of the copy written."""
    assert agent.process is not None
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for part in place.glob(".*.part"):
            agent.process.send_signal(signal.SIGSTOP)
            with suppress(FileNotFoundError):
                if 0 < part.stat().st_size < LARGE:
                    return
            agent.process.send_signal(signal.SIGCONT)
    raise AssertionError("never seen in mid-copy")


def test_a_share_that_goes_in_mid_copy_is_waited_for(tmp_path: Path, share: Mount) -> None:
    """The agent stands still while the disk goes, so that it goes between two writes for sure."""
    home, place = tmp_path / "home", tmp_path / "share"
    with Media() as media, Agent(home, MOVE__TO=str(place)) as agent:
        agent.post("downloads", {"url": media.url("film.mp4", LARGE)})
        stop_in_mid_copy(agent, place)
        share.unmount()
        assert agent.process is not None
        agent.process.send_signal(signal.SIGCONT)
        log = home / "logs" / "trayagent.log"
        until(lambda: "Moving waits" in log.read_text("utf-8"), "it to be noticed")
        assert list(place.iterdir()) == [], "nothing is written where no disk is"
        here = home / "downloads" / "film.mp4"
        assert here.read_bytes() == content("film.mp4", LARGE)
        share.mount()
        agent.post("downloads", {"url": media.url("b.bin")})  # another end has it look at once
        until(lambda: (place / "b.bin").exists() and not here.exists(), "both")
        assert (place / "film.mp4").read_bytes() == content("film.mp4", LARGE)
        assert sorted(file.name for file in place.iterdir()) == [
            ".trayagent-target",
            "b.bin",
            "film.mp4",
        ]
    assert media.requests == ["/film.mp4", "/b.bin"]


@pytest.mark.parametrize("step", ["move-intended", "move-named"])
def test_a_kill_while_a_person_moves_a_file_loses_nothing(tmp_path: Path, step: str) -> None:
    """On the same disk only its name moves; whatever has the name already stays."""
    home, chosen = tmp_path / "home", tmp_path / "chosen"
    chosen.mkdir()
    (chosen / "film.mp4").write_text("somebody else's")
    with Media() as media:
        agent = Agent(home, FAILPOINT=step)
        agent.start()
        agent.call("POST", "downloads", {"url": media.url("film.mp4", 50_000)})
        until(lambda: agent.get("status")["completed"], "the file")
        agent.call("POST", "downloads/d1/move", {"folder": str(chosen)})
        assert agent.process is not None
        assert agent.process.wait(PATIENCE) == 137
        here, there = home / "downloads" / "film.mp4", chosen / "film (1).mp4"
        assert whole(here) != whole(there)
        with Agent(home) as after:
            until(lambda: after.get("downloads/d1")["path"] == str(there), "its path")
        assert whole(there)
        assert not here.exists()
        assert (chosen / "film.mp4").read_text() == "somebody else's"
        assert media.requests == ["/film.mp4"]


@contextmanager
def mounted(place: Path, *how: str | Path) -> Iterator[None]:
    """Mount something at a place; skips the test where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts are made by root, on Linux")
    if subprocess.run(["mount", *how, place], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets root mount nothing")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def another_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system of its own: a rename to it is refused (EXDEV)."""
    place = tmp_path / "another disk"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "tmpfs"):
        yield place


@pytest.mark.parametrize("step", [None, *STEPS])
def test_a_person_moves_a_file_to_another_disk(
    tmp_path: Path, another_disk: Path, step: str | None
) -> None:
    """It is copied, read back and named there before the one here goes; a kill at any step loses nothing."""
    home, chosen = tmp_path / "home", another_disk / "Films"
    here, there = home / "downloads" / "film.mp4", chosen / "film.mp4"
    with Media() as media:
        with Agent(home, **({} if step is None else {"FAILPOINT": step})) as agent:
            agent.call("POST", "downloads", {"url": media.url("film.mp4", 50_000)})
            until(lambda: agent.get("status")["completed"], "the file")
            assert here.stat().st_dev != another_disk.stat().st_dev
            agent.call("POST", "downloads/d1/move", {"folder": str(chosen)})
            if step is not None:
                assert agent.process is not None
                assert agent.process.wait(PATIENCE) == 137
                assert whole(here) or whole(there)
                agent = Agent(home)
                agent.start()
            until(lambda: whole(there) and not here.exists(), "the move")
            until(lambda: agent.get("downloads/d1")["path"] == str(there), "its path")
            assert list(chosen.iterdir()) == [there], "nothing is left of the copying"
            agent.stop()
        assert media.requests == ["/film.mp4"]


@contextmanager
def heard(agent: Agent) -> Iterator[Iterator[bytes]]:
    """The lines of the agent's events from now on; 30 s of silence end them."""
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
    with closing(connection):
        connection.request(
            "GET", "/api/v1/events", headers={"Authorization": f"Bearer {agent.token}"}
        )
        with connection.getresponse() as stream:
            yield iter(stream.readline, b"")


def test_a_copy_whose_original_stays_says_so(tmp_path: Path, another_disk: Path) -> None:
    """There are two then: the person hears which one counts, and what is to be done with the other."""
    home = tmp_path / "home"
    here, there = home / "downloads" / "film.mp4", another_disk / "film.mp4"
    with Media() as media, Agent(home) as agent:
        agent.call("POST", "downloads", {"url": media.url("film.mp4", 50_000)})
        until(lambda: agent.get("status")["completed"], "the file")
        # A place where something is mounted can be read and copied, and not be removed.
        with mounted(here, "--bind", here), heard(agent) as stream:
            agent.post("downloads/d1/move", {"folder": str(another_disk)})
            while next(stream) != b"event: notice\n":
                pass
            said = json.loads(next(stream).removeprefix(b"data: "))
        assert said["title"] == "Copied, but still here as well: film.mp4"
        assert f"delete {here}" in said["body"]
        assert f"The copy in {another_disk} is whole" in said["body"]
        assert whole(here)
        assert whole(there)
        assert agent.get("downloads/d1")["path"] == str(there)


def test_what_cannot_be_moved_stays_and_says_why(tmp_path: Path) -> None:
    """A file in the place of the folder; a hidden folder; a download that has no file yet."""
    home = tmp_path / "home"
    (tmp_path / "in-the-way").write_text("a file")
    with Media() as media, Agent(home) as agent:
        agent.call("POST", "downloads", {"url": media.url("film.mp4", 50_000)})
        until(lambda: agent.get("status")["completed"], "the file")
        here = home / "downloads" / "film.mp4"
        status, refused = agent.call(
            "POST", "downloads/d1/move", {"folder": str(tmp_path / "in-the-way")}
        )
        assert (status, refused["error"]["code"]) == (422, "permission_denied")
        assert here.exists()
        agent.post("downloads/d1/move", {"folder": "Films"})
        second = home / "downloads" / "Films" / "film.mp4"
        until(second.exists, "the second place")
        assert not here.exists()
        # A check that begins between the new name and its note in the row would find the file "moved".
        until(lambda: agent.get("downloads/d1")["path"] == str(second), "its path")
        status, refused = agent.call("POST", "downloads/d1/move", {"folder": str(home / ".config")})
        assert (status, refused["error"]["code"]) == (422, "bad_folder")
        agent.call("POST", "verify", {})
        until(lambda: agent.get("verify")["state"] == "finished", "the check")
        assert agent.get("verify")["ok"] == 1
