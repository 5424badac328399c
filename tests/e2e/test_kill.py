"""Killed at any moment under load: what was acknowledged is there once, every final file is whole, the rest goes on."""

import contextlib
import random
import sqlite3
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, Agent, until
from tests.servers.media import Media, content

SIZES = (3_000, 40_000, 200_000, 700_000)
SHORT = 6 if sys.platform == "win32" else 20
"""Kills for every change; a start takes Wine ten to forty seconds."""


class Sender:
    """Posts one file after the other until told to stop, and remembers what was acknowledged."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._agent: Agent | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.asked = 0
        self.acknowledged: dict[str, tuple[str, int]] = {}
        """Download id -> file name and size."""

    def work_for(self, agent: Agent) -> None:
        """Send to this agent from now on."""
        self._agent = agent
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        assert self._agent is not None
        while not self._stop.is_set():
            name, size = f"file-{self.asked}.bin", SIZES[self.asked % len(SIZES)]
            self.asked += 1
            with contextlib.suppress(OSError, ValueError):
                status, answer = self._agent.call(
                    "POST", "downloads", {"url": self._media.url(name, size, rate=1_500_000)}
                )
                if status in (200, 202):
                    self.acknowledged[answer["downloads"][0]["id"]] = (name, size)
            self._stop.wait(0.03)


def check_files(downloads: Path) -> None:
    """Every final file is whole: nothing but complete content ever has a final name."""
    for path in downloads.glob("file-*.bin"):
        size = SIZES[int(path.stem.partition("-")[2]) % len(SIZES)]
        assert path.read_bytes() == content(path.name, size), path.name


def check_database(path: Path, acknowledged: dict[str, tuple[str, int]]) -> None:
    """The database is sound and has every acknowledged download exactly once."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        ids = [f"d{n}" for (n,) in conn.execute("SELECT n FROM downloads")]
        keys = conn.execute("SELECT count(*), count(DISTINCT key) FROM downloads").fetchone()
    assert set(acknowledged) <= set(ids)
    assert keys[0] == keys[1]


@pytest.mark.timeout(8 * PATIENCE)
@pytest.mark.parametrize("kills", [SHORT, pytest.param(200, marks=pytest.mark.soak)])
def test_kill_at_random_moments_under_load(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    with Media() as media:
        agent, sender = Agent(tmp_path), Sender(media)
        for _ in range(kills):
            agent.start()
            sender.work_for(agent)
            time.sleep(chance.uniform(0, 0.8))
            agent.kill()
            sender.stop()
            check_files(tmp_path / "downloads")
            check_database(tmp_path / "trayagent.db", sender.acknowledged)
        agent.start()
        try:
            until(lambda: idle(agent), "all downloads", 4 * PATIENCE)
            rows = {id: agent.get(f"downloads/{id}") for id in sender.acknowledged}
        finally:
            code = agent.stop()
    assert code == 0
    assert len(rows) >= kills
    for id, (name, size) in sender.acknowledged.items():
        assert rows[id]["state"] == "completed", rows[id]["error"]
        assert Path(rows[id]["path"]).name == name
        assert Path(rows[id]["path"]).read_bytes() == content(name, size)
    left = {path.name for path in (tmp_path / "downloads").iterdir()}
    assert left <= {f"file-{n}.bin" for n in range(sender.asked)}, (
        "no second copy and no rest of one"
    )


def idle(agent: Agent) -> bool:
    """Whether nothing is on its way or waiting."""
    status = agent.get("status")
    return bool(status["active"] + status["queued"] == 0)
