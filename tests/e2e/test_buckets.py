"""Moved into a bucket when done: nothing replaced, nothing lost, whatever is killed and whichever answer is."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import job
from tests.e2e.agent import PATIENCE, Agent, command, until
from tests.servers.media import Media, content
from tests.servers.object_store import ACCESS_KEY, SECRET, Lie, LyingWire, ObjectStore
from trayagent.cli.process import Process

STEPS = ["move-copied", "move-intended", "move-named", "move-noted", "move-removed"]
SMALL, LARGE = 50_000, 20_000_000
"""One that is put in one piece, and one that is sent in parts and then copied."""
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])

pytestmark = pytest.mark.timeout(4 * PATIENCE)
LONG = 2 * PATIENCE
"""Seconds for a whole move: a process that starts, and what it asks the store."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with ObjectStore(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def store(server: ObjectStore) -> ObjectStore:
    server.new_bucket()
    return server


@pytest.fixture
def wire(store: ObjectStore) -> Iterator[LyingWire]:
    with LyingWire(store) as running:
        yield running
        running.go_on.set()


def agent_of(home: Path, at: ObjectStore | LyingWire, **more: str) -> Agent:
    store = at.store if isinstance(at, LyingWire) else at
    return Agent(
        home,
        MOVE__TO=f"s3://{store.bucket}/new",
        MOVE__ENDPOINT=at.url,
        MOVE__ACCESS_KEY=ACCESS_KEY,
        MOVE__SECRET=SECRET,
        **more,
    )


class Notices:
    """What a person is told from now on."""

    def __init__(self, agent: Agent) -> None:
        self.texts: list[str] = []
        connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=60)
        connection.request(
            "GET", "/api/v1/events", headers={"Authorization": f"Bearer {agent.token}"}
        )
        self._answer = connection.getresponse()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            for line in self._answer:
                if b"do not move" in line:
                    self.texts.append(line.decode())


def log_of(home: Path) -> str:
    return (home / "logs" / "trayagent.log").read_text("utf-8")


def parts(store: ObjectStore) -> list[str]:
    return [key for key in store.objects() if key.endswith(".part")]


@SIZES
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_each_step_loses_nothing_and_leaves_nothing(
    tmp_path: Path, store: ObjectStore, step: str, size: int
) -> None:
    home = tmp_path / "home"
    store.put("new/Films/film.mp4", b"somebody else's")
    whole = content("film.mp4", size)
    here, there = home / "downloads" / "Films" / "film.mp4", "new/Films/film (1).mp4"
    with Media() as media:
        agent = agent_of(home, store, FAILPOINT=step)
        agent.start()
        agent.call("POST", "downloads", {"url": media.url("film.mp4", size), "folder": "Films"})
        assert agent.process is not None
        assert agent.process.wait(PATIENCE) == 137
        assert (here.exists() and here.read_bytes() == whole) or store.content(there) == whole
        with agent_of(home, store) as after:
            until(lambda: store.content(there) == whole and not here.exists(), "the move")
            place = f"s3://{store.bucket}/{there}"
            until(lambda: after.get("downloads/d1")["remote_path"] == place, "its place")
            download = after.get("downloads/d1")
            assert download["path"] is None
            assert download["sha256"]
        assert store.objects() == [there, "new/Films/film.mp4"]
        assert store.content("new/Films/film.mp4") == b"somebody else's"
        assert media.requests == ["/film.mp4"]


@SIZES
@pytest.mark.parametrize("lost", ["put", "copy"])
def test_an_answer_that_gets_lost_is_decided_by_what_the_bucket_holds(
    tmp_path: Path, store: ObjectStore, wire: LyingWire, lost: str, size: int
) -> None:
    """The store has done it and we never hear of it: the object in the way is our own."""
    home, whole = tmp_path / "home", content("film.mp4", size)
    method = "PUT" if size == SMALL or lost == "put" else "POST"
    wire.lie_once(method, "film.mp4", "lose the answer")
    with Media() as media, agent_of(home, wire) as agent:
        agent.post("downloads", {"url": media.url("film.mp4", size)})
        here = home / "downloads" / "film.mp4"
        until(lambda: store.content("new/film.mp4") == whole and not here.exists(), "it", LONG)
        assert store.objects() == ["new/film.mp4"]


@SIZES
def test_what_does_not_read_back_as_it_was_stays_here(
    tmp_path: Path, store: ObjectStore, wire: LyingWire, size: int
) -> None:
    home, whole = tmp_path / "home", content("film.mp4", size)
    name = "film.mp4" if size == SMALL else ".part"
    wire.lie = lambda method, path: "damage" if method == "GET" and name in path else ""
    with Media() as media, agent_of(home, wire) as agent:
        agent.post("downloads", {"url": media.url("film.mp4", size)})
        until(lambda: "does not match its checksum" in log_of(home), "it to be noticed", LONG)
        here = home / "downloads" / "film.mp4"
        assert here.read_bytes() == whole
        assert store.objects() == []
        wire.lie = lambda _method, _path: ""
        agent.post("downloads", {"url": media.url("b.bin")})  # another end has it look at once
        until(lambda: not here.exists(), "both", LONG)
        assert store.content("new/film.mp4") == whole


def test_a_store_that_replaces_gets_nothing(
    tmp_path: Path, store: ObjectStore, wire: LyingWire
) -> None:
    """It is found out by an object of ours, before any file is put to the test."""
    home = tmp_path / "home"
    store.put("new/film.mp4", b"somebody else's")
    wire.lie = lambda _method, _path: "replace"
    with Media() as media, agent_of(home, wire) as agent:
        agent.post("downloads", {"url": media.url("film.mp4", SMALL)})
        until(lambda: "replaces an object although" in log_of(home), "it to be found out", LONG)
        assert (home / "downloads" / "film.mp4").exists()
    assert store.content("new/film.mp4") == b"somebody else's"
    assert store.objects() == ["new/film.mp4"]


def test_a_store_that_is_away_is_waited_for(
    tmp_path: Path, store: ObjectStore, wire: LyingWire
) -> None:
    home = tmp_path / "home"
    wire.lie = lambda _method, _path: "refuse"
    with Media() as media, agent_of(home, wire) as agent:
        agent.post("downloads", {"url": media.url("film.mp4", SMALL)})
        until(lambda: "does not answer" in log_of(home), "it to be noticed", LONG)
        wire.lie = lambda _method, _path: ""
        agent.post("downloads", {"url": media.url("b.bin")})
        until(lambda: store.objects() == ["new/b.bin", "new/film.mp4"], "both", LONG)


def test_a_refusal_is_told_to_a_person_and_no_secret_is_in_the_log(
    tmp_path: Path, store: ObjectStore, wire: LyingWire
) -> None:
    home = tmp_path / "home"
    wire.lie = lambda _method, _path: "forbid"
    with Media() as media, agent_of(home, wire) as agent:
        heard = Notices(agent)
        agent.post("downloads", {"url": media.url("film.mp4", SMALL)})
        notice = until(lambda: "".join(heard.texts), "it", LONG)
        assert "InvalidAccessKeyId" in notice
        assert "Check move.to and its key" in notice
        assert (home / "downloads" / "film.mp4").exists()
    assert any(ACCESS_KEY in header for header in wire.headers)
    for file in home.rglob("*"):
        if file.is_file() and "downloads" not in file.parts:
            assert SECRET.encode() not in file.read_bytes(), file
    assert SECRET not in "\n".join(wire.headers)


@SIZES
def test_its_process_may_be_killed_at_any_moment(
    tmp_path: Path, store: ObjectStore, wire: LyingWire, size: int
) -> None:
    """Killed while the store is silent, once at each request that it makes for a file."""
    home = tmp_path / "home"
    moments = range(8) if size == SMALL else range(0, 20, 2)
    if sys.platform == "win32":
        moments = moments[::2]  # each starts a process anew, for which Wine takes ten times as long
    with Media() as media, agent_of(home, wire) as agent:
        for number in moments:
            move_with_a_kill(agent, media, wire, number, size)
        until(
            lambda: len(store.objects()) == 2 * len(moments), "all of them, and nothing else", LONG
        )
        assert parts(store) == []


def move_with_a_kill(agent: Agent, media: Media, wire: LyingWire, number: int, size: int) -> None:
    """The process is killed when it has made so many requests for the file, if it makes as many."""
    name, store, held = f"{number}.bin", wire.store, threading.Event()
    asked = itertools.count()

    def lie(_method: str, _path: str) -> Lie:
        if next(asked) != number:
            return ""
        held.set()
        return "silent"

    wire.go_on.clear()
    wire.lie = lie
    agent.post("downloads", {"url": media.url(name, size)})
    until(lambda: held.is_set() or f"new/{name}" in store.objects(), "a question", LONG)
    for pid in (killed := children_of(agent)):
        # On Windows any number that is no console event ends a process at once.
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    assert killed or not held.is_set()
    wire.go_on.set()
    agent.post("downloads", {"url": media.url(f"next-{number}.bin", 2000)})
    here = agent.home / "downloads" / name
    until(lambda: not here.exists() and f"new/{name}" in store.objects(), "it", LONG)
    assert store.content(f"new/{name}") == content(name, size)


def children_of(agent: Agent) -> list[int]:
    """The numbers of its bucket's process, or of none."""
    assert agent.process is not None
    if sys.platform == "win32":
        return sorted(job.running() - {agent.process.pid})
    told = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(agent.process.pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return [int(line.split()[0]) for line in told.splitlines() if "bucket_worker" in line]


def test_its_process_ends_with_the_agent(
    tmp_path: Path, store: ObjectStore, wire: LyingWire
) -> None:
    """Also when that is killed while an upload is under way: nobody works on behind its back."""
    home, held = tmp_path / "home", threading.Event()

    def lie(method: str, path: str) -> Lie:
        if method != "PUT" or "partNumber" not in path or ".part" not in path:
            return ""
        held.set()
        return "silent"

    wire.lie = lie
    with Media() as media:
        agent = agent_of(home, wire)
        agent.start()
        agent.post("downloads", {"url": media.url("film.mp4", LARGE)})
        until(held.is_set, "the upload", LONG)
        (pid,) = children_of(agent)
        agent.kill()
        with Process(pid) as worker:
            until(worker.has_ended, "its end")
        wire.go_on.set()
        wire.lie = lambda _method, _path: ""
        with agent_of(home, wire):
            here = home / "downloads" / "film.mp4"
            until(lambda: store.content("new/film.mp4") and not here.exists(), "the move", LONG)
    assert store.objects() == ["new/film.mp4"]


def test_what_is_in_a_bucket_is_had_not_opened_and_not_checked(
    tmp_path: Path, store: ObjectStore
) -> None:
    home = tmp_path / "home"
    with Media() as media, agent_of(home, store) as agent:
        url = media.url("film.mp4", SMALL)
        agent.post("downloads", {"url": url, "folder": "Films"})
        until(lambda: agent.get("downloads/d1")["remote_path"], "the move", LONG)
        status, refused = agent.call("POST", "downloads/d1/open", {})
        assert status == 409
        place = f"s3://{store.bucket}/new/Films/film.mp4"
        assert place in refused["error"]["message"]
        again = agent.post("downloads", {"url": url, "folder": "Films"})
        assert again["downloads"][0]["duplicate_of"] == "d1"
        checked = agent.run("verify")
        assert "0 files checked" in checked.stdout
        assert "on no disk of this machine: 1 file" in checked.stdout
        until(lambda: not children_of(agent), "its process to end with the last file")
    assert media.requests == ["/film.mp4"]


def test_settings_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    for settings, problem in [
        ({"TRAYAGENT_MOVE__TO": "s3://Films/"}, "move.to"),
        ({"TRAYAGENT_MOVE__TO": "ftp://films/"}, "move.to"),
        ({"TRAYAGENT_MOVE__TO": "s3://films/../x"}, "move.to"),
        ({"TRAYAGENT_MOVE__TO": "gs://films", "TRAYAGENT_MOVE__ENDPOINT": "http://x"}, "s3://"),
        ({"TRAYAGENT_MOVE__ENDPOINT": "http://x"}, "move.endpoint"),
        ({"TRAYAGENT_MOVE__TO": "s3://films", "TRAYAGENT_MOVE__SECRET": "x"}, "belong together"),
    ]:
        told = command(tmp_path, "config", "validate", **settings)
        assert told.returncode == 2, told
        assert problem in told.stderr + told.stdout


def test_without_a_key_nobody_is_asked(tmp_path: Path, store: ObjectStore, wire: LyingWire) -> None:
    """Not even the address at which a cloud tells its own machines who they are."""
    home = tmp_path / "home"
    with (
        Media() as media,
        Agent(home, MOVE__TO=f"s3://{store.bucket}", MOVE__ENDPOINT=wire.url) as agent,
    ):
        agent.post("downloads", {"url": media.url("film.mp4", SMALL)})
        until(lambda: "no access key is set" in log_of(home), "it to say so", LONG)
        time.sleep(0.1)
    assert wire.asked == []
