"""What has ended long ago is forgotten, and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trayagent.model.jobs import New, Order
from trayagent.model.library import Listed
from trayagent.model.transfer import Fetched
from trayagent.store import batches, downloads, library, moves, recovery, transitions, trimming
from trayagent.store.trimming import BEGINNING, Place


def add(
    conn: sqlite3.Connection, state: str, at: float | None = None, batch: int | None = None
) -> int:
    """A download in a state since a moment."""
    count = conn.execute("SELECT count(*) FROM downloads").fetchone()[0]
    new = New(f"http://h/{count}", f"http://h/{count}", "h:80", Order())
    n: int = downloads.insert(conn, [new], via="cli", batch=batch, now=0.0)[new.key]["n"]
    if batch is not None:
        batches.enter(conn, batch, [(n, new.url, n, None)])
    conn.execute("UPDATE downloads SET state = ?, finished_at = ? WHERE n = ?", (state, at, n))
    return n


def trim(conn: sqlite3.Connection, before: Place) -> int:
    """Trim to the end; returns how many completed rows went."""
    completed, after = 0, BEGINNING
    while (step := trimming.forget_downloads(conn, before, after)) is not None:
        completed, after = completed + step.completed, step.after
    while trimming.forget_batches(conn, before):
        pass
    return completed


def numbers(conn: sqlite3.Connection) -> list[int]:
    return [n for (n,) in conn.execute("SELECT n FROM downloads ORDER BY n")]


def test_by_age_and_by_number(conn: sqlite3.Connection) -> None:
    for at in range(10):
        add(conn, "completed", float(at))
    assert trimming.boundary(conn, None, 0) is None
    assert trimming.boundary(conn, 4.0, 0) == (4.0, 0)
    assert trimming.boundary(conn, None, 3) == (7.0, 8)
    assert trimming.boundary(conn, 8.0, 3) == (8.0, 0), "both hold"
    assert trimming.boundary(conn, None, 11) is None
    assert trim(conn, (7.0, 8)) == 7
    assert numbers(conn) == [8, 9, 10]


def test_of_those_that_ended_at_once_no_more_stay_than_may(conn: sqlite3.Connection) -> None:
    """The clock of Windows ticks 64 times a second: many small files have the same end."""
    batch = batches.create(conn, "list", "drop", 0.0)
    for _ in range(5):
        add(conn, "completed", 1.0, batch)
    gone = batches.create(conn, "gone with its last", "drop", 0.0)
    for _ in range(5):
        add(conn, "completed", 1.0)
    conn.execute("UPDATE batches SET finished_at = 1.0, pending = 0")
    before = trimming.boundary(conn, None, 2)
    assert before is not None
    assert trim(conn, before) == 8
    assert numbers(conn) == [9, 10]
    assert not {batch, gone} & {n for (n,) in conn.execute("SELECT n FROM batches")}


def test_what_waits_runs_failed_or_is_still_needed_stays(conn: sqlite3.Connection) -> None:
    """Also what is to move to another disk, is to be told, or belongs to a batch that goes on."""
    open_batch = batches.create(conn, "list", "drop", 0.0, open=True)
    kept = [add(conn, state) for state in ("queued", "active", "paused")]
    kept += [add(conn, "failed", 1.0), add(conn, "completed", 1.0, open_batch)]
    moving, told = add(conn, "completed", 1.0), add(conn, "completed", 1.0)
    moves.add(conn, f"d{moving}", "/d/f")
    conn.execute("INSERT INTO outbox(download, state, at) VALUES (?, 'completed', 1)", (told,))
    gone = [add(conn, "completed", 1.0), add(conn, "cancelled", 1.0)]
    assert trim(conn, (2.0, 0)) == 1
    assert numbers(conn) == [*kept, moving, told]
    assert not set(gone) & set(numbers(conn))


def test_a_long_history_goes_in_steps_and_takes_its_batches_along(
    conn: sqlite3.Connection,
) -> None:
    """What failed stands in the way of none behind it; a batch stays while one of its downloads does."""
    whole = batches.create(conn, "whole", "drop", 0.0)
    part = batches.create(conn, "part", "drop", 0.0)
    for _ in range(trimming.ROWS_AT_ONCE + 50):
        add(conn, "failed", 0.5)
    for _ in range(trimming.ROWS_AT_ONCE + 50):
        add(conn, "completed", 1.0, whole)
    add(conn, "completed", 1.0, part)
    stays = add(conn, "failed", 1.0, part)
    conn.execute("UPDATE entries SET outcome = 'completed'")
    conn.execute("UPDATE batches SET finished_at = 1.0, pending = 0")
    assert trim(conn, (2.0, 0)) == trimming.ROWS_AT_ONCE + 51
    assert stays in numbers(conn)
    assert [batch.title for batch in batches.page(conn)[0]] == ["part"]
    (entry, _) = batches.entries(conn, batches.public_id(part))
    assert (entry.outcome, entry.download) == ("completed", None)
    assert conn.execute("SELECT count(*) FROM entries").fetchone()[0] == 2


def test_the_library_knows_what_it_has(conn: sqlite3.Connection, tmp_path: Path) -> None:
    library.upsert_listed(conn, "s", "a", [Listed("i", "cat", "image", 0.0)], 1)
    key = library.item_key("s", "a", "i")
    new = New(key, "s:cat", "s", Order(), source="s")
    n = downloads.insert(conn, [new], via="sync", now=0.0)[key]["n"]
    conn.execute("UPDATE downloads SET state = 'active' WHERE n = ?", (n,))
    transitions.release(conn, n, transitions.Completed(Fetched(tmp_path / "cat.png", 3)), 1.0)
    recovery.forget_records(conn, [n])
    assert trim(conn, (2.0, 0)) == 1
    assert library.is_present(conn, key)
    assert library.items_without_file(conn, "s", 2) == []
