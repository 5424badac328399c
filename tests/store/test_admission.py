"""How an item enters the queue: once, whoever asks and however often."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from trayagent.model.jobs import New, Order
from trayagent.model.library import Listed
from trayagent.model.transfer import Fetched
from trayagent.store import database, library, transitions
from trayagent.store.admission import Admission, UnseenFilesError, admit
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Completed

HERE = Path("/x/p1.png")
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
    missing = frozenset[str]() if there else frozenset({str(HERE)})
    admission = Admission("sync", 1.0, SecretFiles(tmp_path), missing)
    (first,) = admit(conn, [PICTURE], admission, None)
    conn.execute("UPDATE downloads SET state = 'active'")
    transitions.release(conn, first.row["n"], Completed(Fetched(HERE, 3)), 3.0)

    (second,) = admit(conn, [PICTURE], admission, None)
    assert second.outcome == expected


def test_one_request_asks_for_the_same_several_times(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    """What is here already is a duplicate; asked for again it comes once, and the rest share that one."""
    admission = Admission("cli", 1.0, SecretFiles(tmp_path), frozenset())
    link, other = (
        New(f"http://h/{name}", f"http://h/{name}", "h:80", Order(), gid="0123456789abcdef")
        for name in "ab"
    )
    (first,) = admit(conn, [link], admission, None)
    transitions.release(conn, first.row["n"], Completed(Fetched(Path("/x/a"), 3)), 3.0)

    again = replace(link, again=True)
    outcomes = admit(conn, [link, again, link, other, again, other], admission, None)

    assert [one.outcome for one in outcomes] == [
        *("duplicate", "new", "shared", "new", "shared", "shared"),
    ]
    assert [one.row["n"] for one in outcomes] == [1, 2, 2, 3, 2, 3]
    gids = conn.execute("SELECT gid FROM downloads ORDER BY n").fetchall()
    assert [gid for (gid,) in gids] == ["0123456789abcdef", None, None], "a name is one download's"


def test_nothing_is_written_before_somebody_has_looked_for_the_files(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    """A transaction waits for no disk: it says which files count, and comes again."""
    unseen = Admission("cli", 1.0, SecretFiles(tmp_path))
    had, new = (New(f"http://h/{name}", f"http://h/{name}", "h:80", Order()) for name in "ab")
    (first,) = admit(conn, [had], unseen, None)
    transitions.release(conn, first.row["n"], Completed(Fetched(Path("/x/a"), 3)), 3.0)
    before = conn.total_changes

    with pytest.raises(UnseenFilesError) as raised:
        admit(conn, [new, had], unseen, None)

    assert (raised.value.paths, conn.total_changes) == ([str(Path("/x/a"))], before)
