"""What a list shows: the order it is asked for, a window of it, and how many there are of each sort."""

from __future__ import annotations

import sqlite3

import pytest

from trayagent.model.downloads import Item
from trayagent.model.errors import DownloadError, WrongStateError
from trayagent.model.validation import validate
from trayagent.store import claims, downloads, listing, queue_order, transitions
from trayagent.store.claims import Turn
from trayagent.store.listing import Chosen
from trayagent.store.transitions import Advance, Failed


def add(conn: sqlite3.Connection, url: str, **words: object) -> str:
    new = validate(Item(url, **words))  # type: ignore[arg-type]
    return downloads.public_id(downloads.insert(conn, [new], via="cli", now=0.0)[new.key]["n"])


def show(
    conn: sqlite3.Connection,
    chosen: Chosen | None = None,
    sort: listing.Sort = "queue",
    *,
    down: bool = False,
    left: dict[int, float] | None = None,
) -> list[str]:
    numbers = listing.numbers_in_order(conn, chosen or Chosen(), sort, down=down, left=left or {})
    return [one.id for one in listing.rows(conn, numbers)]


def claim(conn: sqlite3.Connection, most: int) -> list[str]:
    jobs = [job for job, _ in claims.line_up(conn, Turn(most), 1.0).jobs]
    transitions.advance(conn, Advance({job.n: 1.0 for job in jobs}), 1.0)
    return [job.id for job in jobs]


def names(conn: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = conn.execute("SELECT name, ending FROM downloads ORDER BY n")
    return [(row["name"], row["ending"]) for row in rows]


def test_every_row_has_a_name_and_an_ending(conn: sqlite3.Connection) -> None:
    """From the path, else from what was asked for, else from the address without its query."""
    add(conn, "http://a.example/films/The%20Sea.MP4?token=a/b.exe")
    add(conn, "http://a.example/get?id=5", filename="Report 2026.pdf")
    add(conn, "http://a.example/folder/")
    n = downloads.number(add(conn, "http://a.example/x"))
    conn.execute(r"UPDATE downloads SET path = 'C:\Users\me\picture.one.png' WHERE n = ?", (n,))
    assert names(conn) == [
        ("The%20Sea.MP4", "mp4"),
        ("Report 2026.pdf", "pdf"),
        ("folder", "folder"),
        ("picture.one.png", "png"),
    ]


def test_a_name_follows_the_row(conn: sqlite3.Connection) -> None:
    """A file that got its name, was moved, or is gone: the list sorts by what is so now."""
    n = downloads.number(add(conn, "http://a.example/one.mp4"))
    found = []
    for path in ("/d/one (1).mp4", "/d/Two.JPG", None):
        conn.execute("UPDATE downloads SET path = ? WHERE n = ?", (path, n))
        found += names(conn)
    assert found == [("one (1).mp4", "mp4"), ("Two.JPG", "jpg"), ("one.mp4", "mp4")]


def test_the_queue_is_shown_as_it_will_run(conn: sqlite3.Connection) -> None:
    """Running ones, then hosts in turn as they are claimed, then what waits for a person, then the past."""
    done = add(conn, "http://a.example/done")
    failed = add(conn, "http://a.example/failed")
    assert claim(conn, 2) == [done, failed]
    conn.execute("UPDATE downloads SET state = 'completed' WHERE n = ?", (downloads.number(done),))
    outcome = Failed(DownloadError("not_found"))
    transitions.release(conn, downloads.number(failed), outcome, 2.0)
    running = add(conn, "http://a.example/running")
    assert claim(conn, 1) == [running]
    first, second, third = (add(conn, f"http://a.example/{n}") for n in (1, 2, 3))
    other = add(conn, "http://b.example/1")
    paused = add(conn, "http://a.example/paused", paused=True)
    assert show(conn) == [running, first, other, second, third, paused, failed, done]
    assert claim(conn, 4) == [first, other, second, third]


def test_what_was_moved_is_claimed_in_its_new_order(conn: sqlite3.Connection) -> None:
    a, b, c, d = (add(conn, f"http://a.example/{n}") for n in "abcd")
    waiting = Chosen(("queued",))
    assert queue_order.move(conn, [d], "up") == [d]
    assert show(conn, waiting) == [a, b, d, c]
    queue_order.move(conn, [a], "down")
    assert show(conn, waiting) == [b, a, d, c]
    queue_order.move(conn, [d, c], "before", b)
    assert show(conn, waiting) == [d, c, b, a]
    queue_order.move(conn, [a], "top")
    queue_order.move(conn, [d], "bottom")
    assert show(conn, waiting) == [a, c, b, d]
    new = add(conn, "http://b.example/new")
    assert show(conn, waiting) == [a, c, b, new, d]
    assert claim(conn, 5) == [a, c, b, new, d]


def test_several_are_moved_together_and_keep_their_order(conn: sqlite3.Connection) -> None:
    a, b, c, d, e = (add(conn, f"http://a.example/{n}") for n in "abcde")
    waiting = Chosen(("queued",))
    queue_order.move(conn, [e, c], "top")
    assert show(conn, waiting) == [e, c, a, b, d]
    queue_order.move(conn, [e, c], "down")
    assert show(conn, waiting) == [a, e, c, b, d]
    queue_order.move(conn, [b, d], "up")
    assert show(conn, waiting) == [a, e, b, d, c]
    assert queue_order.move(conn, ["d99"], "up") == []


def test_a_place_too_far_down_is_refused(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [add(conn, f"http://a.example/{n}") for n in range(12)]
    monkeypatch.setattr(queue_order, "DEEPEST", 10)
    with pytest.raises(WrongStateError, match="first 10 places"):
        queue_order.move(conn, [ids[0]], "before", ids[11])
    queue_order.move(conn, [ids[11]], "top")
    assert show(conn)[0] == ids[11]


def test_sorted_by_any_column(conn: sqlite3.Connection) -> None:
    big = add(conn, "http://a.example/b.mp4")
    small = add(conn, "http://a.example/A.mp4")
    unknown = add(conn, "http://a.example/c.mp4")
    for id, size, received in ((big, 900, 90), (small, 100, 80)):
        conn.execute(
            "UPDATE downloads SET size = ?, received = ? WHERE n = ?",
            (size, received, downloads.number(id)),
        )
    assert show(conn, sort="name") == [small, big, unknown]
    assert show(conn, sort="name", down=True) == [unknown, big, small]
    assert show(conn, sort="size") == [small, big, unknown]
    assert show(conn, sort="size", down=True) == [big, small, unknown]
    assert show(conn, sort="progress", down=True) == [small, big, unknown]
    assert show(conn, sort="added", down=True) == [unknown, small, big]
    left = {downloads.number(unknown): 2.5, downloads.number(big): 60.0}
    assert show(conn, sort="left", left=left) == [unknown, big, small]


def test_chosen_by_state_type_and_words(conn: sqlite3.Connection) -> None:
    film = add(conn, "http://a.example/100%25_film.mkv")
    text = add(conn, "http://a.example/get?id=1", filename="Annual report.PDF", paused=True)
    odd = add(conn, "http://a.example/thing")
    assert show(conn, Chosen(type="video")) == [film]
    assert show(conn, Chosen(type="document")) == [text]
    assert show(conn, Chosen(type="other")) == [odd]
    assert show(conn, Chosen(("paused",))) == [text]
    assert show(conn, Chosen(q="annual REPORT")) == [text]
    assert show(conn, Chosen(q="%25_f")) == [film]
    assert show(conn, Chosen(("queued",), q="report")) == []
    states, types = listing.tally(conn)
    assert (dict(states), dict(types)) == (
        {"queued": 2, "paused": 1},
        {"video": 1, "document": 1, "other": 1},
    )
