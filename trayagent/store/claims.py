"""Claiming: which downloads the slots of the pool may have next.

`line_up` reads them in the order in which they are to begin; it changes no state. A slot that becomes
free takes the first whose host has room, and the row says `active` with the next transaction
(`transitions.advance`). So a small file waits for no database, and costs it one change of its row.
Files wait (`not_before`) after a failed try or because their host asked for a pause; `wake` makes them
ready again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from itertools import chain, zip_longest
from typing import Final

from msgspec import Struct

from trayagent.model.downloads import Download
from trayagent.model.jobs import Job, is_engine_host
from trayagent.store.downloads import download_of, order_of, public_id, rows_of

MOST_WOKEN_AT_ONCE: Final = 500
"""Rows that one transaction wakes."""
MOST_MOVED: Final = 256
"""Rows that a person moved, of which one look knows."""
HORIZON_SECONDS: Final = 3700.0
"""Seconds; nothing waits longer, so a later date means that the clock was set back."""
READY: Final = "state = 'queued' AND not_before IS NULL"
_IN_TURN: Final = f"{READY} AND urgent >= 0"
"""All but what a person put at the end of the queue; see `queue_order`."""


class Turn(Struct, frozen=True):
    """Who may be served next."""

    most: int
    """Downloads to line up."""
    held: Collection[int] = frozenset()
    """Rows that a slot holds, whatever they say: one that was paused takes a while to stop."""
    cooling: Collection[str] = frozenset()
    """Hosts that are left alone."""
    after: str = ""
    """The host served last; the ones behind it come first."""


class NextJobs(Struct, frozen=True):
    """What may begin, in order."""

    jobs: tuple[tuple[Job, Download], ...] = ()
    due: float | None = None
    """When the first waiting download may be tried (Unix seconds)."""


def line_up(conn: sqlite3.Connection, turn: Turn, now: float) -> NextJobs:
    """The downloads that may begin next, in three rounds.

    1. What a person moved to the front, in the order in which it was put there.
    2. Everything else, hosts in turn: the oldest of the host behind the one that was served last, so
       that a list of ten thousand files from one host does not hold up a file from another.
    3. What a person put at the end.
    """
    wake(conn, now)
    numbers: dict[int, None] = {}
    # Lazily: most queues are full of what nobody moved, and the last round need not be read.
    for n in chain(
        _moved_rows(conn, turn, "urgent > 0"),
        _rows_in_turn(conn, turn),
        _moved_rows(conn, turn, "urgent < 0"),
    ):
        if n not in turn.held:
            numbers[n] = None
        if len(numbers) >= turn.most:
            break
    rows = rows_of(conn, list(numbers))
    return NextJobs(tuple(job_of(rows[n]) for n in numbers), next_due(conn))


def _moved_rows(conn: sqlite3.Connection, turn: Turn, moved: str) -> Iterator[int]:
    """What a person moved, the highest number first."""
    rows = conn.execute(
        f"SELECT n, host FROM downloads WHERE {READY} AND {moved} AND engine IS NULL"
        " ORDER BY urgent DESC, n LIMIT ?",
        (MOST_MOVED,),
    ).fetchall()
    return (row["n"] for row in rows if row["host"] not in turn.cooling)


def _rows_in_turn(conn: sqlite3.Connection, turn: Turn) -> Iterator[int]:
    """What nobody moved, one of each host after the other."""
    hosts = _ready_hosts(conn, turn)
    if not hosts:
        return
    # Every other host has a row at least. A slot may still hold some: so many more are enough to look at.
    share = turn.most - len(hosts) + 1 + len(turn.held)
    oldest = (
        f"SELECT n FROM downloads WHERE {_IN_TURN} AND urgent = 0 AND host = ? ORDER BY n LIMIT ?"
    )
    queues = [conn.execute(oldest, (host, share)).fetchall() for host in hosts]
    for row in chain.from_iterable(zip_longest(*queues)):
        if row is not None:
            yield row["n"]


def _ready_hosts(conn: sqlite3.Connection, turn: Turn) -> list[str]:
    """The hosts with ready rows that may be asked: those behind `after`, then from the first one on."""
    # A skip scan: one index probe a host, never a walk over the rows of a host.
    next_host = (
        f"SELECT host FROM downloads INDEXED BY claimable WHERE {_IN_TURN} AND host > ?"
        " ORDER BY host LIMIT 1"
    )
    hosts: list[str] = []
    for host, end in ((turn.after, None), ("", turn.after)):
        while len(hosts) < turn.most:
            found = conn.execute(next_host, (host,)).fetchone()
            if found is None or (end is not None and found["host"] > end):
                break
            host = found["host"]
            # A host of ours: an engine elsewhere has what waits for it.
            if not is_engine_host(host) and host not in turn.cooling:
                hosts.append(host)
    return hosts


def job_of(row: sqlite3.Row) -> tuple[Job, Download]:
    """A row as a worker gets it, and as others see it."""
    claimed = download_of(row)
    job = Job(
        n=row["n"],
        id=public_id(row["n"]),
        key=row["key"],
        url=row["url"],
        host=row["host"],
        order=order_of(row),
        path=row["path"],
        attempts=row["attempts"],
        via=row["via"],
        source=row["source"],
        owner=claimed.owner,
    )
    return job, claimed


def next_due(conn: sqlite3.Connection) -> float | None:
    """When the first waiting download may be tried, in Unix seconds."""
    due: float | None = conn.execute(
        "SELECT min(not_before) FROM downloads WHERE state = 'queued' AND not_before IS NOT NULL"
    ).fetchone()[0]
    return due


def cooling_hosts(conn: sqlite3.Connection, now: float) -> dict[str, float]:
    """The hosts that asked us to slow down, and until when (Unix seconds)."""
    # The pool keeps this in memory; after a restart the rows still know whom not to ask.
    rows = conn.execute(
        "SELECT host, max(not_before) FROM downloads WHERE state = 'queued' AND not_before > ?"
        " AND error ->> 'code' = 'server_busy' GROUP BY host",
        (now,),
    )
    return dict(rows.fetchall())


def bring_forward(conn: sqlite3.Connection, seconds: float) -> None:
    """The clock was set back by so much: who waits, waits as long as was meant."""
    conn.execute(
        "UPDATE downloads SET not_before = not_before - ?"
        " WHERE state = 'queued' AND not_before IS NOT NULL",
        (seconds,),
    )


def wake(conn: sqlite3.Connection, now: float) -> int:
    """Make claimable what is due, or waits beyond `HORIZON_SECONDS` because a clock jumped.

    Some at a time: the rest stays due, and comes with the next claim.
    """
    # A clock that was set back would let a download wait for hours: whoever waits beyond the longest
    # pause that we ever set is due as well.
    return conn.execute(
        "UPDATE downloads SET not_before = NULL WHERE n IN (SELECT n FROM downloads"
        " WHERE state = 'queued' AND not_before IS NOT NULL AND (not_before <= ? OR not_before > ?)"
        " LIMIT ?)",
        (now, now + HORIZON_SECONDS, MOST_WOKEN_AT_ONCE),
    ).rowcount
