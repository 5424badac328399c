"""A list in which each batch is one row, its head, that folds open: the order of the rows, and what a head says.

| batch                                | at first                                    |
|--------------------------------------|---------------------------------------------|
| one row of it is in the list         | has no head: the row stands for itself      |
| up to `SHORT` rows                   | open                                        |
| more, and something is still to come | open: a person wants to see it run          |
| more, and finished                   | closed: history would bury everything else  |

What a person has folded by hand stays so.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Batch
from trayagent.store import batches
from trayagent.store.listing import Chosen, Sort, numbers_in_order

SHORT: Final = 20
"""Rows of a batch that is open at first, whether or not it has finished."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """Batches (their numbers) that somebody has opened, or closed."""

    opened: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class HeadPlace:
    """Where the head of a batch stands, and how much of the batch is in the list."""

    at: int
    batch: int
    rows: int
    """Downloads of the batch in this list."""
    shown: int
    """How many of them follow the head: all when it is open, else none."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A list with heads in it."""

    numbers: array[int]
    """A download's number; a head is the number of its batch, negative."""
    downloads: int
    """How many there are, also under closed heads."""
    heads: Sequence[HeadPlace] = field(default=(), repr=False)
    """In order."""


class BatchHead(Struct, frozen=True):
    """A batch as a row of the list."""

    at: int
    """Its place in the list; the next `shown` rows are its own."""
    rows: int
    shown: int
    failed: int
    """Downloads of it that failed and were not tried again since, also where its report is older."""
    batch: Batch


def in_order(
    conn: sqlite3.Connection,
    chosen: Chosen,
    sort: Sort,
    *,
    down: bool,
    left: Mapping[int, float],
    by_hand: ByHand | None,
) -> Folded:
    """All chosen rows as `listing.numbers_in_order` has them, with heads unless `by_hand` is None."""
    numbers = numbers_in_order(conn, chosen, sort, down=down, left=left)
    if by_hand is None:
        return Folded(numbers, len(numbers))
    return fold(conn, numbers, by_hand)


def fold(conn: sqlite3.Connection, numbers: array[int], by_hand: ByHand) -> Folded:
    """Gather the rows of each batch under a head, at the place of the first of them."""
    cursor = conn.cursor()
    cursor.row_factory = None  # bare tuples take half the time of rows, and there may be a million
    # From the index alone, which is quicker than to ask for the rows in the list.
    batch_of = dict(
        cursor.execute("SELECT n, batch FROM downloads INDEXED BY by_batch WHERE batch IS NOT NULL")
    )
    unfinished = {n for (n,) in conn.execute("SELECT n FROM batches WHERE finished_at IS NULL")}

    def is_open(batch: int, rows: int) -> bool:
        if batch in by_hand.opened or batch in by_hand.closed:
            return batch in by_hand.opened
        return rows <= SHORT or batch in unfinished

    return gather(numbers, batch_of, is_open)


def gather(
    numbers: array[int], batch_of: Mapping[int, int], is_open: Callable[[int, int], bool]
) -> Folded:
    """As `fold`, of what is known; `is_open` is asked with a batch and its number of rows."""
    rows_of: dict[int, array[int]] = {}
    for n in filter(batch_of.__contains__, numbers):
        rows_of.setdefault(batch_of[n], array("q")).append(n)
    found, heads, placed = array("q"), list[HeadPlace](), set[int]()
    for n in numbers:
        batch = batch_of.get(n)
        if batch is None:
            found.append(n)
        elif batch not in placed:
            rows = rows_of[batch]
            placed.add(batch)
            shown = len(rows)
            # A head above a single row would say the same thing twice.
            if len(rows) > 1:
                shown = len(rows) if is_open(batch, len(rows)) else 0
                heads.append(HeadPlace(len(found), batch, len(rows), shown))
                # Negative: numbers of batches and of downloads share one array.
                found.append(-batch)
            found.extend(rows[:shown])
    return Folded(found, len(numbers), heads)


def head_rows(conn: sqlite3.Connection, heads: Sequence[HeadPlace]) -> list[BatchHead]:
    """What heads show. Raises NotFoundError."""
    failures = "SELECT count(*) FROM downloads WHERE batch = ? AND state = 'failed'"
    return [
        BatchHead(
            head.at,
            head.rows,
            head.shown,
            conn.execute(failures, (head.batch,)).fetchone()[0],
            batches.get(conn, batches.public_id(head.batch)),
        )
        for head in heads
    ]
