"""How an item enters the queue: once, whoever asks and however often.

`enter` is the whole transaction behind every way in but the drop folder, which reads a list in
chunks (`drop_lists.enter_lines`). Both ask `admit` what becomes of one item. First match wins:

1. A download for the same key is in flight: the item shares it.
2. A download for the key was completed and its file is still there: the item is a duplicate,
   unless somebody asked for it again.
3. Otherwise a new row is made, and the item's secrets are on the disk before the row is.

A program that sends its request twice, because the first answer got lost, sends the same
`Idempotency-Key`: for 24 hours it gets the same receipt, and nothing enters twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import compress
from typing import Final, Literal, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from trayagent.model.downloads import Batch, Download, Receipt, Rejected, Via
from trayagent.model.errors import TrayagentError
from trayagent.model.jobs import New
from trayagent.store import batches, downloads, library
from trayagent.store.secrets import SecretFiles

SCHEMA: Final = """
CREATE TABLE idempotency (
    key TEXT PRIMARY KEY, body TEXT NOT NULL, receipt BLOB NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
"""

KEY_SECONDS: Final = 24 * 3600.0
"""How long an Idempotency-Key is remembered."""

Candidate = New | Rejected
"""An item that was checked: ready to enter, or refused, with the reason."""


class Admission(Struct, frozen=True):
    """What admitting needs beside the item itself."""

    via: Via
    now: float
    secrets: SecretFiles
    missing: frozenset[str] | None = None
    """Paths of finished files where there is none any more; None: nobody has looked yet."""
    urgent: int = 0

    def at(self, urgent: int) -> Admission:
        """The same, for items that go to the front of the queue."""
        return replace(self, urgent=urgent) if urgent else self


Outcome = Literal["new", "shared", "duplicate"]


class Admitted(NamedTuple):
    """The row of the download that serves an item, and whether it is new."""

    row: sqlite3.Row
    outcome: Outcome


class Entered(Struct, frozen=True):
    """What one request became."""

    receipt: Receipt
    new: tuple[Download, ...] = ()
    batch: Batch | None = None
    repeated: bool = False
    """The same Idempotency-Key was answered before."""


class UnseenFilesError(Exception):
    """Nobody has looked whether these files are still there, and a transaction waits for no disk."""

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(f"{len(paths)} files to look for")
        self.paths = paths


class BatchWish(Struct, frozen=True):
    """The batch that candidates shall belong to."""

    title: str | None = None
    """Of the batch to make; None: no new batch."""
    batch: int | None = None
    """The open batch to continue."""
    more: bool = False
    """Further calls will continue it, so it stays open."""


class IdempotencyKey(Struct, frozen=True):
    """The key with its sender, and a digest of the body it came with."""

    key: str
    body: str


class KeyReusedError(TrayagentError):
    """The key came with another body (HTTP 409)."""


def enter(
    conn: sqlite3.Connection,
    candidates: Sequence[Candidate],
    wish: BatchWish,
    key: IdempotencyKey | None,
    admission: Admission,
) -> Entered:
    """Queue what may enter, as one transaction with its batch and its receipt.

    Raises KeyReusedError, UnseenFilesError, and StoreUnavailableError when secrets cannot be saved.
    """
    # Asked first: a repeated request must change nothing, whatever else it holds.
    if key is not None:
        before = _recall(conn, key, admission.now)
        if before is not None:
            return Entered(before, repeated=True)
    accepted = [candidate for candidate in candidates if isinstance(candidate, New)]
    batch = wish.batch
    # A request of which nothing may enter makes no batch: its receipt says it all.
    if wish.title and (accepted or wish.more):
        batch = batches.create(conn, wish.title, admission.via, admission.now, open=wish.more)
    if any(new.urgent for new in accepted):
        admission = admission.at(downloads.next_urgency(conn))
    entered = _admit_all(conn, candidates, batch, admission)
    # A request of which nothing entered may be repeated: nothing of it would enter twice.
    if key is not None and accepted:
        conn.execute(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?)",
            (key.key, key.body, msgspec.json.encode(entered.receipt), admission.now),
        )
    return entered


def _recall(conn: sqlite3.Connection, key: IdempotencyKey, now: float) -> Receipt | None:
    """The receipt given before; raises KeyReusedError when the body was another."""
    # Cleaned up where it is asked, so that no timer has to.
    conn.execute("DELETE FROM idempotency WHERE at < ?", (now - KEY_SECONDS,))
    row = conn.execute("SELECT body, receipt FROM idempotency WHERE key = ?", (key.key,)).fetchone()
    if row is None:
        return None
    if row["body"] != key.body:
        raise KeyReusedError(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request.",
            "Use a new key.",
        )
    return msgspec.json.decode(row["receipt"], type=Receipt)


def _admit_all(
    conn: sqlite3.Connection,
    candidates: Sequence[Candidate],
    batch: int | None,
    admission: Admission,
) -> Entered:
    items = [candidate for candidate in candidates if isinstance(candidate, New)]
    admitted = iter(admit(conn, items, admission, batch))
    waiting: list[tuple[int, str, int, str | None]] = []
    rejected: list[Rejected] = []
    served: list[Download] = []
    new: list[Download] = []
    # A sync adds to its batch call by call: its lines go on where the last call ended.
    first = batches.next_line(conn, batch) if batch is not None else 1
    for line, candidate in enumerate(candidates, start=first):
        if isinstance(candidate, Rejected):
            rejected.append(candidate)
            if batch is not None:
                why = (candidate.code, candidate.message)
                batches.enter_settled(
                    conn, batch, line, candidate.url, "rejected", code=why[0], message=why[1]
                )
            continue
        row, outcome = next(admitted)
        download = downloads.download_of(row)
        if outcome == "new":
            new.append(download)
        elif outcome == "duplicate":
            download = msgspec.structs.replace(download, duplicate_of=download.id)
        served.append(download)
        if batch is not None and outcome == "duplicate":
            batches.enter_settled(conn, batch, line, candidate.url, outcome, path=row["path"])
        else:
            waiting.append((line, candidate.url, row["n"], None))
    if batch is not None:
        batches.enter(conn, batch, waiting)
    id = batches.public_id(batch) if batch is not None else None
    if batch is not None:
        batches.finish(conn, batch, admission.now)  # done at once when nothing of it is new
    return Entered(
        Receipt(id, tuple(served), tuple(rejected)),
        tuple(new),
        batches.get(conn, id) if id is not None else None,
    )


def admit(
    conn: sqlite3.Connection, items: Sequence[New], admission: Admission, batch: int | None
) -> list[Admitted]:
    """Queue each item, or find the download that is already on its way or already done.

    Raises UnseenFilesError, before it writes anything.
    """
    rows = downloads.rows_in_flight(conn, [new.key for new in items])
    # A synced item that was missing when it was listed may have arrived since: then nothing is fetched again.
    is_saved_enough = [
        not new.again or (new.source is not None and library.is_present(conn, new.key))
        for new in items
    ]
    unseen: list[str] = []

    def exists(path: str) -> bool:
        if admission.missing is None:
            unseen.append(path)
            return True
        return path not in admission.missing

    sought = [new.key for new in compress(items, is_saved_enough)]
    saved = downloads.rows_with_file(conn, sought, exists)
    if unseen:
        raise UnseenFilesError(unseen)
    fresh: dict[str, New] = {}
    outcomes: list[Outcome] = []
    for new, is_enough in zip(items, is_saved_enough, strict=True):
        # Also when it was asked for "again": two downloads of one key would fight for one file.
        if new.key in rows or new.key in fresh:
            outcomes.append("shared")
        elif is_enough and new.key in saved:
            outcomes.append("duplicate")
        else:
            fresh[new.key] = new
            outcomes.append("new")
    if fresh:
        via, now, urgent = admission.via, admission.now, admission.urgent
        made = downloads.insert(conn, fresh.values(), via=via, batch=batch, urgent=urgent, now=now)
        # Secrets are durable before the rows commit: a row without its cookies would fetch a login page.
        for key, row in made.items():
            admission.secrets.keep(downloads.public_id(row["n"]), fresh[key].secrets)
        rows |= made
    return [
        Admitted(saved[new.key] if outcome == "duplicate" else rows[new.key], outcome)
        for new, outcome in zip(items, outcomes, strict=True)
    ]


def ids_sent_by(conn: sqlite3.Connection, sender: str) -> list[str]:
    """The downloads that a sender's requests began while their keys are kept, newest first."""
    rows = conn.execute(
        "SELECT receipt FROM idempotency WHERE key GLOB ? ORDER BY at DESC", (f"{sender}:*",)
    )
    receipts = [msgspec.json.decode(row["receipt"], type=Receipt) for row in rows]
    # A request can be served by a download that another way in began: that one is not the sender's.
    began = (
        download
        for receipt in receipts
        for download in reversed(receipt.downloads)
        if download.via == "extension" and download.duplicate_of is None
    )
    return list(dict.fromkeys(download.id for download in began))
