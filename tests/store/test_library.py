"""The library keeps items apart by source, account and name; listings and outcomes never touch each other's columns."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest

from trayagent.model.library import Listed
from trayagent.store import library, sync_runs
from trayagent.store.database import MIGRATIONS
from trayagent.store.library import StoredItem

T = TypeVar("T")
ERROR = '{"code":"not_found","message":"It is gone.","action":"Look."}'


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.row_factory = sqlite3.Row
    for script in MIGRATIONS:
        made.executescript(script)
    yield made
    made.close()


def some(*names: str, **more: object) -> list[Listed]:
    return [Listed(name, name, **more) for name in names]  # type: ignore[arg-type]


def states(conn: sqlite3.Connection, source: str = "s") -> dict[str, str]:
    return {item.name: item.state for item in library.page(conn, source)[0]}


def test_an_item_is_one_row_however_often_it_is_listed(conn: sqlite3.Connection) -> None:
    assert library.upsert_listed(conn, "s", "a", some("1", "2", "1"), mark=1) == (2, 2)
    assert library.upsert_listed(conn, "s", "a", some("1", "3"), mark=1) == (1, 1)
    assert library.upsert_listed(conn, "s", "a", some("1"), mark=2) == (1, 0)
    assert library.upsert_listed(conn, "s", "b", some("1"), mark=2) == (1, 1)
    assert library.upsert_listed(conn, "t", "a", some("1"), mark=2) == (1, 1)
    assert library.counts(conn, "s") == {"missing": 4}


def test_a_listing_never_touches_what_is_here(conn: sqlite3.Connection) -> None:
    library.upsert_listed(conn, "s", "a", some("1", created=5.0, media_key="k"), mark=1)
    library.mark_present(conn, "s:a/1", "/lib/k.png", 9, "ab", now=7.0)
    library.upsert_listed(
        conn, "s", "a", some("1", kind="image", aspect_ratio="wide", size=10), mark=2
    )
    row = conn.execute("SELECT * FROM library WHERE ident = '1'").fetchone()
    assert row
    assert [row[c] for c in ("state", "path", "size", "sha256", "arrived_at")] == [
        "present",
        "/lib/k.png",
        9,
        "ab",
        7.0,
    ]
    assert [row[c] for c in ("kind", "aspect_ratio", "media_key", "created", "mark")] == [
        "image",
        "wide",
        "k",
        5.0,
        2,
    ]


def test_outcomes(conn: sqlite3.Connection) -> None:
    library.upsert_listed(conn, "s", "a", some("1", "x/y:z", "3"), mark=1)
    library.mark_failed(conn, "s:a/x/y:z", ERROR)
    library.mark_present(conn, "s:a/1", "/one", 1, None, now=1.0)
    library.mark_failed(
        conn, "s:a/1", ERROR
    )  # a repair that fails does not lose the file that is here
    library.mark_ignored(conn, "s:a/3")
    assert states(conn) == {"1": "present", "x/y:z": "failed", "3": "ignored"}
    failed = library.page(conn, "s", state="failed")[0][0]
    assert failed.error
    assert failed.error.code == "not_found"
    assert [item.name for item in library.items_without_file(conn, "s", run=1)] == ["x/y:z"]
    library.mark_present(conn, "s:a/x/y:z", "/two", 1, None, now=1.0)
    assert library.page(conn, "s", state="failed") == ([], None)
    library.keep_checksum(conn, "s:a/1", "/elsewhere", "no")
    library.keep_checksum(conn, "s:a/1", "/one", "yes")
    row = conn.execute("SELECT * FROM library WHERE ident = '1'").fetchone()
    assert row
    assert row["sha256"] == "yes"


def test_what_a_run_wants_it_wants_once(conn: sqlite3.Connection) -> None:
    library.upsert_listed(conn, "s", "a", some("1", "2"), mark=1)
    first = library.items_without_file(conn, "s", run=1, limit=1)
    library.mark_queued(conn, 1, [item.n for item in first])
    assert [item.name for item in library.items_without_file(conn, "s", run=1)] == ["2"]
    assert len(library.items_without_file(conn, "s", run=2)) == 2


def test_a_file_is_adopted_by_one_item_only(conn: sqlite3.Connection) -> None:
    library.upsert_listed(conn, "s", "a", some("1"), mark=1)
    library.upsert_listed(conn, "s", "b", some("1"), mark=1)
    assert library.adopt_file(conn, 1, "/one", 1, None, now=1.0)
    assert not library.adopt_file(conn, 2, "/one", 1, None, now=1.0)
    assert library.paths_of_items(conn, ["/one", "/two"]) == {"/one"}


def test_pages_of_items_are_newest_first_and_whole(conn: sqlite3.Connection) -> None:
    for n in range(25):
        created = None if n % 5 == 0 else float(1000 + n // 2)
        library.upsert_listed(conn, "s", "a", some(str(n), created=created), mark=1)
    seen, after = [], None
    while True:
        page, after = library.page(conn, "s", limit=4, after=after)
        seen += page
        if after is None:
            break
    assert len({item.name for item in seen}) == len(seen) == 25
    dates = [item.created_at or "" for item in seen]
    assert dates == sorted(dates, reverse=True)


def test_an_account_with_a_slash_cannot_pose_as_another() -> None:
    assert library.split_key(library.item_key("s", "a", "b/c:d")) == ("s", "a", "b/c:d")


def begin(conn: sqlite3.Connection, now: float = 0.0) -> sync_runs.ListingRun:
    return sync_runs.keep_account(conn, sync_runs.begin(conn, "s", now).n, "a", now)


def test_only_a_concluded_run_marks_gone_and_what_returns_is_back(conn: sqlite3.Connection) -> None:
    first = begin(conn)
    sync_runs.finish(
        conn,
        sync_runs.upsert_page(conn, first, some(*"1234"), None, 0.0)[0],
        "complete",
        0.0,
        conclude=True,
    )
    second = begin(conn)
    second = sync_runs.upsert_page(conn, second, some(*"123"), None, 0.0)[0]
    sync_runs.finish(conn, second, "incomplete", 0.0)
    assert "gone" not in states(conn).values()
    third = sync_runs.upsert_page(conn, begin(conn), some(*"123"), None, 0.0)[0]
    assert sync_runs.finish(conn, third, "complete", 0.0, conclude=True).shown.gone == 1
    assert states(conn)["4"] == "gone"
    sync_runs.upsert_page(conn, begin(conn), some("4"), None, 0.0)
    assert states(conn)["4"] == "missing"


@pytest.mark.parametrize(
    ("known", "unseen", "doubted"),
    [
        (1, 1, True),
        (10, 10, True),
        (9, 8, False),
        (19, 10, False),
        (20, 10, False),
        (20, 11, True),
        (42, 21, False),
        (42, 22, True),
    ],
)
def test_what_is_doubted(known: int, unseen: int, doubted: bool) -> None:
    assert sync_runs.is_suspicious(known, unseen) == doubted


def test_a_young_cursor_is_taken_up_an_old_one_is_not(conn: sqlite3.Connection) -> None:
    run = sync_runs.upsert_page(conn, begin(conn, 0.0), some("1"), "next", 10.0)[0]
    assert sync_runs.interrupted_sources(conn) == ["s"]
    again = sync_runs.begin(conn, "s", 3609.0)
    assert (again.n, again.cursor, again.tail) == (run.n, "next", True)
    later = sync_runs.begin(conn, "s", 3609.0 + 3601.0)
    assert (later.n, later.cursor, later.tail) == (run.n + 1, None, False)
    assert sync_runs.interrupted_sources(conn) == ["s"]


def test_a_run_taken_up_by_another_account_starts_over(conn: sqlite3.Connection) -> None:
    run = sync_runs.upsert_page(conn, begin(conn), some("1"), "next", 0.0)[0]
    other = sync_runs.keep_account(conn, sync_runs.begin(conn, "s", 1.0).n, "b", 1.0)
    assert (other.n, other.cursor, other.account, other.tail) == (run.n, None, "b", False)
    assert other.mark > run.mark


def fastest(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and the seconds of the processor, best of three: the machine may be busy."""
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return work(), min(times)


def test_a_hundred_thousand_items_are_looked_at_quickly(conn: sqlite3.Connection) -> None:
    run = begin(conn)
    for start in range(0, 100_000, 5000):
        page = [
            Listed(str(n), str(n), created=float(n), media_key=f"k{n}")
            for n in range(start, start + 5000)
        ]
        run, _ = sync_runs.upsert_page(conn, run, page, str(start), 0.0)
    assert run.shown.seen == 100_000
    middle = "50000.0.50001"
    questions: list[dict[str, Any]] = [
        {},
        {"after": middle},
        {"state": "missing"},
        {"state": "present", "after": middle},
    ]
    for asked in questions:
        (found, _), took = fastest(partial(library.page, conn, "s", limit=100, **asked))
        assert took < 0.05, asked
        assert len(found) == (0 if asked.get("state") == "present" else 100)
    counts, took = fastest(lambda: library.counts(conn, "s"))
    assert (counts, took < 0.2) == ({"missing": 100_000}, True)
    chunks: tuple[Callable[[], list[StoredItem]], ...] = (
        lambda: library.items_with_file(conn, "s", 50_000),
        lambda: library.items_without_file(conn, "s", 1, 50_000),
    )
    for chunk in chunks:
        _, took = fastest(chunk)
        assert took < 0.02, "a chunk must not read the whole library"
