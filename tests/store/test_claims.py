"""Claim, then release with an outcome."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from trayagent.model.admit import admit
from trayagent.model.download import Cookie, Item, State
from trayagent.model.errors import DownloadError, WrongStateError
from trayagent.model.order import New, Order, Secrets
from trayagent.model.transfer import Fetched
from trayagent.store import asking, batches, claims, downloads, schema
from trayagent.store.secrets import SecretFiles


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript("".join(schema.MIGRATIONS))
    yield connection
    connection.close()


def queue(conn: sqlite3.Connection, host: str, count: int = 1, urgent: int = 0) -> list[int]:
    start = conn.execute("SELECT count(*) FROM downloads").fetchone()[0]
    news = [
        New(f"http://{host}/{start + i}", f"http://{host}/{start + i}", host, Order())
        for i in range(count)
    ]
    return [downloads.insert(conn, new, "cli", None, urgent, 0.0) for new in news]


def take(conn: sqlite3.Connection, limit: int, after: str = "", **room: int) -> list[str]:
    taken = claims.claim(conn, claims.Turn(room, 4, after), limit=limit, now=1.0)
    return [job.host for job, _ in taken]


def test_hosts_take_turns(conn: sqlite3.Connection) -> None:
    """A host with a long queue does not keep the others waiting."""
    queue(conn, "a", 10)
    queue(conn, "b", 2)
    queue(conn, "c", 1)

    assert take(conn, 4) == ["a", "b", "c", "a"]
    assert take(conn, 2, after="a") == ["b", "a"]


def test_a_host_gets_no_more_than_its_room(conn: sqlite3.Connection) -> None:
    """A saturated or cooling host is passed over."""
    queue(conn, "a", 10)
    queue(conn, "b", 1)

    assert take(conn, 4, a=0) == ["b"]
    assert take(conn, 4, a=2) == ["a", "a"]


def test_what_a_slot_still_holds_is_not_taken_twice(conn: sqlite3.Connection) -> None:
    """A download that was asked to go on while it stops waits for its slot, and keeps nobody else waiting."""
    held, behind = queue(conn, "a", 2)
    (urgent,) = queue(conn, "b", 1, urgent=1)
    turn = claims.Turn({}, 4, busy=frozenset({f"d{held}", f"d{urgent}"}))

    assert [job.n for job, _ in claims.claim(conn, turn, limit=4, now=1.0)] == [behind]


def test_urgent_ones_come_first(conn: sqlite3.Connection) -> None:
    """`next` puts a download before everything that waits."""
    queue(conn, "a", 3)
    (wanted,) = queue(conn, "z", urgent=downloads.next_urgency(conn))

    assert take(conn, 1) == ["z"]
    assert downloads.get(conn, f"d{wanted}").state == State.ACTIVE


def test_what_waits_is_not_claimed_before_its_time(conn: sqlite3.Connection) -> None:
    """`not_before` is kept, and a clock that was set back strands nothing."""
    (n,) = queue(conn, "a")
    claims.claim(conn, claims.Turn({}, 4), limit=1, now=1.0)
    claims.requeue(
        conn, n, received=5, not_before=100.0, error=DownloadError("server_busy"), tried=1
    )

    claims.wake(conn, 50.0, 1000.0)
    assert take(conn, 1) == []
    assert claims.next_due(conn) == 100.0
    claims.wake(conn, 100.0, 1000.0)
    assert take(conn, 1) == ["a"]

    claims.requeue(conn, n, received=5, not_before=1e9, error=None, tried=0)
    claims.wake(conn, 50.0, 1000.0)
    assert take(conn, 1) == ["a"]


def test_completion_wins_over_what_was_asked_meanwhile(conn: sqlite3.Connection) -> None:
    """A published file is a completed download, even if it was cancelled a moment before."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    asking.ask(conn, f"d{n}", "cancel", 2.0)

    change = claims.complete(conn, n, Fetched(Path("/x/y.bin"), 7), 3.0)

    assert change.download.state == State.COMPLETED
    assert change.download.path == str(Path("/x/y.bin"))


def test_a_failure_does_not_undo_what_was_asked_meanwhile(conn: sqlite3.Connection) -> None:
    """A download that was cancelled while it failed stays cancelled."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    asking.ask(conn, f"d{n}", "cancel", 2.0)

    change = claims.fail(conn, n, DownloadError("not_found"), 0, 3.0)

    assert (change.previous, change.download.state) == (State.CANCELLED, State.CANCELLED)
    assert change.download.error is None


def test_giving_back_what_is_completed_changes_nothing(conn: sqlite3.Connection) -> None:
    """The count of a worker that ends late does not make a whole file look like half of one."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    claims.complete(conn, n, Fetched(Path("/x/y.bin"), 7), 3.0)

    change = claims.requeue(conn, n, received=3, not_before=None, error=None, tried=1)

    assert (change.download.state, change.download.received) == (State.COMPLETED, 7)


def test_what_was_active_when_the_program_died_is_claimed_again_at_once(
    conn: sqlite3.Connection,
) -> None:
    """It waits for nothing but a slot."""
    (n,) = queue(conn, "a")
    take(conn, 1)

    assert claims.requeue_active(conn) == 1
    assert claims.next_due(conn) is None
    assert [job.n for job, _ in claims.claim(conn, claims.Turn({}, 4), limit=1, now=2.0)] == [n]


def test_what_is_not_settled_is_in_flight(conn: sqlite3.Connection) -> None:
    """At a start the cookies of everything else are erased: those of a paused download are not."""
    settled, active, paused, _ = queue(conn, "a", 4)
    take(conn, 2)
    claims.complete(conn, settled, Fetched(Path("/x/y.bin"), 7), 3.0)
    asking.ask(conn, f"d{paused}", "pause", 4.0)

    assert downloads.get(conn, f"d{active}").state == State.ACTIVE
    ids = ("d1", "d2", "d3", "d4", "d5", "d²", "d", "x1", "d1 ", "d-1", "")
    assert [id for id in ids if downloads.in_flight(conn, id)] == ["d2", "d3", "d4"]


def test_only_a_completed_download_gets_a_checksum(conn: sqlite3.Connection) -> None:
    """One that was taken up anew meanwhile will be another file."""
    (n,) = queue(conn, "a")
    claims.reserve(conn, n, "/x/y.bin", 7)

    downloads.hashed(conn, [(n, ("f" * 64, 7))])

    assert downloads.get(conn, f"d{n}").sha256 is None


def test_a_batch_finishes_with_its_last_entry_and_not_before(conn: sqlite3.Connection) -> None:
    """Shared and own downloads count alike; the outcome of each entry is kept."""
    first, second = queue(conn, "a", 2)
    batch = batches.create(conn, "two", "hook", 0.0)
    batches.enter(conn, batch, 1, "u1", first)
    batches.enter(conn, batch, 2, "u2", second)
    batches.enter_settled(conn, batch, 3, "u3", "rejected", code="bad_url", message="No.")
    take(conn, 2)

    assert claims.complete(conn, first, Fetched(Path("/x"), 1), 1.0).finished == ()
    (finished,) = claims.fail(conn, second, DownloadError("not_found"), 0, 2.0).finished

    assert finished.counts == {"completed": 1, "failed": 1, "rejected": 1}
    assert [entry.outcome for entry in batches.entries(conn, "b1")] == [
        "completed",
        "failed",
        "rejected",
    ]


def test_asking_for_what_holds_changes_nothing(conn: sqlite3.Connection) -> None:
    """Twice the same is no error; from a state that does not allow it, it is."""
    (n,) = queue(conn, "a")
    id = f"d{n}"

    assert asking.ask(conn, id, "pause", 0.0).changed
    assert not asking.ask(conn, id, "pause", 0.0).changed
    with pytest.raises(WrongStateError):
        asking.ask(conn, id, "retry", 0.0)


def test_claiming_does_not_get_slower_with_history(conn: sqlite3.Connection) -> None:
    """Every step of a claim is an index search; nothing scans the table."""
    statements: list[str] = []
    queue(conn, "a", 3)
    conn.set_trace_callback(statements.append)
    take(conn, 2)
    claims.wake(conn, 0.0, 10.0)
    claims.next_due(conn)
    conn.set_trace_callback(None)

    for statement in [s for s in statements if "downloads" in s]:
        for row in conn.execute("EXPLAIN QUERY PLAN " + statement):
            assert "SCAN downloads" not in row["detail"] or "INDEX" in row["detail"], statement


def test_an_entry_follows_a_file_that_arrived_after_all(conn: sqlite3.Connection) -> None:
    """What was cancelled in its last moment is told as what it is: complete."""
    (n,) = queue(conn, "a")
    batch = batches.create(conn, "one", "hook", 0.0)
    batches.enter(conn, batch, 1, "u", n)
    take(conn, 1)
    asking.ask(conn, f"d{n}", "cancel", 1.0)

    claims.complete(conn, n, Fetched(Path("/x/y"), 1), 2.0)

    (entry,) = batches.entries(conn, "b1")
    assert (entry.outcome, entry.path) == ("completed", str(Path("/x/y")))


def test_a_host_that_asked_us_to_slow_down_is_remembered(conn: sqlite3.Connection) -> None:
    """Also after a restart nobody asks it before its time."""
    (n,) = queue(conn, "a")
    (other,) = queue(conn, "b")
    take(conn, 2)
    busy, lost = DownloadError("server_busy"), DownloadError("network")
    claims.requeue(conn, n, received=0, not_before=100.0, error=busy, tried=1)
    claims.requeue(conn, other, received=0, not_before=100.0, error=lost, tried=1)

    assert claims.cooling(conn, 50.0) == {"a": 100.0}
    assert claims.cooling(conn, 200.0) == {}


def test_a_fresh_link_brings_its_password_and_leaves_the_cookies(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    """What was sent along before is kept, but for the login that the new address names."""
    (n,) = queue(conn, "h")
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    secrets.keep(id, Secrets({"X-Mine": "1", "Authorization": "old"}, (Cookie("a", "b", "h"),)))
    asking.relink(conn, id, admit(Item("http://me:pw@h/fresh")), secrets)
    kept = secrets.load(id)
    assert kept.headers == {"X-Mine": "1", "Authorization": "Basic bWU6cHc="}
    assert [cookie.name for cookie in kept.cookies] == ["a"]


@pytest.mark.parametrize("fresh", ["http://other/x", "http://h:81/x", "https://h/x"])
def test_a_fresh_link_at_another_origin_gets_no_secret_of_the_first(
    conn: sqlite3.Connection, tmp_path: Path, fresh: str
) -> None:
    """Neither headers nor referer; cookies go where their domain allows."""
    item = Item("http://me:pw@h/f", referer="http://h/?t=CANARY", filename="f.mp4", user_agent="UA")
    new = admit(item)
    n = downloads.insert(conn, new, "hook", None, 0, 0.0)
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    secrets.keep(id, Secrets({**new.secrets.headers, "Cookie": "c"}, (Cookie("a", "b", "h"),)))
    asking.relink(conn, id, admit(Item(fresh)), secrets)
    assert secrets.load(id) == Secrets({}, (Cookie("a", "b", "h"),))
    order = downloads.order_of(downloads.row_of(conn, n))
    assert (order.referer, order.filename, order.user_agent) == (None, "f.mp4", "UA")


def test_what_is_due_wakes_some_at_a_time(conn: sqlite3.Connection) -> None:
    """A hundred thousand that became due together do not hold up one transaction."""
    for n in queue(conn, "h", claims.AT_ONCE + 1):
        conn.execute("UPDATE downloads SET not_before = 5 WHERE n = ?", (n,))
    assert claims.wake(conn, 10.0, 100.0) == claims.AT_ONCE
    assert claims.next_due(conn) == 5
    assert claims.wake(conn, 10.0, 100.0) == 1
