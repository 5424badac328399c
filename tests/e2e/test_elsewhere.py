"""Downloads at a real aria2 while we, it, and the wire between are cut: each at most once, none without outcome.

A short run for every change; a thousand addresses under two hundred kills with `--soak`.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, command, until
from tests.servers.aria2 import LACKING, SECRET, Nas
from tests.servers.media import Media, content
from tests.servers.namespace import LACKING as LACKING_NAMESPACE
from tests.servers.namespace import Namespace

pytestmark = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))


def hang_up(one: socket.socket) -> None:
    """Also while another thread reads from it, which keeps a mere `close` from being told."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class Wire:
    """A port that leads to the NAS, and whose connections can be cut: also between question and answer."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: list[socket.socket] = []
        self.deaf = 0
        """So many connections are cut when the answer comes: what was asked has been done by then."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jsonrpc"

    def cut(self) -> None:
        opened, self._open = self._open, []
        for one in opened:
            hang_up(one)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            self._open += [near, far]
            for source, sink, is_answer in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._carry, args=(source, sink, is_answer), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        try:
            while piece := source.recv(65536):
                if is_answer and self.deaf > 0:
                    self.deaf -= 1
                    break
                sink.sendall(piece)
        except OSError:
            pass
        for one in (source, sink):
            hang_up(one)


def home_with_engine(home: Path, url: str) -> Path:
    home.mkdir(parents=True)
    (home / "config.toml").write_text(
        f'[[engines]]\nname = "nas"\nurl = "{url}"\nsecret = "{SECRET}"\ndefault = true\n'
    )
    return home


def outcomes(agent: Agent) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    after = ""
    while True:
        page = agent.get(f"downloads?limit=1000{after}")
        found |= {one["url"].partition("?")[0].rpartition("/")[2]: one for one in page["downloads"]}
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def check(found: dict[str, dict[str, object]], nas: Nas, sizes: dict[str, int]) -> Counter[str]:
    """Every address has one outcome; a completed one is there, whole; nothing is there twice.

    But for what aria2 itself began anew: its session file is a second old when it is killed.
    """
    assert found.keys() == sizes.keys()
    here = {file.name for file in nas.files.glob("*.bin")}
    twice = {name.partition(".")[0] + ".bin" for name in here - sizes.keys()}
    assert twice <= nas.listed
    for name, one in found.items():
        assert one["state"] in ("completed", "failed"), one
        if one["state"] == "completed":
            path = Path(str(one["remote_path"]))
            assert path.name == name or name in nas.listed
            assert path.read_bytes() == content(name, sizes[name])
        else:
            assert one["error"]["code"] == "engine_forgot", one  # type: ignore[index]
    return Counter(str(one["state"]) for one in found.values())


@pytest.mark.parametrize("step", ["engine-offered", "engine-told", "engine-ended"])
def test_a_kill_at_each_step_between_us_and_the_engine(tmp_path: Path, step: str) -> None:
    """Before it is told, before its answer is noted, before its end is noted: completed all the same, once."""
    with Media() as media, Nas(tmp_path / "nas") as nas:
        home = home_with_engine(tmp_path / "home", nas.url)
        agent = Agent(home, FAILPOINT=step)
        agent.start()
        sizes = {f"{n}.bin": 20_000 for n in range(3)}
        urls = [media.url(name, size) for name, size in sizes.items()]
        agent.call("POST", "downloads", {"items": [{"url": url} for url in urls]})
        assert agent.process is not None
        assert agent.process.wait(20) == 137
        with Agent(home) as after:
            until(
                lambda: after.get("status")["completed"] == len(sizes) or None,
                "all of them to arrive",
            )
            assert check(outcomes(after), nas, sizes) == {"completed": 3}
        assert Counter(media.requests) == {f"/{name}": 1 for name in sizes}


@pytest.mark.skipif(LACKING_NAMESPACE is not None, reason=str(LACKING_NAMESPACE))
@pytest.mark.timeout(180)
def test_a_cable_that_is_pulled_is_waited_for(tmp_path: Path) -> None:
    """The NAS is another machine; what it was at goes on there, nothing is fetched twice or told again."""
    with (
        Namespace() as cable,
        Media(cable.near) as media,
        Nas(tmp_path / "nas", namespace=cable) as nas,
    ):
        home = home_with_engine(tmp_path / "home", nas.url)
        sizes = {f"{n}.bin": 400_000 for n in range(8)}
        with Agent(home) as agent:
            items = [{"url": media.url(name, size, rate=80_000)} for name, size in sizes.items()]
            agent.post("downloads", {"items": items})
            until(lambda: agent.get("status")["active"] >= 3, "aria2 to be at work")
            cable.pull()

            def waits() -> bool:
                return any("engine_away" in str(one["error"]) for one in outcomes(agent).values())

            until(waits, "the reason to be shown", 90)
            assert agent.get("status")["failed"] == 0
            cable.plug_in()
            until(lambda: agent.get("status")["completed"] == len(sizes) or None, "all", 90)
            assert check(outcomes(agent), nas, sizes) == {"completed": len(sizes)}
        assert Counter(media.requests) == {f"/{name}": 1 for name in sizes}


def test_answers_that_get_lost_lead_to_no_second_fetch(tmp_path: Path) -> None:
    """aria2 did what it was asked, and we never hear of it: it is looked at, not told again."""
    with Media() as media, Nas(tmp_path / "nas") as nas:
        wire = Wire(nas.port)
        home = home_with_engine(tmp_path / "home", wire.url)
        sizes = {f"{n}.bin": 20_000 for n in range(4)}
        with Agent(home) as agent:
            for name, size in sizes.items():
                wire.deaf = 1
                agent.call("POST", "downloads", {"url": media.url(name, size)})
                time.sleep(0.1)
            until(lambda: agent.get("status")["completed"] == len(sizes) or None, "all", 60)
            assert check(outcomes(agent), nas, sizes) == {"completed": len(sizes)}
            tested = command(home, "engine", "test", "nas")
            assert "nas answers: aria2 1." in tested.stdout, tested
        wire.close()
        assert Counter(media.requests) == {f"/{name}": 1 for name in sizes}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("count", "kills"), [(60, 8), pytest.param(1000, 200, marks=pytest.mark.soak)]
)
def test_kills_of_us_of_it_and_of_the_wire(tmp_path: Path, count: int, kills: int) -> None:
    chance = random.Random(kills)
    sizes = {f"{n}.bin": chance.choice([2_000, 60_000, 250_000]) for n in range(count)}
    with Media() as media, Nas(tmp_path / "nas") as nas:
        wire = Wire(nas.port)
        home = home_with_engine(tmp_path / "home", wire.url)
        agent = Agent(home, DROP__POLL="true")
        agent.start()
        urls = [media.url(name, size, rate=600_000) for name, size in sizes.items()]
        agent.call("POST", "downloads", {"items": [{"url": url} for url in urls]})
        # Once its session file has them: what it forgets before that is failed, as it should be.
        until((nas.folder / "session").read_text, "its session file")
        did = Counter[str]()
        for _ in range(kills):
            time.sleep(chance.uniform(0, 0.6))
            what = chance.choice(["us", "it", "wire", "answer"])
            did[what] += 1
            match what:
                case "us":
                    agent.kill()
                    agent.launch()
                case "it":
                    nas.kill()
                    nas.start()
                case "wire":
                    wire.cut()
                case "answer":
                    wire.deaf = chance.randint(1, 3)
        wire.deaf = 0
        agent.kill()
        with agent:
            until(
                lambda: (
                    agent.get("status")["completed"] + agent.get("status")["failed"] == count
                    or None
                ),
                "an outcome for each",
                60 + count,
            )
            counts = check(outcomes(agent), nas, sizes)
        wire.close()
        # Asked for twice is only what aria2 had in its session file when it was killed: it began that anew.
        asked = Counter(path.removeprefix("/") for path in media.requests)
        twice = {name for name, times in asked.items() if times > 1}
        assert twice <= nas.listed
        print(
            f"{kills} kills: {dict(did)}; {dict(counts)}; begun anew by aria2 itself: {len(twice)}"
        )
        assert counts["completed"] > count // 3, counts
