"""Files that move when they are done: what a start finds of those that arrived in the last moment."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from trayagent.model.jobs import New, Order
from trayagent.model.transfer import Fetched
from trayagent.store import claims, downloads, moves, transitions
from trayagent.store.claims import Turn
from trayagent.store.transitions import Advance, Completed

ROOT = Path(os.path.abspath(os.sep))  # noqa: PTH100 - on Windows with its drive


def arrive(conn: sqlite3.Connection, path: Path) -> None:
    """A download that is completed, and whose record is still there: as a kill leaves it."""
    new = New(url := f"http://h/{path.name}", url, "h", Order())
    downloads.insert(conn, [new], via="cli", urgent=False, now=0.0)
    ((job, _),) = claims.line_up(conn, Turn(1), 1.0).jobs
    transitions.advance(conn, Advance({job.n: 1.0}), 1.0)
    transitions.release(conn, job.n, Completed(Fetched(path, 1)), 2.0)


@pytest.mark.parametrize(
    ("folder", "inside"),
    [
        pytest.param(ROOT / "Films", [ROOT / "Films" / "a.mp4"], id="a folder"),
        pytest.param(ROOT, [ROOT / "Films" / "a.mp4", ROOT / "Films 2" / "b.mp4"], id="a disk"),
    ],
)
def test_what_arrived_in_the_last_moment_moves_at_the_next_start(
    conn: sqlite3.Connection, folder: Path, inside: list[Path]
) -> None:
    """By this system's separators, and `Films 2` does not lie in `Films`."""
    arrive(conn, ROOT / "Films" / "a.mp4")
    arrive(conn, ROOT / "Films 2" / "b.mp4")

    moves.add_unnoted(conn, str(folder))

    found = conn.execute("SELECT source FROM moves ORDER BY n").fetchall()
    assert [Path(row["source"]) for row in found] == inside
