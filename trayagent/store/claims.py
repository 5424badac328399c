"""Claiming: which downloads the free slots of the pool may have.

`claim` is one transaction. It reads from the rows themselves which hosts are busy, so two claims at
the same moment never give a host more than its share. Files wait (`not_before`) after a failed try or
because their host asked for a pause; `wake` makes them ready again.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trayagent.model.downloads import Download
from trayagent.model.jobs import Job, is_engine_host
from trayagent.store.downloads import COLUMNS, download_of, order_of, public_id

MOST_WOKEN_AT_ONCE: Final = 500
"""Rows that one transaction wakes."""
HORIZON_SECONDS: Final = 3700.0
"""Seconds; nothing waits longer, so a later date means that the clock was set back."""
READY: Final = "state = 'queued' AND not_before IS NULL"
_IN_TURN: Final = f"{READY} AND urgent >= 0"
"""All but what a person put at the end of the queue; see `queue_order`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who may be served now."""

    workers: int
    """Slots in all."""
    per_host: int
    """Downloads at a time from one host."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Downloads that a slot still holds, whatever their row says, and their hosts: one that was
    paused takes a while to stop."""
    cooling: frozenset[str] = frozenset()
    """Hosts that are left alone."""
    after: str = ""
    """The host served last; the ones behind it come first."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim took."""

    jobs: tuple[tuple[Job, Download], ...] = ()
    due: float | None = None
    """When the first waiting download may be tried (Unix seconds), if a slot is free for it."""


class _Share:
    """How many slots are free, and how much of them each host may still get."""

    def __init__(self, conn: sqlite3.Connection, turn: Turn) -> None:
        active = conn.execute(
            "SELECT n, host FROM downloads WHERE state = 'active' AND engine IS NULL"
        ).fetchall()
        # Slots and rows can differ for a moment; a download counts once, whoever knows of it.
        busy = {**turn.held, **{public_id(row["n"]): row["host"] for row in active}}
        self.free = turn.workers - len(busy)
        self.held = turn.held.keys()
        self._per_host = turn.per_host
        self._hosts = Counter(busy.values())
        self._cooling = turn.cooling

    def has_room(self, host: str) -> bool:
        return host not in self._cooling and self._hosts[host] < self._per_host

    def take(self, conn: sqlite3.Connection, row: sqlite3.Row, now: float) -> sqlite3.Row:
        """Make the row active in one of the free slots."""
        self._hosts[row["host"]] += 1
        self.free -= 1
        active: sqlite3.Row = conn.execute(
            "UPDATE downloads SET state = 'active', started_at = ?, error = NULL WHERE n = ?"
            f" RETURNING {COLUMNS}",
            (now, row["n"]),
        ).fetchone()
        return active


def claim(conn: sqlite3.Connection, turn: Turn, now: float) -> Claimed:
    """Make downloads active for the slots that are free, in three rounds.

    1. What a person moved to the front, in the order in which it was put there.
    2. Everything else, hosts in turn: the oldest of the host behind the one that was served last, so
       that a list of ten thousand files from one host does not hold up a file from another.
    3. What a person put at the end.
    """
    wake(conn, now)
    share = _Share(conn, turn)
    rows = _claim_moved(conn, share, "urgent > 0", now)
    after = turn.after
    while share.free > 0 and (row := _next_in_turn(conn, share, after)) is not None:
        rows.append(share.take(conn, row, now))
        after = row["host"]
    rows += _claim_moved(conn, share, "urgent < 0", now)
    due = next_due(conn) if share.free > 0 else None
    return Claimed(tuple(job_of(row) for row in rows), due)


def _claim_moved(
    conn: sqlite3.Connection, share: _Share, moved: str, now: float
) -> list[sqlite3.Row]:
    """Claim what a person moved, as far as there are slots and its hosts have room."""
    if share.free <= 0:
        return []
    ready = conn.execute(
        f"SELECT n, host FROM downloads WHERE {READY} AND {moved} AND engine IS NULL"
        " ORDER BY urgent DESC, n LIMIT 256"
    ).fetchall()
    rows: list[sqlite3.Row] = []
    for row in ready:
        if share.free <= 0:
            break
        if share.has_room(row["host"]) and public_id(row["n"]) not in share.held:
            rows.append(share.take(conn, row, now))
    return rows


def _next_in_turn(conn: sqlite3.Connection, share: _Share, after: str) -> sqlite3.Row | None:
    """The oldest ready row of the first host with room: behind `after`, then from the first one on."""
    # A skip scan: one index probe a host, never a walk over the rows of a host without room.
    next_host = (
        f"SELECT host FROM downloads INDEXED BY claimable WHERE {_IN_TURN} AND host > ?"
        " ORDER BY host LIMIT 1"
    )
    oldest = f"SELECT n, host FROM downloads WHERE {_IN_TURN} AND host = ? ORDER BY n LIMIT ?"
    for host, end in ((after, None), ("", after)):
        while (found := conn.execute(next_host, (host,)).fetchone()) is not None:
            host = found["host"]
            if end is not None and host > end:
                break
            # A host of ours: an engine elsewhere has what waits for it.
            if is_engine_host(host) or not share.has_room(host):
                continue
            # A slot may still hold some of them; one row more than that is enough to look at.
            for row in conn.execute(oldest, (host, len(share.held) + 1)).fetchall():
                if public_id(row["n"]) not in share.held:
                    return row  # type: ignore[no-any-return]
    return None


def active_jobs(conn: sqlite3.Connection) -> list[tuple[Job, Download]]:
    """What an earlier run was at when it ended."""
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM downloads WHERE state = 'active' AND engine IS NULL ORDER BY n"
    )
    return [job_of(row) for row in rows]


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
