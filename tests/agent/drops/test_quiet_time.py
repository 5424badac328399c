"""When a dropped file has arrived."""

from __future__ import annotations

from trayagent.agent.drops.folder import QUIET_SECONDS, FileLook, QuietTime

SMALL, GROWN = FileLook(1, 10, 5), FileLook(1, 20, 6)


def test_a_file_arrives_after_two_quiet_seconds() -> None:
    """Not before, and not by what its own clock says."""
    arrivals = QuietTime()

    assert arrivals.look({"a.txt": SMALL}, 100.0) == ([], QUIET_SECONDS)
    assert arrivals.look({"a.txt": SMALL}, 101.5) == ([], 0.5)
    assert arrivals.look({"a.txt": SMALL}, 102.0) == (["a.txt"], None)


def test_every_change_starts_the_wait_anew() -> None:
    """A writer that goes on is waited for; so is another file under the same name."""
    arrivals = QuietTime()
    arrivals.look({"a.txt": SMALL}, 100.0)

    assert arrivals.look({"a.txt": GROWN}, 101.9) == ([], QUIET_SECONDS)
    assert arrivals.look({"a.txt": FileLook(2, 20, 6)}, 103.8) == ([], QUIET_SECONDS)


def test_a_file_that_went_away_is_forgotten() -> None:
    """Coming back with the same look, it is new."""
    arrivals = QuietTime()
    arrivals.look({"a.txt": SMALL}, 100.0)
    arrivals.look({}, 101.0)

    assert arrivals.look({"a.txt": SMALL}, 110.0) == ([], QUIET_SECONDS)
