"""What a person asks of downloads: pause, resume, cancel, retry, another link, remove, clear."""

from __future__ import annotations

import sqlite3

import msgspec

from trayagent.model import urls
from trayagent.model.batch import Batch
from trayagent.model.download import Download, State
from trayagent.model.errors import WrongStateError
from trayagent.model.order import New, Secrets
from trayagent.store import batches
from trayagent.store.downloads import (
    IN_FLIGHT,
    Change,
    current,
    download,
    get,
    number,
    order_of,
    orders_json,
    public_id,
    row_of,
)
from trayagent.store.secrets import SecretFiles

ASKED: dict[str, tuple[frozenset[State], State]] = {
    "pause": (frozenset({State.QUEUED, State.ACTIVE}), State.PAUSED),
    "resume": (frozenset({State.PAUSED}), State.QUEUED),
    "cancel": (frozenset({State.QUEUED, State.ACTIVE, State.PAUSED}), State.CANCELLED),
    "retry": (frozenset({State.FAILED, State.CANCELLED}), State.QUEUED),
}
"""What a person may ask: from which states, into which."""


def ask(conn: sqlite3.Connection, id: str, verb: str, now: float) -> Change:
    """Pause, resume, cancel or retry; raises NotFoundError or WrongStateError."""
    n = number(id)
    row = row_of(conn, n, id)
    before, (allowed, after) = State(row["state"]), ASKED[verb]
    if before == after or (verb == "resume" and before == State.ACTIVE):
        return Change(download(row), before)
    if before not in allowed:
        raise WrongStateError(f"Download {id} is {before}, so it cannot be asked to {verb}.")
    finished: tuple[Batch, ...] = ()
    if verb == "retry":
        _retry(conn, row)
    elif verb == "cancel":
        conn.execute(
            "UPDATE downloads SET state = 'cancelled', not_before = NULL, finished_at = ? WHERE n = ?",
            (now, n),
        )
        finished = batches.settled(conn, n, now)
    else:
        conn.execute("UPDATE downloads SET state = ?, not_before = NULL WHERE n = ?", (after, n))
    return Change(get(conn, id), before, finished)


def _retry(conn: sqlite3.Connection, row: sqlite3.Row) -> None:
    other = current(conn, row["key"])
    if other is not None:
        raise WrongStateError(f"The same address is already on its way as {public_id(other['n'])}.")
    conn.execute(
        "UPDATE downloads SET state = 'queued', attempts = 0, not_before = NULL, error = NULL, warning = NULL,"
        " finished_at = NULL WHERE n = ?",
        (row["n"],),
    )
    batches.reopened(conn, row["n"])


def relink(conn: sqlite3.Connection, id: str, new: New, secrets: SecretFiles) -> Change:
    """Another URL for the same file; kept bytes stay. Raises NotFoundError or WrongStateError.

    A user and password in the URL take the place of those from before. Headers and referer were for
    the first origin: at another one they are forgotten. Cookies have a domain of their own.
    """
    n = number(id)
    row = row_of(conn, n, id)
    if row["state"] == State.COMPLETED or row["source"]:
        raise WrongStateError(f"Download {id} is {row['state']}, so its link cannot be changed.")
    other = current(conn, new.key)
    if other is not None and other["n"] != n:
        raise WrongStateError(f"The same address is already on its way as {public_id(other['n'])}.")
    conn.execute(
        "UPDATE downloads SET key = ?, url = ?, host = ?, not_before = NULL, attempts = 0 WHERE n = ?",
        (new.key, new.url, new.host, n),
    )
    old = secrets.load(id) if secrets.keeps(id) else Secrets()
    headers = old.headers
    if urls.origin(new.url) != urls.origin(row["url"]):
        headers = {}
        order = msgspec.structs.replace(order_of(row), referer=None)
        conn.execute("UPDATE downloads SET orders = ? WHERE n = ?", (orders_json(order), n))
    if old or new.secrets:
        secrets.keep(id, Secrets({**headers, **new.secrets.headers}, old.cookies))
    return Change(get(conn, id), row["state"])


def remove(conn: sqlite3.Connection, id: str, now: float) -> Change:
    """Forget a row, whatever its state; its batch keeps the outcome. Raises NotFoundError."""
    n = number(id)
    row = row_of(conn, n, id)
    finished: tuple[Batch, ...] = ()
    if State(row["state"]) in IN_FLIGHT:
        conn.execute(
            "UPDATE downloads SET state = 'cancelled', finished_at = ? WHERE n = ?", (now, n)
        )
        finished = batches.settled(conn, n, now)
    batches.forgotten(conn, n)
    conn.execute("DELETE FROM downloads WHERE n = ?", (n,))
    return Change(download(row), row["state"], finished)


def clear(conn: sqlite3.Connection, limit: int = 1000) -> list[Download]:
    """Forget up to `limit` finished rows; their files stay. Returns what was forgotten."""
    rows = conn.execute(
        "SELECT * FROM downloads WHERE state IN ('completed', 'failed', 'cancelled') LIMIT ?",
        (limit,),
    ).fetchall()
    for row in rows:
        batches.forgotten(conn, row["n"])
    conn.executemany("DELETE FROM downloads WHERE n = ?", ((row["n"],) for row in rows))
    return [download(row) for row in rows]
