"""The lineup: the first whose host has room begins."""

from __future__ import annotations

from collections import Counter

from trayagent.agent.queue.lineup import Lineup
from trayagent.model.downloads import Download, State
from trayagent.model.jobs import Job, Order


def lined_up(*places: str) -> Lineup:
    """Downloads d1, d2, …, of these hosts."""
    lineup = Lineup()
    lineup.renew(
        (
            Job(n, f"d{n}", url, url, host, Order(), None, 0, "cli", None),
            Download(f"d{n}", url, State.QUEUED),
        )
        for n, host in enumerate(places, 1)
        for url in [f"http://{host}/{n}"]
    )
    return lineup


def take(lineup: Lineup, busy: Counter[str], cooling: tuple[str, ...] = ()) -> str | None:
    taken = lineup.take(busy, 2, cooling)
    return None if taken is None else taken[0].id


def test_a_host_gets_no_more_than_its_share() -> None:
    """What it has waits for its turn; the others go on."""
    lineup = lined_up("a", "a", "b", "c")
    assert take(lineup, Counter(a=2), ("c",)) == "d3"
    assert take(lineup, Counter(a=2, b=1), ("c",)) is None
    assert take(lineup, Counter(a=1)) == "d1"
    assert take(lineup, Counter(a=1)) == "d2"
    assert take(lineup, Counter()) == "d4"
    assert len(lineup) == 0


def test_what_was_dropped_does_not_begin() -> None:
    lineup = lined_up("a", "a")
    lineup.drop(["d1", "d9"])
    assert take(lineup, Counter()) == "d2"
