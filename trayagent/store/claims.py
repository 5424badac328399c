"""Claiming: which downloads a free slot may have, in turn by host.

Who counts as busy is read from the rows themselves, inside the transaction: two claims that are asked
for at the same time never give a host more than its share.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trayagent.model.downloads import Download
from trayagent.model.jobs import Job
from trayagent.store.downloads import download_of, order_of, public_id

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
    """How much each host may still get."""

    def __init__(self, conn: sqlite3.Connection, turn: Turn) -> None:
        active = conn.execute("SELECT n, host FROM downloads WHERE state = 'active'").fetchall()
        working = {public_id(row["n"]): row["host"] for row in active}
        busy = {**turn.held, **working}
        self.free = turn.workers - len(busy)
        self.held = turn.held.keys()
        self._per_host = turn.per_host
        self._hosts = Counter(busy.values())
        self._cooling = turn.cooling

    def has_room(self, host: str, chosen: int = 0) -> bool:
        return host not in self._cooling and self._hosts[host] + chosen < self._per_host

    def take(self, host: str) -> None:
        self._hosts[host] += 1
        self.free -= 1


def claim(conn: sqlite3.Connection, turn: Turn, now: float) -> Claimed:
    """Make downloads active for the slots that are free: urgent ones first, then hosts in turn."""
    wake(conn, now)
    share = _Share(conn, turn)
    rows: list[sqlite3.Row] = []
    for row in _urgent(conn, share) if share.free > 0 else ():
        if share.free <= 0:
            break
        rows.append(_take(conn, row, share, now))
    after = turn.after
    while share.free > 0 and (following := _next_in_turn(conn, share, after)) is not None:
        rows.append(_take(conn, following, share, now))
        after = following["host"]
    for row in _put_last(conn, share) if share.free > 0 else ():
        if share.free <= 0:
            break
        rows.append(_take(conn, row, share, now))
    due = next_due(conn) if share.free > 0 else None
    return Claimed(tuple(job_of(row) for row in rows), due)


def _take(conn: sqlite3.Connection, row: sqlite3.Row, share: _Share, now: float) -> sqlite3.Row:
    taken: sqlite3.Row = conn.execute(
        "UPDATE downloads SET state = 'active', started_at = ?, error = NULL WHERE n = ? RETURNING *",
        (now, row["n"]),
    ).fetchone()
    share.take(row["host"])
    return taken


def _urgent(conn: sqlite3.Connection, share: _Share) -> list[sqlite3.Row]:
    return _by_hand(conn, share, "urgent > 0")


def _put_last(conn: sqlite3.Connection, share: _Share) -> list[sqlite3.Row]:
    return _by_hand(conn, share, "urgent < 0")


def _by_hand(conn: sqlite3.Connection, share: _Share, moved: str) -> list[sqlite3.Row]:
    """What a person moved, in that order, as far as its hosts have room."""
    rows = conn.execute(
        f"SELECT n, host FROM downloads WHERE {READY} AND {moved} ORDER BY urgent DESC, n LIMIT 256"
    )
    given: Counter[str] = Counter()
    chosen = []
    for row in rows:
        host = row["host"]
        if share.has_room(host, given[host]) and public_id(row["n"]) not in share.held:
            given[host] += 1
            chosen.append(row)
    return chosen


def _next_in_turn(conn: sqlite3.Connection, share: _Share, after: str) -> sqlite3.Row | None:
    # A skip scan: one index probe a host, never a walk over the rows of a host without room.
    for start, end in ((after, None), ("", after)):
        host = start
        while (host := _host_after(conn, host)) != "" and (end is None or host <= end):
            if share.has_room(host):
                row = _oldest(conn, host, share)
                if row is not None:
                    return row
    return None


def _oldest(conn: sqlite3.Connection, host: str, share: _Share) -> sqlite3.Row | None:
    rows: list[sqlite3.Row] = conn.execute(
        f"SELECT n, host FROM downloads WHERE {_IN_TURN} AND host = ? ORDER BY n LIMIT ?",
        (host, len(share.held) + 1),
    ).fetchall()
    return next((row for row in rows if public_id(row["n"]) not in share.held), None)


def _host_after(conn: sqlite3.Connection, host: str) -> str:
    row = conn.execute(
        f"SELECT host FROM downloads INDEXED BY claimable WHERE {_IN_TURN} AND host > ? ORDER BY host LIMIT 1",
        (host,),
    ).fetchone()
    return row[0] if row else ""


def active_jobs(conn: sqlite3.Connection) -> list[tuple[Job, Download]]:
    """What an earlier run was at when it ended."""
    rows = conn.execute("SELECT * FROM downloads WHERE state = 'active' ORDER BY n")
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
    return conn.execute(
        "UPDATE downloads SET not_before = NULL WHERE n IN (SELECT n FROM downloads"
        " WHERE state = 'queued' AND not_before IS NOT NULL AND (not_before <= ? OR not_before > ?)"
        " LIMIT ?)",
        (now, now + HORIZON_SECONDS, MOST_WOKEN_AT_ONCE),
    ).rowcount
