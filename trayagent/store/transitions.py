"""How a download goes from one state to the next, each as one whole transaction.

| from                | by                           | to        | what else changes in the transaction      |
|---------------------|------------------------------|-----------|-------------------------------------------|
| (asked for)         | `admission.admit`            | queued or | its entry of a batch waits for it         |
|                     |                              | paused    |                                           |
| queued              | `advance`: a slot has begun  | active    | `started_at`; the error of before goes    |
| queued, active      | `advance`: completed         | completed | path, size, checksum; library; entries    |
| paused, cancelled   | `advance`: the last bytes    | completed | the same: the file is there, whatever was |
|                     | were quicker than the person |           | asked meanwhile                           |
| active              | `advance`: failed            | failed    | the error; library; entries settle        |
| active              | `advance`: to be tried again | queued    | `not_before`, the error, tries used up    |
| active              | `recovery`, at a start       | queued    |                                           |
| queued, active      | pause                        | paused    | `not_before` goes                         |
| paused              | resume                       | queued    |                                           |
| queued, active,     | cancel                       | cancelled | entries settle; queries of referer and    |
| paused              |                              |           | page go                                   |
| failed, cancelled   | retry                        | queued    | tries count anew; entries wait again      |
| queued (waiting)    | retry                        | queued    | it is ready at once (`hurried`)           |
| completed           | `undo.mark_taken_back`       | cancelled | its file is in the trash                  |
| any                 | `remove`, `clear`            | (no row)  | entries keep their outcome                |

While a slot is at work, a person may change the row: a failure and a new try therefore leave alone what
is no longer active, and note only how far it came. A slot begins before its row says so. What began and
ended between two transactions is one change of its row, and all that ended meanwhile is one write to
the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trayagent.model import urls
from trayagent.model.downloads import Batch, Download, Item, Patch, State
from trayagent.model.engine_choice import choose_elsewhere
from trayagent.model.errors import DownloadError, WrongStateError
from trayagent.model.jobs import DownloadSecrets, New, engine_host
from trayagent.model.transfer import Fetched
from trayagent.model.validation import validate
from trayagent.store import batches, handovers, library
from trayagent.store.claims import NextJobs, Turn, line_up
from trayagent.store.downloads import (
    COLUMNS,
    IN_FLIGHT,
    Change,
    download_of,
    error_json,
    get,
    no_such_download,
    number,
    order_of,
    orders_json,
    public_id,
    row_of,
    rows_in_flight,
    rows_of,
    settled_orders,
)
from trayagent.store.secrets import SecretFiles

COMMANDS: dict[str, tuple[frozenset[State], State]] = {
    "pause": (frozenset({State.QUEUED, State.ACTIVE}), State.PAUSED),
    "resume": (frozenset({State.PAUSED}), State.QUEUED),
    "cancel": (frozenset({State.QUEUED, State.ACTIVE, State.PAUSED}), State.CANCELLED),
    "retry": (frozenset({State.FAILED, State.CANCELLED, State.QUEUED}), State.QUEUED),
}
"""What a person may ask: from which states, into which."""


# -- what became of an attempt


class Reached(Struct, frozen=True):
    """How far a download came that has not ended."""

    path: str | None = None
    size: int | None = None
    received: int = 0


class Completed(Struct, frozen=True):
    """The file is published."""

    fetched: Fetched


class Failed(Struct, frozen=True):
    """It cannot go on; what has arrived is kept for a retry."""

    error: DownloadError
    reached: Reached = Reached()


class Requeued(Struct, frozen=True):
    """It is to be tried again at `not_before` (Unix seconds), or as soon as a slot is free."""

    reached: Reached = Reached()
    not_before: float | None = None
    error: DownloadError | None = None
    tried: bool = False
    """Whether a try is used up."""


Outcome = Completed | Failed | Requeued


class Advance(Struct, frozen=True):
    """What the slots have done since the last transaction, and what they want to know."""

    begun: Mapping[int, float]
    """Downloads that slots have begun, and when (Unix seconds): their rows do not say so yet."""
    ended: Sequence[tuple[int, Outcome]] = ()
    turn: Turn | None = None
    """None: nothing may begin next."""


class Advanced(Struct, frozen=True):
    """What the rows say now."""

    changes: tuple[Change | None, ...]
    """One for each outcome, in order; None: the row was removed meanwhile."""
    finished: tuple[Batch, ...]
    astray: frozenset[int]
    """Begun, but something else was asked of them before the row could say so."""
    following: NextJobs


def advance(conn: sqlite3.Connection, step: Advance, now: float) -> Advanced:
    """Note what became of downloads and what has begun; line up the next."""
    # What began and is complete already never was `active` in its row: one change is enough.
    fetches = {n: outcome.fetched for n, outcome in step.ended if isinstance(outcome, Completed)}
    astray = {n for n, at in step.begun.items() if n not in fetches and not begin(conn, n, at)}
    rows = rows_of(conn, [n for n, _ in step.ended])
    completed = _complete_each(conn, rows, fetches, step.begun, now)
    changes: list[Change | None] = []
    for n, outcome in step.ended:
        match outcome:
            # Removed: the outcome is of no interest, but the slot is free all the same.
            case _ if n not in rows:
                changes.append(None)
            case Completed():
                changes.append(completed[n])
            case Failed(error, reached):
                changes.append(_fail(conn, rows[n], error, reached, now))
            case Requeued():
                changes.append(_requeue(conn, rows[n], outcome))
    settled = [n for (n, _), change in zip(step.ended, changes, strict=True) if _is_over(change)]
    return Advanced(
        tuple(changes),
        batches.settle_entries(conn, settled, now) if settled else (),
        frozenset(astray),
        NextJobs() if step.turn is None else line_up(conn, step.turn, now),
    )


def begin(conn: sqlite3.Connection, n: int, at: float) -> bool:
    """The row says that a slot is at work; False: something else was asked meanwhile."""
    begin = "UPDATE downloads SET state = 'active', started_at = ?, error = NULL WHERE n = ? AND state = 'queued'"
    return conn.execute(begin, (at, n)).rowcount == 1


def release(conn: sqlite3.Connection, n: int, outcome: Outcome, now: float) -> Change:
    """Note what became of one download. Raises NotFoundError."""
    advanced = advance(conn, Advance({}, [(n, outcome)]), now)
    (change,) = advanced.changes
    if change is None:
        raise no_such_download(public_id(n))
    return msgspec.structs.replace(change, finished=advanced.finished)


def _is_over(change: Change | None) -> bool:
    """Whether the download has come to its end by this change."""
    state = None if change is None else change.download.state
    return change is not None and state != change.previous and state in ("completed", "failed")


def _complete_each(
    conn: sqlite3.Connection,
    rows: Mapping[int, sqlite3.Row],
    fetches: Mapping[int, Fetched],
    begun: Mapping[int, float],
    now: float,
) -> dict[int, Change]:
    """These files are published: that is so, whatever the rows said meanwhile."""
    changes: dict[int, Change] = {}
    values: list[tuple[object, ...]] = []
    for n, row in rows.items():
        if (fetched := fetches.get(n)) is None:
            continue
        if row["state"] == State.COMPLETED:
            changes[n] = Change(download_of(row), row["state"])
            continue
        digest, warning, orders = fetched.sha256, fetched.warning, settled_orders(row)
        path, at = str(fetched.path), begun.get(n)
        values.append((n, path, fetched.size, digest, warning, orders, at))
    if not values:
        return changes
    # One statement for all of them. Each statement lets go of the interpreter's lock and waits for it
    # again, which beside a busy engine takes longer than the statement.
    given = msgspec.json.encode(values).decode()
    updated = conn.execute(
        "UPDATE downloads SET state = 'completed', path = new.path, size = new.size, received = new.size,"
        " sha256 = new.sha256, warning = coalesce(new.warning, downloads.warning), orders = new.orders,"
        " error = NULL, not_before = NULL, attempts = attempts + 1,"
        " started_at = coalesce(new.begun_at, started_at), finished_at = ? FROM (SELECT value ->> 0 AS number,"
        " value ->> 1 AS path, value ->> 2 AS size, value ->> 3 AS sha256, value ->> 4 AS warning,"
        " value ->> 5 AS orders, value ->> 6 AS begun_at FROM json_each(?)) AS new"
        f" WHERE n = new.number RETURNING {COLUMNS}",
        (now, given),
    ).fetchall()
    # Their records beside the files are erased after this commit; a kill in between is found by these rows.
    conn.execute(
        "INSERT OR IGNORE INTO settled_records SELECT value ->> 0 FROM json_each(?)", (given,)
    )
    for row in updated:
        n, before = row["n"], rows[row["n"]]
        changes[n] = Change(download_of(row), before["state"])
        if row["source"]:
            fetched = fetches[n]
            library.mark_present(
                conn, row["key"], str(fetched.path), fetched.size, fetched.sha256, now
            )
        if before["state"] == State.CANCELLED:
            # Its entries settled as cancelled a moment ago; what a report says must be what the disk has.
            batches.complete_cancelled_entries(conn, n)
    return changes


def _fail(
    conn: sqlite3.Connection, row: sqlite3.Row, error: DownloadError, reached: Reached, now: float
) -> Change:
    """It cannot go on, unless something else was asked of it meanwhile."""
    n: int = row["n"]
    _note(conn, n, reached)
    # Paused or cancelled meanwhile: then the person's word stands, and the error is no news.
    if row["state"] == State.ACTIVE:
        conn.execute(
            "UPDATE downloads SET state = 'failed', error = ?, attempts = attempts + 1, finished_at = ?"
            " WHERE n = ?",
            (error_json(error), now, n),
        )
        if row["source"]:
            library.mark_failed(conn, row["key"], error_json(error))
    return Change(download_of(row_of(conn, n)), row["state"])


def _requeue(conn: sqlite3.Connection, row: sqlite3.Row, outcome: Requeued) -> Change:
    """Give an active download back; one that was paused meanwhile stays so."""
    n: int = row["n"]
    _note(conn, n, outcome.reached)
    if row["state"] == State.ACTIVE:
        error = error_json(outcome.error) if outcome.error else None
        conn.execute(
            "UPDATE downloads SET state = 'queued', not_before = ?, error = ?, attempts = attempts + ?"
            " WHERE n = ?",
            (outcome.not_before, error, int(outcome.tried), n),
        )
    return Change(download_of(row_of(conn, n)), row["state"])


def _note(conn: sqlite3.Connection, n: int, reached: Reached) -> None:
    # A path or size once known is kept: an attempt that got no answer knows neither.
    conn.execute(
        "UPDATE downloads SET received = ?, path = coalesce(?, path), size = coalesce(?, size)"
        " WHERE n = ? AND state <> 'completed'",
        (reached.received, reached.path, reached.size, n),
    )


def keep_names(conn: sqlite3.Connection, named: Iterable[tuple[int, str, int | None]]) -> None:
    """The names (n, path, size) that running downloads have by now, so that a kill loses no `.part`."""
    conn.executemany(
        "UPDATE downloads SET path = ?, size = ? WHERE n = ? AND state = 'active'",
        ((path, size, n) for n, path, size in named),
    )


# -- what a person asks


def apply_command(conn: sqlite3.Connection, id: str, verb: str, now: float) -> Change:
    """Pause, resume, cancel or retry; raises NotFoundError or WrongStateError."""
    n = number(id)
    row = row_of(conn, n, id)
    before, (allowed, after) = State(row["state"]), COMMANDS[verb]
    if verb == "retry" and before == State.QUEUED and row["not_before"] is not None:
        return _hurry(conn, row)
    # Asking for what already holds is no error: two windows may show the same button.
    if before == after or (verb == "resume" and before == State.ACTIVE):
        return Change(download_of(row), before)
    if before not in allowed:
        raise WrongStateError(f"Download {id} is {before}, so it cannot be asked to {verb}.")
    finished: tuple[Batch, ...] = ()
    if verb == "retry":
        _retry(conn, row)
    elif verb == "cancel":
        conn.execute(
            "UPDATE downloads SET state = 'cancelled', orders = ?, not_before = NULL, finished_at = ?"
            " WHERE n = ?",
            (settled_orders(row), now, n),
        )
        finished = batches.settle_entries(conn, [n], now)
    else:
        conn.execute("UPDATE downloads SET state = ?, not_before = NULL WHERE n = ?", (after, n))
    return Change(get(conn, id), before, finished)


def _hurry(conn: sqlite3.Connection, row: sqlite3.Row) -> Change:
    """Make one that waits ready at once; its tries count anew, since a person stands behind it."""
    conn.execute(
        "UPDATE downloads SET not_before = NULL, error = NULL, attempts = 0 WHERE n = ?",
        (row["n"],),
    )
    return Change(download_of(row_of(conn, row["n"])), row["state"], hurried=True)


def _retry(conn: sqlite3.Connection, row: sqlite3.Row) -> None:
    _refuse_second(conn, row["key"], row["n"])
    conn.execute(
        "UPDATE downloads SET state = 'queued', attempts = 0, not_before = NULL, error = NULL, warning = NULL,"
        " finished_at = NULL WHERE n = ?",
        (row["n"],),
    )
    batches.reopen_entries(conn, row["n"])


def _refuse_second(conn: sqlite3.Connection, key: str, n: int) -> None:
    """Raise WrongStateError where another download is in flight for the key: two would share a file."""
    other = rows_in_flight(conn, [key]).get(key)
    if other is not None and other["n"] != n:
        raise WrongStateError(f"The same address is already on its way as {public_id(other['n'])}.")


def change(
    conn: sqlite3.Connection,
    id: str,
    patch: Patch,
    secrets: SecretFiles,
    choose_engine: Callable[[New], str | None] = choose_elsewhere,
) -> Change:
    """Go on with other words for the same file.

    1. One that failed is queued again, and one that waits is tried now: the new words may help.
    2. One that gets another name, folder or engine is paused, until nothing is left at the old place.
    3. What was meant for the origin of before (headers, referer) does not go to another one.

    Raises NotFoundError, WrongStateError, and what `validate` and `choose_engine` raise for words that
    may not enter.
    """
    n = number(id)
    row = row_of(conn, n, id)
    if row["state"] == State.COMPLETED or row["source"]:
        what = "a synced item" if row["source"] else row["state"]
        raise WrongStateError(f"Download {id} is {what}, so it cannot be changed.")
    given = msgspec.structs.asdict(patch)
    words = {key: value for key, value in given.items() if value is not msgspec.UNSET}
    if words.keys() - {"speed_limit"}:
        refuse_handed_over(conn, id)
    new = validate(Item(**{"url": row["url"], **words}))
    _refuse_second(conn, new.key, n)
    moves = urls.origin(new.url) != urls.origin(row["url"])
    names = words.keys() & {"referer", "speed_limit", "segments", "filename", "folder", "mirrors"}
    changed = {name: getattr(new.order, name) for name in names}
    if moves and "referer" not in words:
        changed["referer"] = None
    order = msgspec.structs.replace(order_of(row), **changed)
    kept = _merge_secrets(id, new, words, secrets, moves=moves)
    engine: str | None = row["engine"]
    if "engine" in words:
        whole = replace(new, order=order, secrets=kept or DownloadSecrets())
        engine = choose_engine(whole)
    if kept is not None:
        secrets.keep(id, kept)
    is_elsewhere = patch.renames or engine != row["engine"]
    conn.execute(
        "UPDATE downloads SET key = ?, url = ?, host = ?, orders = ?, engine = ? WHERE n = ?",
        (
            new.key,
            new.url,
            engine_host(engine) if engine else new.host,
            orders_json(order),
            engine,
            n,
        ),
    )
    hurried = row["state"] == State.QUEUED and not is_elsewhere
    if row["state"] == State.FAILED:
        _retry(conn, row_of(conn, n))
    elif hurried:
        _hurry(conn, row)
    if is_elsewhere:
        _begin_anew(conn, n)
    return Change(get(conn, id), row["state"], hurried=hurried)


def _begin_anew(conn: sqlite3.Connection, n: int) -> None:
    """Forget how far it came. Paused: nobody may claim it while its bytes at the old place are removed."""
    conn.execute(
        "UPDATE downloads SET path = NULL, remote_path = NULL, size = NULL, received = 0 WHERE n = ?",
        (n,),
    )
    conn.execute(
        "UPDATE downloads SET state = 'paused', not_before = NULL, error = NULL, attempts = 0"
        " WHERE n = ? AND state = 'queued'",
        (n,),
    )


def refuse_handed_over(conn: sqlite3.Connection, id: str) -> None:
    """Raise WrongStateError while an engine elsewhere has the download: it would go on with the old words."""
    if handovers.is_handed_over(conn, number(id)):
        name = get(conn, id).engine
        raise WrongStateError(
            f"Download {id} is at {name}: only its speed limit can be changed now."
        )


def _merge_secrets(
    id: str, new: New, words: dict[str, object], secrets: SecretFiles, *, moves: bool
) -> DownloadSecrets | None:
    """New headers and cookies in the place of old ones; None: there are none of either."""
    old = secrets.load(id) if secrets.has(id) else DownloadSecrets()
    # Headers were for the first origin; a cookie has a domain of its own, which the jar obeys.
    headers = {} if "headers" in words or moves else old.headers
    cookies = new.secrets.cookies if "cookies" in words else old.cookies
    if not old and not new.secrets:
        return None
    # A user and password in the URL are among the new headers, and take the place of older ones.
    return DownloadSecrets({**headers, **new.secrets.headers}, cookies)


def remove(conn: sqlite3.Connection, id: str, now: float) -> Change:
    """Forget a row, whatever its state; its batch keeps the outcome. Raises NotFoundError."""
    # One in flight is cancelled first, so that its batches can come to their end without it.
    n = number(id)
    row = row_of(conn, n, id)
    finished: tuple[Batch, ...] = ()
    if State(row["state"]) in IN_FLIGHT:
        conn.execute(
            "UPDATE downloads SET state = 'cancelled', finished_at = ? WHERE n = ?", (now, n)
        )
        finished = batches.settle_entries(conn, [n], now)
    batches.detach_entries(conn, n)
    conn.execute("DELETE FROM downloads WHERE n = ?", (n,))
    return Change(download_of(row), row["state"], finished)


def clear(
    conn: sqlite3.Connection, states: Sequence[str] = ("completed", "cancelled"), limit: int = 1000
) -> list[Download]:
    """Forget up to `limit` rows in these states; their files stay. Returns what was forgotten."""
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM downloads WHERE state IN ({', '.join('?' * len(states))}) LIMIT ?",
        (*states, limit),
    ).fetchall()
    # A chunk each transaction: a history of a million rows must not hold up the queue.
    for row in rows:
        batches.detach_entries(conn, row["n"])
    conn.executemany("DELETE FROM downloads WHERE n = ?", ((row["n"],) for row in rows))
    return [download_of(row) for row in rows]
