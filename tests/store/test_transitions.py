"""Claim, then release with an outcome; and what a person may ask in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trayagent.model.downloads import Cookie, Item, Patch, State
from trayagent.model.errors import DownloadError, TrayagentError, WrongStateError
from trayagent.model.jobs import DownloadSecrets, New, Order
from trayagent.model.transfer import Fetched
from trayagent.model.validation import validate
from trayagent.store import batches, claims, downloads, recovery, transitions, undo
from trayagent.store.claims import Turn
from trayagent.store.secrets import SecretFiles
from trayagent.store.transitions import Advance, Completed, Failed, Outcome, Reached, Requeued


def queue(conn: sqlite3.Connection, host: str, count: int = 1, urgent: int = 0) -> list[int]:
    start = conn.execute("SELECT count(*) FROM downloads").fetchone()[0]
    news = [
        New(url := f"http://{host}/{start + i}", url, host, Order(), urgent=urgent > 0)
        for i in range(count)
    ]
    rows = downloads.insert(conn, news, via="cli", urgent=urgent, now=0.0)
    return [rows[new.key]["n"] for new in news]


def take(conn: sqlite3.Connection, most: int, **words: Any) -> list[int]:
    """Begin the next downloads, at most so many; their numbers."""
    following = claims.line_up(conn, Turn(most, **words), 1.0)
    numbers = [job.n for job, _ in following.jobs]
    transitions.advance(conn, Advance(dict.fromkeys(numbers, 1.0)), 1.0)
    return numbers


def hosts(conn: sqlite3.Connection, most: int, **words: Any) -> list[str]:
    """As `take`; their hosts."""
    return [downloads.row_of(conn, n)["host"] for n in take(conn, most, **words)]


def give_back(conn: sqlite3.Connection, n: int, not_before: float, code: str = "network") -> None:
    transitions.release(
        conn, n, Requeued(Reached(), not_before, DownloadError(code), tried=True), 2.0
    )


def test_hosts_take_turns(conn: sqlite3.Connection) -> None:
    """A host with a long queue does not keep the others waiting."""
    queue(conn, "a", 10)
    queue(conn, "b", 2)
    queue(conn, "c", 1)

    assert hosts(conn, 4) == ["a", "b", "c", "a"]
    assert hosts(conn, 2, after="a") == ["b", "a"]


def test_a_host_that_is_left_alone_is_passed_over(conn: sqlite3.Connection) -> None:
    """What it has waits; the others go on."""
    queue(conn, "a", 10)
    queue(conn, "b", 1)

    assert hosts(conn, 4, cooling={"a"}) == ["b"]


def test_what_a_slot_still_holds_is_not_taken_twice(conn: sqlite3.Connection) -> None:
    """A download that was asked to go on while it stops waits for its slot, and keeps nobody else waiting."""
    held, behind = queue(conn, "a", 2)
    (urgent,) = queue(conn, "b", 1, urgent=1)

    assert take(conn, 4, held={held, urgent}) == [behind]


def test_the_end_of_some_is_the_beginning_of_the_next(conn: sqlite3.Connection) -> None:
    """One transaction, whatever became of the downloads, for as many as there are."""
    numbers = queue(conn, "a", 5)
    take(conn, 3)
    outcomes: tuple[Outcome, ...] = (
        Completed(Fetched(Path("/x/y.bin"), 7)),
        Failed(DownloadError("not_found")),
        Requeued(not_before=50.0, error=DownloadError("network"), tried=True),
    )
    conn.execute("DELETE FROM downloads WHERE n = ?", (numbers[3],))
    ended = [*zip(numbers, outcomes, strict=False), (numbers[3], outcomes[0])]

    advanced = transitions.advance(conn, Advance({}, ended, Turn(9)), 2.0)

    *changes, removed = advanced.changes
    assert [change and change.previous for change in changes] == [State.ACTIVE] * 3
    assert [change and change.download.state for change in changes] == [
        State.COMPLETED,
        State.FAILED,
        State.QUEUED,
    ]
    assert removed is None
    assert [job.n for job, _ in advanced.following.jobs] == [numbers[4]]
    assert advanced.following.due == 50.0


def test_what_began_and_ended_between_two_transactions_is_told_once(
    conn: sqlite3.Connection,
) -> None:
    """Its row goes from queued to its outcome, with the time at which it began."""
    done, failed, open_ = queue(conn, "a", 3)
    begun = {done: 1.0, failed: 1.5, open_: 1.75}
    ended: list[tuple[int, Outcome]] = [
        (done, Completed(Fetched(Path("/x/y.bin"), 7))),
        (failed, Failed(DownloadError("not_found"))),
    ]

    advanced = transitions.advance(conn, Advance(begun, ended), 2.0)

    rows = [downloads.row_of(conn, n) for n in begun]
    assert [row["state"] for row in rows] == ["completed", "failed", "active"]
    assert [row["started_at"] for row in rows] == [1.0, 1.5, 1.75]
    assert not advanced.astray


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_what_was_asked_before_a_beginning_could_be_noted_stands(
    conn: sqlite3.Connection, verb: str
) -> None:
    """The slot is told that it went astray; only a file that arrived all the same counts."""
    stopped, arrived = queue(conn, "a", 2)
    for n in (stopped, arrived):
        transitions.apply_command(conn, f"d{n}", verb, 1.0)
    came = Completed(Fetched(Path("/x/y.bin"), 7))

    advanced = transitions.advance(
        conn, Advance({stopped: 1.0, arrived: 1.0}, [(arrived, came)]), 2.0
    )

    assert advanced.astray == {stopped}
    assert downloads.get(conn, f"d{stopped}").state == transitions.COMMANDS[verb][1]
    assert downloads.get(conn, f"d{arrived}").state == State.COMPLETED


def test_a_start_finds_what_was_finished_and_queues_the_rest(conn: sqlite3.Connection) -> None:
    """Records tell it, whether or not a row had been marked as begun; those of others are no matter."""
    active, begun, queued, paused = queue(conn, "a", 4)
    take(conn, 1)
    transitions.apply_command(conn, f"d{paused}", "pause", 1.0)
    owners = [downloads.get(conn, f"d{n}").owner for n in (active, begun, paused)]

    found = recovery.recover(conn, [*owners, f"d{queued} another", "g0123", ""])

    assert [job.n for job, _ in found] == [active, begun]
    states = [downloads.get(conn, f"d{n}").state for n in (active, begun, queued, paused)]
    assert states == [State.ACTIVE, State.ACTIVE, State.QUEUED, State.PAUSED]
    assert recovery.requeue_active(conn) == 2


def test_urgent_ones_come_first(conn: sqlite3.Connection) -> None:
    """`next` puts a download before everything that waits."""
    queue(conn, "a", 3)
    (wanted,) = queue(conn, "z", urgent=downloads.next_urgency(conn))

    assert hosts(conn, 1) == ["z"]
    assert downloads.get(conn, f"d{wanted}").state == State.ACTIVE


def test_what_waits_is_not_claimed_before_its_time(conn: sqlite3.Connection) -> None:
    """`not_before` is kept, and a clock that was set back strands nothing."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    give_back(conn, n, 100.0, "server_busy")

    assert take(conn, 1) == []
    assert claims.next_due(conn) == 100.0
    claims.wake(conn, 100.0)
    assert hosts(conn, 1) == ["a"]

    give_back(conn, n, 1e9)
    claims.wake(conn, 50.0)
    assert hosts(conn, 1) == ["a"]


def test_completion_wins_over_what_was_asked_meanwhile(conn: sqlite3.Connection) -> None:
    """A published file is a completed download, even if it was cancelled a moment before."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    transitions.apply_command(conn, f"d{n}", "cancel", 2.0)

    change = transitions.release(conn, n, Completed(Fetched(Path("/x/y.bin"), 7)), 3.0)

    assert change.download.state == State.COMPLETED
    assert change.download.path == str(Path("/x/y.bin"))


def test_a_failure_does_not_undo_what_was_asked_meanwhile(conn: sqlite3.Connection) -> None:
    """A download that was cancelled while it failed stays cancelled."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    transitions.apply_command(conn, f"d{n}", "cancel", 2.0)

    change = transitions.release(conn, n, Failed(DownloadError("not_found"), Reached()), 3.0)

    assert (change.previous, change.download.state) == (State.CANCELLED, State.CANCELLED)
    assert change.download.error is None


def test_giving_back_what_is_completed_changes_nothing(conn: sqlite3.Connection) -> None:
    """The count of a worker that ends late does not make a whole file look like half of one."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    transitions.release(conn, n, Completed(Fetched(Path("/x/y.bin"), 7)), 3.0)

    change = transitions.release(conn, n, Requeued(Reached("/x/z.bin", 9, 3), tried=True), 2.0)

    download = change.download
    done = (State.COMPLETED, 7, str(Path("/x/y.bin")))
    assert (download.state, download.received, download.path) == done


def test_what_was_active_when_the_program_died_is_claimed_again_at_once(
    conn: sqlite3.Connection,
) -> None:
    """It waits for nothing but a slot."""
    (n,) = queue(conn, "a")
    take(conn, 1)

    assert recovery.recover(conn, []) == []
    assert claims.next_due(conn) is None
    assert take(conn, 1) == [n]


def test_what_is_not_settled_is_in_flight(conn: sqlite3.Connection) -> None:
    """At a start the cookies of everything else are erased: those of a paused download are not."""
    settled, active, paused, _ = queue(conn, "a", 4)
    take(conn, 2)
    transitions.release(conn, settled, Completed(Fetched(Path("/x/y.bin"), 7)), 3.0)
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
    batches.enter(conn, batch, [(1, "u1", first, None), (2, "u2", second, None)])
    batches.enter_settled(conn, batch, 3, "u3", "rejected", code="bad_url", message="No.")
    take(conn, 2)

    assert transitions.release(conn, first, Completed(Fetched(Path("/x"), 1)), 1.0).finished == ()
    (finished,) = transitions.release(
        conn, second, Failed(DownloadError("not_found"), Reached()), 2.0
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
    assert take(conn, 1) == [n]


def test_the_name_of_a_running_download_outlives_it(conn: sqlite3.Connection) -> None:
    """However it ends: what removes or resumes its part finds it."""
    named = queue(conn, "a", 4)
    take(conn, 4)
    lazy, back, failed, cancelled = named
    transitions.keep_names(conn, [(lazy, "/x/1", 5)])
    transitions.apply_command(conn, f"d{cancelled}", "cancel", 1.0)
    transitions.release(conn, back, Requeued(Reached("/x/2", 5, 3)), 2.0)
    transitions.release(
        conn, failed, Failed(DownloadError("not_found"), Reached("/x/3", 5, 3)), 2.0
    )
    transitions.release(conn, cancelled, Requeued(Reached("/x/4", 5, 3)), 2.0)

    paths = [downloads.get(conn, f"d{n}").path for n in named]
    assert paths == ["/x/1", "/x/2", "/x/3", "/x/4"]


def test_a_record_is_remembered_until_it_is_gone(conn: sqlite3.Connection) -> None:
    """A kill between the row and the removal leaves nothing beside the file for ever."""
    (n,) = queue(conn, "a")
    take(conn, 1)
    change = transitions.release(conn, n, Completed(Fetched(Path("/x/y"), 1)), 2.0)

    assert recovery.settled_records(conn) == [(n, Path("/x/y"), change.download.owner)]
    recovery.forget_records(conn, [n])
    assert recovery.settled_records(conn) == []


def test_what_is_cleared_is_finished(conn: sqlite3.Connection) -> None:
    """Failures stay until they are cleared by name."""
    done, failed, cancelled, _ = queue(conn, "a", 4)
    take(conn, 2)
    transitions.release(conn, done, Completed(Fetched(Path("/x/y"), 1)), 2.0)
    transitions.release(conn, failed, Failed(DownloadError("not_found"), Reached()), 2.0)
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
    recovery.recover(conn, ["d1 then"])
    conn.set_trace_callback(None)

    for statement in [s for s in statements if "downloads" in s]:
        for row in conn.execute("EXPLAIN QUERY PLAN " + statement):
            assert "SCAN downloads" not in row["detail"] or "INDEX" in row["detail"], statement


def test_an_entry_follows_a_file_that_arrived_after_all(conn: sqlite3.Connection) -> None:
    """What was cancelled in its last moment is told as what it is: complete."""
    (n,) = queue(conn, "a")
    batch = batches.create(conn, "one", "hook", 0.0)
    batches.enter(conn, batch, [(1, "u", n, None)])
    take(conn, 1)
    transitions.apply_command(conn, f"d{n}", "cancel", 1.0)

    transitions.release(conn, n, Completed(Fetched(Path("/x/y"), 1)), 2.0)

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
    n = downloads.insert(conn, [new], via="hook", now=0.0)[new.key]["n"]
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
    n = downloads.insert(conn, [new], via="hook", now=0.0)[new.key]["n"]
    secrets, id = SecretFiles(tmp_path), downloads.public_id(n)
    secrets.keep(id, new.secrets)
    take(conn, 1)
    transitions.release(conn, n, Failed(DownloadError("forbidden"), Reached("/x/f", 9, 3)), 2.0)

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
    transitions.release(conn, n, Completed(Fetched(Path("/x/f"), 1)), 2.0)


def settle_cancelled(conn: sqlite3.Connection, n: int) -> None:
    transitions.apply_command(conn, f"d{n}", "cancel", 2.0)


def settle_undone(conn: sqlite3.Connection, n: int) -> None:
    undo.cancel_untouched(conn, 1, 0, 2.0)


@pytest.mark.parametrize("settle", [settle_complete, settle_cancelled, settle_undone])
def test_what_is_settled_keeps_no_query_of_its_page(
    conn: sqlite3.Connection, settle: Callable[[sqlite3.Connection, int], None]
) -> None:
    batch = batches.create(conn, "two", "hook", 0.0, open=False)
    new = validate(SENT_FROM)
    n = downloads.insert(conn, [new], via="hook", batch=batch, now=0.0)[new.key]["n"]
    settle(conn, n)
    row = downloads.row_of(conn, n)
    assert "CANARY" not in "".join(str(value) for value in row)
    assert downloads.order_of(row).referer == "http://h/"
    assert downloads.order_of(row).page_url == "http://h/p"


def test_a_failure_keeps_what_a_retry_needs(conn: sqlite3.Connection) -> None:
    """It is at rest, not at its end: its page is what a person opens to mend it."""
    new = validate(SENT_FROM)
    n = downloads.insert(conn, [new], via="hook", now=0.0)[new.key]["n"]
    take(conn, 1)
    transitions.release(conn, n, Failed(DownloadError("forbidden"), Reached()), 2.0)
    transitions.apply_command(conn, f"d{n}", "retry", 3.0)
    (job,) = [job for job, _ in claims.line_up(conn, Turn(4), 4.0).jobs]
    assert (job.order.referer, job.order.page_url) == (SENT_FROM.referer, SENT_FROM.page_url)
