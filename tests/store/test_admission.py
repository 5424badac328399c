"""How an item enters the queue: once, whoever asks and however often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from trayagent.model.jobs import New, Order
from trayagent.model.library import Listed
from trayagent.model.transfer import Fetched
from trayagent.store import database, library, transitions
from trayagent.store.admission import Admission, admit
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Completed

PICTURE = New("flow:me/p1", "flow:p1", "flow", Order(root="/x"), source="flow", again=True)


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript("".join(database.MIGRATIONS))
    library.upsert_listed(connection, "flow", "me", [Listed("p1", "p1")], mark=1)
    yield connection
    connection.close()


@pytest.mark.parametrize(("there", "expected"), [(True, "duplicate"), (False, "new")])
def test_a_picture_that_came_since_it_was_listed_is_not_fetched_twice(
    conn: sqlite3.Connection, tmp_path: Path, there: bool, expected: str
) -> None:
    """A listing that still thought it missing does not bring a second copy; a lost file comes again."""
    admission = Admission("sync", 1.0, lambda path: there, SecretFiles(tmp_path))
    first = admit(conn, PICTURE, admission, None)
    conn.execute("UPDATE downloads SET state = 'active'")
    transitions.release(conn, first.n, Completed(Fetched(Path("/x/p1.png"), 3)), 3.0)

    assert admit(conn, PICTURE, admission, None).outcome == expected
