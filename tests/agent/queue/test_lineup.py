"""The lineup: the first whose host has room begins, and threads that take and end agree with the loop."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from trayagent.agent.queue.lineup import MOST_UNSAVED, Following, Lineup, PoolLimits, Series
from trayagent.model.downloads import Download, State
from trayagent.model.jobs import Job, Order
from trayagent.model.transfer import Fetched
from trayagent.store.transitions import Completed, Requeued

FETCHED = Fetched(Path("/d/1"), 3)


def lined_up(*hosts: str, workers: int = 4, per_host: int = 2) -> Lineup:
    """Downloads d1, d2, ..., of these hosts."""
    lineup = Lineup(PoolLimits(workers, per_host), Path("/d"), lambda: None)
    lineup.extend(
        (
            Job(n, f"d{n}", url, url, host, Order(), None, 0, "cli", None),
            Download(f"d{n}", url, State.QUEUED),
        )
        for n, host in enumerate(hosts, 1)
        for url in [f"http://{host}/{n}"]
    )
    lineup.is_open = True
    return lineup


def take(lineup: Lineup) -> str | None:
    slot = lineup.take(Series())
    return None if slot is None else slot.job.id


def test_a_host_gets_no_more_than_its_share() -> None:
    """What it has waits for its turn; the others go on."""
    lineup = lined_up("a", "a", "a", "b", "c")
    lineup.cooling = {"c": time.time() + 60, "b": time.time() - 1}
    first = lineup.take(Series())
    assert first is not None
    assert [first.job.id, take(lineup), take(lineup), take(lineup)] == ["d1", "d2", "d4", None]
    lineup.end(first, Completed(FETCHED))
    assert take(lineup) == "d3"
    lineup.cooling = {}
    assert take(lineup) == "d5"
    assert len(lineup) == 0


def test_nothing_begins_beyond_the_workers_or_while_it_is_closed() -> None:
    lineup = lined_up("a", "b", "c", workers=2)
    lineup.is_open = False
    assert take(lineup) is None
    lineup.is_open = True
    assert [take(lineup), take(lineup), take(lineup)] == ["d1", "d2", None]
    lineup.limits = PoolLimits(3, 2)
    assert take(lineup) == "d3"


def test_what_was_dropped_does_not_begin() -> None:
    lineup = lined_up("a", "a")
    lineup.drop(["d1", "d9"])
    assert take(lineup) == "d2"


def test_only_so_many_outcomes_wait_for_the_store() -> None:
    lineup = lined_up(*"a" * (MOST_UNSAVED + 1))
    for _ in range(MOST_UNSAVED):
        slot = lineup.take(Series())
        assert slot is not None
        lineup.end(slot, Completed(FETCHED))
    assert take(lineup) is None
    lineup.note_saved(1)
    assert take(lineup) is not None


def test_every_end_is_told_once_and_frees_one_place() -> None:
    """Also where a thread that was given up ends what the loop has ended already."""
    lineup = lined_up("a", "a", workers=1)
    slot = lineup.take(Series())
    assert slot is not None
    lineup.end(slot, Requeued())
    lineup.end(slot, Completed(FETCHED))
    assert slot.outcome == Requeued()
    assert lineup.read_news() == [slot, slot]
    assert [take(lineup), take(lineup)] == ["d2", None]


def test_a_series_that_was_closed_begins_nothing_more() -> None:
    """Its thread may be stuck in its last file, while the task goes on with others."""
    lineup = lined_up("a", "a", "a")
    series = Series()
    first = lineup.take(series)
    following = Following(lineup, series, lambda _: True)
    given = following.give()
    following.close()
    assert first is not None
    lineup.end(first, Requeued())
    second = lineup.take(series)

    following.note(FETCHED)

    assert given is not None
    assert given[0].id == "d1"
    assert following.give() is None
    assert second is not None
    assert second.outcome is None
    assert take(lineup) == "d3"


def test_threads_take_each_file_once_and_never_too_many() -> None:
    """Whatever comes between them: eight threads, four places, and two for each host."""
    lineup = lined_up(*"abcd" * 25)
    seen: list[str] = []

    def work() -> None:
        series = Series()
        while len(lineup):
            slot = lineup.take(series)
            if slot is not None:
                seen.append(slot.job.id)
                lineup.end(slot, Completed(FETCHED))
                lineup.note_saved(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(seen) == sorted(f"d{n}" for n in range(1, 101))
    at_work: set[str] = set()
    for slot in lineup.read_news():
        at_work ^= {slot.job.id}
        assert len(at_work) <= 4
    assert at_work == set()
