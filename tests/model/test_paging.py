"""A listing ends at its end token, in a loop, at a cursor that never moves, or at the cap, and each is told apart."""

from __future__ import annotations

from trayagent.model.paging import CAP, Trail


def walk(pages: list[tuple[str | None, str | None, int]]) -> list[str]:
    """Steps over pages of (next cursor, first item, items not seen before)."""
    trail, cursor = Trail(), None
    steps: list[str] = []
    for following, first, fresh in pages:
        steps.append(trail.step(cursor, following, first, fresh))
        cursor = following
    return steps


def test_a_plain_end() -> None:
    assert walk([("b", "1", 18), ("c", "19", 18), (None, "37", 6)]) == ["on", "on", "end"]


def test_an_empty_library() -> None:
    assert walk([(None, None, 0)]) == ["end"]


def test_a_known_cursor_after_several_pages_is_a_loop() -> None:
    assert walk([("b", "1", 18), ("c", "19", 18), ("a", "37", 6), ("b", "1", 0)])[-1] == "loop"


def test_page_one_again_with_new_cursors_is_a_loop() -> None:
    assert walk([("b", "1", 18), ("c", "19", 18), ("d", "1", 0)])[-1] == "loop"


def test_a_cursor_that_never_moves_is_stuck() -> None:
    assert walk([("b", "1", 18), ("b", "1", 0)]) == ["on", "stuck"]


def test_an_ignored_cursor_is_stuck() -> None:
    assert walk([("b", "1", 18), ("c", "1", 0)]) == ["on", "stuck"]


def test_a_last_page_that_repeats_its_own_cursor_is_asked_once_more() -> None:
    assert walk([("b", "1", 18), ("b", "19", 18), ("b", "19", 0)]) == ["on", "on", "loop"]
    assert walk([("b", "1", 18), ("b", None, 0)]) == ["on", "loop"]


def test_one_cursor_may_serve_all_pages() -> None:
    pages: list[tuple[str | None, str | None, int]]
    pages = [("b", "1", 18), ("b", "19", 18), ("b", "37", 18), (None, "55", 6)]
    assert walk(pages) == ["on", "on", "on", "end"]


def test_one_cursor_for_all_pages_ends_at_the_cap() -> None:
    trail = Trail()
    steps = [trail.step("c" if n else None, "c", str(n), 1) for n in range(CAP)]
    assert (steps[-2], steps[-1]) == ("on", "cap")


def test_an_empty_page_with_a_cursor_is_no_end() -> None:
    steps = walk([("b", "1", 18), ("c", None, 0), ("d", None, 0), (None, "19", 6)])
    assert steps == ["on", "on", "on", "end"]


def test_empty_pages_end() -> None:
    steps = walk([("b", "1", 18), *[(f"c{n}", None, 0) for n in range(4)]])
    assert steps == ["on", "on", "on", "on", "loop"]
    assert walk([(f"c{n}", None, 0) for n in range(4)]) == ["on", "on", "on", "loop"]


def test_pages_of_duplicates_alone_are_no_end() -> None:
    steps = walk([("b", "1", 18), ("c", "19", 18), ("d", "20", 0), ("e", "21", 0), (None, "37", 6)])
    assert steps == ["on", "on", "on", "on", "end"]


def test_endless_new_cursors_end_after_one_more_round() -> None:
    trail = Trail()
    steps = [trail.step(f"c{n}", f"c{n + 1}", str(n), 1 if n < 10 else 0) for n in range(21)]
    assert steps[-1] == "loop"
    assert steps[:-1] == ["on"] * 20


def test_the_cap() -> None:
    trail = Trail()
    steps = [trail.step(f"c{n}", f"c{n + 1}", str(n), 1) for n in range(CAP)]
    assert (steps[-2], steps[-1]) == ("on", "cap")
