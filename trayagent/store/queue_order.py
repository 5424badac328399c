"""The order of the queue, changed by hand.

A waiting download has a number, `urgent`. What nobody moved has 0 and is claimed in turn by host, oldest
first. What was moved forward has more and goes before all of it, the highest number first; what was moved
to the end has less and waits until nothing else does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal

from trayagent.model.errors import NotFoundError, WrongStateError
from trayagent.store import downloads, listing
from trayagent.store.listing import Chosen

Move = Literal["top", "up", "down", "bottom", "before"]

DEEPEST: Final = 20_000
"""Places from the front; a change further down would touch too many rows at once."""

LAST: Final = """
DROP INDEX claimable;
CREATE INDEX claimable ON downloads(host, n) WHERE state = 'queued' AND not_before IS NULL AND urgent >= 0;
CREATE INDEX last ON downloads(urgent, n) WHERE state = 'queued' AND not_before IS NULL AND urgent < 0;
"""


def move(
    conn: sqlite3.Connection, ids: Sequence[str], where: Move, before: str | None = None
) -> list[str]:
    """Move waiting downloads, keeping their own order. Returns the ids that were moved: those that wait.

    Raises NotFoundError for a `before` that cannot be an id, WrongStateError for a place too far down.
    """
    numbers: list[int] = []
    for id in ids:
        # One that cannot be an id is not moved; the others are.
        with suppress(NotFoundError):
            numbers.append(downloads.number(id))
    if where in ("top", "bottom"):
        return _move_to_end(conn, numbers, where)
    order = listing.numbers_in_order(
        conn, Chosen(("queued",)), "queue", down=False, left={}
    ).tolist()
    moved = [n for n in order if n in set(numbers)]
    if not moved:
        return []
    new = _order_after(order, moved, where, None if before is None else downloads.number(before))
    # Only the rows in front of the last change need a number of their own.
    last = next((place for place in reversed(range(len(new))) if new[place] != order[place]), -1)
    if last >= DEEPEST:
        raise WrongStateError(f"Only the first {DEEPEST:,} places of the queue can be changed.")
    above: int = conn.execute(
        "SELECT coalesce(max(urgent), 0) FROM downloads WHERE state = 'queued' AND n NOT IN"
        " (SELECT value FROM json_each(?))",
        (str(new[: last + 1]),),
    ).fetchone()[0]
    # Renumbered from the front to the last place that changed, all above what was not touched. Behind it
    # nothing changes: those keep their numbers, and so their turns.
    above = max(above, 0)
    conn.executemany(
        "UPDATE downloads SET urgent = ? WHERE n = ?",
        ((above + last + 1 - place, n) for place, n in enumerate(new[: last + 1])),
    )
    return [downloads.public_id(n) for n in moved]


def _order_after(order: list[int], moved: list[int], where: Move, before: int | None) -> list[int]:
    chosen = set(moved)
    rest = [n for n in order if n not in chosen]
    if where == "before":
        # The neighbour may have left the queue meanwhile: then they go to its end.
        place = rest.index(before) if before in rest else len(rest)
    else:
        # One step: past the neighbour of the first (or last) of them.
        edge = order.index(moved[0] if where == "up" else moved[-1])
        passed = sum(1 for n in order[:edge] if n not in chosen)
        place = max(0, passed - 1) if where == "up" else min(len(rest), passed + 1)
    return [*rest[:place], *moved, *rest[place:]]


def _move_to_end(conn: sqlite3.Connection, numbers: Sequence[int], where: Move) -> list[str]:
    in_flight = "state IN ('queued', 'paused')"
    lowest, highest = conn.execute(
        f"SELECT min(0, coalesce(min(urgent), 0)), max(0, coalesce(max(urgent), 0)) FROM downloads WHERE {in_flight}"
    ).fetchone()
    # No look at the queue between: the two ends are numbers beyond all that there are, in constant time.
    # To the front the first of them gets the highest, so that they keep their own order.
    steps = range(len(numbers), 0, -1) if where == "top" else range(1, len(numbers) + 1)
    found: list[str] = []
    for n, step in zip(numbers, steps, strict=True):
        urgent = highest + step if where == "top" else lowest - step
        changed = conn.execute(
            f"UPDATE downloads SET urgent = ? WHERE n = ? AND {in_flight}", (urgent, n)
        ).rowcount
        if changed:
            found.append(downloads.public_id(n))
    return found
