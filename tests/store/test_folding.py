"""A list in which each batch is one row that folds open: where heads and rows stand."""

from __future__ import annotations

import sqlite3
from array import array

from trayagent.model.downloads import Item
from trayagent.model.validation import validate
from trayagent.store import batches, downloads, folding
from trayagent.store.folding import SHORT, ByHand, HeadPlace, gather


def add_batch(conn: sqlite3.Connection, title: str, count: int) -> int:
    n = batches.create(conn, title, "drop", 0.0)
    for line in range(count):
        new = validate(Item(f"http://a.example/{title}/{line}"))
        number = downloads.insert(conn, [new], via="drop", batch=n, now=0.0)[new.key]["n"]
        batches.enter(conn, n, [(line + 1, new.url, number, None)])
    return n


def all_numbers(conn: sqlite3.Connection) -> array[int]:
    return array("q", [n for (n,) in conn.execute("SELECT n FROM downloads ORDER BY n")])


def test_rows_of_a_batch_are_gathered_at_the_place_of_the_first() -> None:
    """Between two lists that take turns, each stands together; a batch of one row has no head."""
    numbers = array("q", [1, 10, 2, 20, 11, 3, 30])
    batch_of = {10: 7, 11: 7, 20: 8, 30: 9, 3: 8}
    opened = gather(numbers, batch_of, lambda batch, _rows: batch == 7)
    assert list(opened.numbers) == [1, -7, 10, 11, 2, -8, 30]
    assert list(opened.heads) == [HeadPlace(1, 7, 2, 2), HeadPlace(5, 8, 2, 0)]
    assert opened.downloads == len(numbers)


def test_a_long_list_is_open_while_it_runs_and_closed_when_it_is_done(
    conn: sqlite3.Connection,
) -> None:
    short, long = add_batch(conn, "short", 2), add_batch(conn, "long", SHORT + 1)
    running = folding.fold(conn, all_numbers(conn), ByHand())
    assert [head.shown for head in running.heads] == [2, SHORT + 1]
    conn.execute("UPDATE batches SET finished_at = 1")
    done = folding.fold(conn, all_numbers(conn), ByHand())
    assert [head.shown for head in done.heads] == [2, 0]
    by_hand = ByHand(frozenset({long}), frozenset({short}))
    folded = folding.fold(conn, all_numbers(conn), by_hand)
    assert [head.shown for head in folded.heads] == [0, SHORT + 1]


def test_a_head_tells_how_many_still_need_somebody(conn: sqlite3.Connection) -> None:
    """Its report stays as it was; what failed and was retried since is not counted again."""
    n = add_batch(conn, "some", 3)
    conn.execute("UPDATE downloads SET state = 'failed' WHERE n IN (1, 2)")
    heads = folding.fold(conn, all_numbers(conn), ByHand()).heads
    (row,) = folding.head_rows(conn, heads)
    assert (row.batch.id, row.batch.title, row.rows, row.failed) == (f"b{n}", "some", 3, 2)
