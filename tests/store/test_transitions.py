"""Claim, then release with an outcome; and what a person may ask in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trayagent.model.downloads import Cookie, Item, Patch, State
from trayagent.model.errors import DownloadError, TrayagentError, WrongStateError
from trayagent.model.jobs import DownloadSecrets, New, Order
from trayagent.model.transfer import Fetched
from trayagent.model.validation import validate
from trayagent.store import batches, claims, database, downloads, transitions, undo
from trayagent.store.claims import Turn
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Completed, Failed, Outcome, Reached, Requeued


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript("".join(database.MIGRATIONS))
    yield connection
    connection.close()


def queue(conn: sqlite3.Connection, host: str, count: int = 1, urgent: int = 0) -> list[int]:
    start = conn.execute("SELECT count(*) FROM downloads").fetchone()[0]
    news = [
        New(f"http://{host}/{start + i}", f"http://{host}/{start + i}", host, Order())
        for i in range(count)
    ]
    return [downloads.insert(conn, new, "cli", None, urgent, 0.0) for new in news]


def claim(conn: sqlite3.Connection, workers: int, **words: Any) -> list[int]:
    turn = Turn(workers, **{"per_host": 4, **words})
    return [job.n for job, _ in claims.claim(conn, turn, 1.0).jobs]


def take(conn: sqlite3.Connection, more: int, **words: Any) -> list[str]:
    """The hosts of so many more downloads than are active."""
    (active,) = conn.execute("SELECT count(*) FROM downloads WHERE state = 'active'").fetchone()
    turn = Turn(active + more, **{"per_host": 4, **words})
    return [job.host for job, _ in claims.claim(conn, turn, 1.0).jobs]


def give_back(conn: sqlite3.Connection, n: int, not_before: float, code: str = "network") -> None:
    transitions.requeue(conn, n, Requeued(Reached(), not_before, DownloadError(code), tried=True))


def test_hosts_take_turns(conn: sqlite3.Connection) -> None:
    """A host with a long queue does not keep the others waiting."""
    queue(conn, "a", 10)
    queue(conn, "b", 2)
    queue(conn, "c", 1)

    assert take(conn, 4) == ["a", "b", "c", "a"]
    assert take(conn, 2, after="a") == ["b", "a"]


def test_a_host_gets_no_more_than_its_share(conn: sqlite3.Connection) -> None:
    """A saturated or cooling host is passed over; what it has at work already counts."""
    queue(conn, "a", 10)
    queue(conn, "b", 1)

    assert take(conn, 4, cooling=frozenset("a")) == ["b"]
    assert take(conn, 4, per_host=2) == ["a", "a"]
    assert take(conn, 4, per_host=3, held={"x": "a"}) == []


def test_two_claims_at_the_same_time_share_what_is_free(conn: sqlite3.Connection) -> None:
    """Both were asked for before either was done: the rows, not the asker, say what is left."""
    a, b = queue(conn, "a", 5)[0], queue(conn, "b", 5)[0]
    assert claim(conn, 2, per_host=1) == [a, b]
    came = Completed(Fetched(Path("/x/y.bin"), 1))

    taken = [transitions.release_and_claim(conn, n, came, Turn(2, 1), 2.0)[1].jobs for n in (a, b)]

    assert [[job.host for job, _ in jobs] for jobs in taken] == [["a"], ["b"]]


def test_what_a_slot_still_holds_is_not_taken_twice(conn: sqlite3.Connection) -> None:
    """A download that was asked to go on while it stops waits for its slot, and keeps nobody else waiting."""
    held, behind = queue(conn, "a", 2)
    (urgent,) = queue(conn, "b", 1, urgent=1)

    assert claim(conn, 4, held={f"d{held}": "a", f"d{urgent}": "b"}) == [behind]


def test_the_end_of_one_is_the_beginning_of_the_next(conn: sqlite3.Connection) -> None:
    """One transaction: whatever became of a download, its slot goes to the next one."""
    numbers = queue(conn, "a", 4)
    take(conn, 1)
    outcomes: tuple[Outcome, ...] = (
        Completed(Fetched(Path("/x/y.bin"), 7)),
        Failed(DownloadError("not_found")),
        Requeued(not_before=50.0, error=DownloadError("network"), tried=True),
    )
    for n, following, outcome in zip(numbers, numbers[1:], outcomes, strict=False):
        change, claimed = transitions.release_and_claim(conn, n, outcome, Turn(1, 4), 2.0)
        assert change is not None
        assert change.previous == State.ACTIVE
        assert [job.n for job, _ in claimed.jobs] == [following]
    conn.execute("DELETE FROM downloads WHERE n = ?", (numbers[3],))
    change, claimed = transitions.release_and_claim(conn, numbers[3], outcomes[0], Turn(1, 4), 3.0)
    assert (change, claimed.jobs, claimed.due) == (None, (), 50.0)


def test_urgent_ones_come_first(conn: sqlite3.Connection) -> None:
    """`next` puts a download before everything that waits."""
    queue(conn, "a", 3)
    (wanted,) = queue(conn, "z", urgent=downloads.next_urgency(conn))

    assert take(conn, 1) == ["z"]
    assert downloads.get(conn, f"d{wanted}").state == State.ACTIVE


def test_what_waits_is_not_claimed_before_its_time(conn: sqlite3.Connection) -> None:
    """`not_before` is kept, and a clock that was set back strands nothing."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    give_back(conn, n, 100.0, "server_busy")

    assert take(conn, 1) == []
    assert claims.next_due(conn) == 100.0
    claims.wake(conn, 100.0)
    assert take(conn, 1) == ["a"]

    give_back(conn, n, 1e9)
    claims.wake(conn, 50.0)
    assert take(conn, 1) == ["a"]


def test_completion_wins_over_what_was_asked_meanwhile(conn: sqlite3.Connection) -> None:
    """A published file is a completed download, even if it was cancelled a moment before."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    transitions.apply_command(conn, f"d{n}", "cancel", 2.0)

    change = transitions.complete(conn, n, Fetched(Path("/x/y.bin"), 7), 3.0)

    assert change.download.state == State.COMPLETED
    assert change.download.path == str(Path("/x/y.bin"))


def test_a_failure_does_not_undo_what_was_asked_meanwhile(conn: sqlite3.Connection) -> None:
    """A download that was cancelled while it failed stays cancelled."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    transitions.apply_command(conn, f"d{n}", "cancel", 2.0)

    change = transitions.fail(conn, n, DownloadError("not_found"), Reached(), 3.0)

    assert (change.previous, change.download.state) == (State.CANCELLED, State.CANCELLED)
    assert change.download.error is None


def test_giving_back_what_is_completed_changes_nothing(conn: sqlite3.Connection) -> None:
    """The count of a worker that ends late does not make a whole file look like half of one."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    transitions.complete(conn, n, Fetched(Path("/x/y.bin"), 7), 3.0)

    change = transitions.requeue(conn, n, Requeued(Reached("/x/z.bin", 9, 3), tried=True))

    download = change.download
    done = (State.COMPLETED, 7, str(Path("/x/y.bin")))
    assert (download.state, download.received, download.path) == done


def test_what_was_active_when_the_program_died_is_claimed_again_at_once(
    conn: sqlite3.Connection,
) -> None:
    """It waits for nothing but a slot."""
    (n,) = queue(conn, "a")
    take(conn, 1)

    assert [job.n for job, _ in claims.active_jobs(conn)] == [n]
    assert transitions.requeue_active(conn) == 1
    assert claims.next_due(conn) is None
    assert claim(conn, 1) == [n]


def test_what_is_not_settled_is_in_flight(conn: sqlite3.Connection) -> None:
    """At a start the cookies of everything else are erased: those of a paused download are not."""
    settled, active, paused, _ = queue(conn, "a", 4)
    take(conn, 2)
    transitions.complete(conn, settled, Fetched(Path("/x/y.bin"), 7), 3.0)
    transitions.apply_command(conn, f"d{paused}", "pause", 4.0)

    assert downloads.get(conn, f"d{active}").state == State.ACTIVE
    ids = ("d1", "d2", "d3", "d4", "d5", "d²", "d", "x1", "d1 ", "d-1", "")
    assert [id for id in ids if downloads.is_in_flight(conn, id)] == ["d2", "d3", "d4"]


def test_only_a_completed_download_gets_a_checksum(conn: sqlite3.Connection) -> None:
    """One that was taken up anew meanwhile will be another file."""
    (n,) = queue(conn, "a")
    transitions.keep_names(conn, [(n, "/x/y.bin", 7)])

    downloads.keep_checksums(conn, [(n, ("f" * 64, 7))])

    assert downloads.get(conn, f"d{n}").sha256 is None


def test_a_batch_finishes_with_its_last_entry_and_not_before(conn: sqlite3.Connection) -> None:
    """Shared and own downloads count alike; the outcome of each entry is kept."""
    first, second = queue(conn, "a", 2)
    batch = batches.create(conn, "two", "hook", 0.0)
    batches.enter(conn, batch, 1, "u1", first)
    batches.enter(conn, batch, 2, "u2", second)
    batches.enter_settled(conn, batch, 3, "u3", "rejected", code="bad_url", message="No.")
    take(conn, 2)

    assert transitions.complete(conn, first, Fetched(Path("/x"), 1), 1.0).finished == ()
    (finished,) = transitions.fail(
        conn, second, DownloadError("not_found"), Reached(), 2.0
    ).finished

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

    assert transitions.apply_command(conn, id, "pause", 0.0).has_effect
    assert not transitions.apply_command(conn, id, "pause", 0.0).has_effect
    with pytest.raises(WrongStateError):
        transitions.apply_command(conn, id, "retry", 0.0)
    transitions.apply_command(conn, id, "resume", 0.0)
    assert not transitions.apply_command(conn, id, "retry", 0.0).has_effect


def test_a_retry_of_one_that_waits_means_now(conn: sqlite3.Connection) -> None:
    """A person who asks does not wait for the date."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    give_back(conn, n, 1000.0, "server_busy")

    change = transitions.apply_command(conn, f"d{n}", "retry", 2.0)

    assert change.has_effect
    assert (change.download.not_before, change.download.error) == (None, None)
    assert claim(conn, 1) == [n]


def test_the_name_of_a_running_download_outlives_it(conn: sqlite3.Connection) -> None:
    """However it ends: what removes or resumes its part finds it."""
    named = queue(conn, "a", 4)
    take(conn, 4)
    lazy, back, failed, cancelled = named
    transitions.keep_names(conn, [(lazy, "/x/1", 5)])
    transitions.apply_command(conn, f"d{cancelled}", "cancel", 1.0)
    transitions.requeue(conn, back, Requeued(Reached("/x/2", 5, 3)))
    transitions.fail(conn, failed, DownloadError("not_found"), Reached("/x/3", 5, 3), 2.0)
    transitions.requeue(conn, cancelled, Requeued(Reached("/x/4", 5, 3)))

    paths = [downloads.get(conn, f"d{n}").path for n in named]
    assert paths == ["/x/1", "/x/2", "/x/3", "/x/4"]


def test_a_record_is_remembered_until_it_is_gone(conn: sqlite3.Connection) -> None:
    """A kill between the row and the removal leaves nothing beside the file for ever."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    change = transitions.complete(conn, n, Fetched(Path("/x/y"), 1), 2.0)

    assert transitions.settled_records(conn) == [(n, Path("/x/y"), change.download.owner)]
    transitions.forget_records(conn, [n])
    assert transitions.settled_records(conn) == []


def test_what_is_cleared_is_finished(conn: sqlite3.Connection) -> None:
    """Failures stay until they are cleared by name."""
    done, failed, cancelled, _ = queue(conn, "a", 4)
    take(conn, 2)
    transitions.complete(conn, done, Fetched(Path("/x/y"), 1), 2.0)
    transitions.fail(conn, failed, DownloadError("not_found"), Reached(), 2.0)
    transitions.apply_command(conn, f"d{cancelled}", "cancel", 1.0)

    assert [d.id for d in transitions.clear(conn)] == [f"d{done}", f"d{cancelled}"]
    assert [d.id for d in transitions.clear(conn, ("failed",))] == [f"d{failed}"]


def test_claiming_does_not_get_slower_with_history(conn: sqlite3.Connection) -> None:
    """Every step of a claim is an index search; nothing scans the table."""
    statements: list[str] = []
    queue(conn, "a", 3)
    conn.set_trace_callback(statements.append)
    take(conn, 2)
    claims.wake(conn, 0.0)
    claims.next_due(conn)
    claims.active_jobs(conn)
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
    transitions.apply_command(conn, f"d{n}", "cancel", 1.0)

    transitions.complete(conn, n, Fetched(Path("/x/y"), 1), 2.0)

    (entry,) = batches.entries(conn, "b1")
    assert (entry.outcome, entry.path) == ("completed", str(Path("/x/y")))


def test_a_host_that_asked_us_to_slow_down_is_remembered(conn: sqlite3.Connection) -> None:
    """Also after a restart nobody asks it before its time."""
    (n,) = queue(conn, "a")
    (other,) = queue(conn, "b")
    take(conn, 2)
    give_back(conn, n, 100.0, "server_busy")
    give_back(conn, other, 100.0)

    assert claims.cooling_hosts(conn, 50.0) == {"a": 100.0}
    assert claims.cooling_hosts(conn, 200.0) == {}


def test_a_fresh_link_brings_its_password_and_leaves_the_cookies(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    """What was sent along before is kept, but for the login that the new address names."""
    (n,) = queue(conn, "h")
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    secrets.keep(
        id, DownloadSecrets({"X-Mine": "1", "Authorization": "old"}, (Cookie("a", "b", "h"),))
    )
    transitions.change(conn, id, Patch("http://me:pw@h/fresh"), secrets)
    kept = secrets.load(id)
    assert kept.headers == {"X-Mine": "1", "Authorization": "Basic bWU6cHc="}
    assert [cookie.name for cookie in kept.cookies] == ["a"]


@pytest.mark.parametrize("fresh", ["http://other/x", "http://h:81/x", "https://h/x"])
def test_a_fresh_link_at_another_origin_gets_no_secret_of_the_first(
    conn: sqlite3.Connection, tmp_path: Path, fresh: str
) -> None:
    """Neither headers nor referer; cookies go where their domain allows."""
    item = Item("http://me:pw@h/f", referer="http://h/?t=CANARY", filename="f.mp4", user_agent="UA")
    new = validate(item)
    n = downloads.insert(conn, new, "hook", None, 0, 0.0)
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    secrets.keep(
        id, DownloadSecrets({**new.secrets.headers, "Cookie": "c"}, (Cookie("a", "b", "h"),))
    )
    transitions.change(conn, id, Patch(fresh), secrets)
    assert secrets.load(id) == DownloadSecrets({}, (Cookie("a", "b", "h"),))
    order = downloads.order_of(downloads.row_of(conn, n))
    assert (order.referer, order.filename, order.user_agent) == (None, "f.mp4", "UA")


def test_a_cookie_of_a_change_is_for_the_host_of_the_link_it_came_with(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    (n,) = queue(conn, "h")
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    transitions.change(conn, id, Patch(cookies=(Cookie("a", "1"),)), secrets)
    assert [cookie.domain for cookie in secrets.load(id).cookies] == ["h"]
    transitions.change(conn, id, Patch("http://other/x"), secrets)
    assert [cookie.domain for cookie in secrets.load(id).cookies] == ["h"]
    transitions.change(conn, id, Patch("http://third/x", cookies=(Cookie("a", "1", ""),)), secrets)
    assert [cookie.domain for cookie in secrets.load(id).cookies] == ["third"]


def test_what_is_due_wakes_some_at_a_time(conn: sqlite3.Connection) -> None:
    """A hundred thousand that became due together do not hold up one transaction."""
    for n in queue(conn, "h", claims.MOST_WOKEN_AT_ONCE + 1):
        conn.execute("UPDATE downloads SET not_before = 5 WHERE n = ?", (n,))
    assert claims.wake(conn, 10.0) == claims.MOST_WOKEN_AT_ONCE
    assert claims.next_due(conn) == 5
    assert claims.wake(conn, 10.0) == 1


def test_other_words_take_the_place_of_those_before(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    """What is left out stays as it was; null takes a word back; a failure goes on at once."""
    new = validate(Item("http://h/f", referer="http://h/", segments=3, headers={"X-Old": "1"}))
    n = downloads.insert(conn, new, "hook", None, 0, 0.0)
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    secrets.keep(id, new.secrets)
    take(conn, 1)
    transitions.fail(conn, n, DownloadError("forbidden"), Reached("/x/f", 9, 3), 2.0)

    patch = Patch(headers={"X-New": "2"}, cookies=(Cookie("a", "b", "h"),), referer=None)
    change = transitions.change(conn, id, patch, secrets)

    assert (change.previous, change.download.state) == (State.FAILED, State.QUEUED)
    assert (change.download.path, change.download.received) == ("/x/f", 3)
    order = downloads.order_of(downloads.row_of(conn, n))
    assert (order.referer, order.segments) == (None, 3)
    assert secrets.load(id) == DownloadSecrets({"X-New": "2"}, (Cookie("a", "b", "h"),))
    with pytest.raises(TrayagentError, match="may not be set"):
        transitions.change(conn, id, Patch(headers={"Host": "x"}), secrets)


def test_a_file_with_another_name_begins_anew_there(
    conn: sqlite3.Connection, tmp_path: Path
) -> None:
    """Until its old part is gone it is paused, so that nobody claims it."""
    (n,) = queue(conn, "h")
    transitions.change(conn, f"d{n}", Patch(filename="b.bin"), SecretFiles(tmp_path))

    assert take(conn, 1) == []
    download = transitions.apply_command(conn, f"d{n}", "resume", 1.0).download
    assert (download.filename, download.path) == ("b.bin", None)


SENT_FROM = Item("http://h/f", referer="http://h/?t=CANARY", page_url="http://h/p?t=CANARY")
"""A download whose referer and page may open somebody's account."""


def settle_complete(conn: sqlite3.Connection, n: int) -> None:
    transitions.complete(conn, n, Fetched(Path("/x/f"), 1), 2.0)


def settle_cancelled(conn: sqlite3.Connection, n: int) -> None:
    transitions.apply_command(conn, f"d{n}", "cancel", 2.0)


def settle_undone(conn: sqlite3.Connection, n: int) -> None:
    undo.cancel_untouched(conn, 1, 0, 2.0)


@pytest.mark.parametrize("settle", [settle_complete, settle_cancelled, settle_undone])
def test_what_is_settled_keeps_no_query_of_its_page(
    conn: sqlite3.Connection, settle: Callable[[sqlite3.Connection, int], None]
) -> None:
    batch = batches.create(conn, "two", "hook", 0.0, open=False)
    n = downloads.insert(conn, validate(SENT_FROM), "hook", batch, 0, 0.0)
    settle(conn, n)
    row = downloads.row_of(conn, n)
    assert "CANARY" not in "".join(str(value) for value in row)
    assert downloads.order_of(row).referer == "http://h/"
    assert downloads.order_of(row).page_url == "http://h/p"


def test_a_failure_keeps_what_a_retry_needs(conn: sqlite3.Connection) -> None:
    """It is at rest, not at its end: its page is what a person opens to mend it."""
    n = downloads.insert(conn, validate(SENT_FROM), "hook", None, 0, 0.0)
    take(conn, 1)
    transitions.fail(conn, n, DownloadError("forbidden"), Reached(), 2.0)
    transitions.apply_command(conn, f"d{n}", "retry", 3.0)
    turn = Turn(4, per_host=4)
    (job,) = [job for job, _ in claims.claim(conn, turn, 4.0).jobs]
    assert (job.order.referer, job.order.page_url) == (SENT_FROM.referer, SENT_FROM.page_url)
