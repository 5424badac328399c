"""A listing ends when everything was shown, and says so when it was not: loops, stuck cursors, the safety cap."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model.paging import CAP, Step, Trail

Server = Callable[[str | None], tuple[Sequence[str], str | None]]


def walk(server: Server) -> tuple[Step, int, int]:
    """How a listing of this server ends, after how many pages, with how many items."""
    trail, cursor, seen = Trail(), None, set[str]()
    while True:
        items, following = server(cursor)
        fresh = len(set(items) - seen)
        seen.update(items)
        step = trail.step(cursor, following, items[0] if items else None, fresh)
        if step != "on":
            return step, trail.pages, len(seen)
        cursor = following


def pages(count: int, after_last: Callable[[int], str | None] = lambda _: None) -> Server:
    """A server of `count` pages of two items; past the last it goes on as it is told."""

    def answer(cursor: str | None) -> tuple[Sequence[str], str | None]:
        number = int(cursor or 0)
        items = [f"i{2 * (number % count)}", f"i{2 * (number % count) + 1}"]
        return items, str(number + 1) if number + 1 < count else after_last(number)

    return answer


@given(st.integers(1, 60))
def test_every_page_is_read_to_the_end(count: int) -> None:
    assert walk(pages(count)) == ("end", count, 2 * count)


@given(st.integers(3, 40))
def test_a_cursor_that_leads_back_is_a_loop_and_everything_was_seen(count: int) -> None:
    step, _, seen = walk(pages(count, lambda _: "1"))
    assert (step, seen) == ("loop", 2 * count)


@given(st.integers(2, 40))
def test_new_cursors_over_pages_already_seen_end_within_a_round(count: int) -> None:
    step, read, seen = walk(pages(count, lambda number: str(number + 1)))
    assert (step, seen) == ("loop", 2 * count)
    assert read <= 2 * count + 5


def test_a_cursor_that_never_moves_is_stuck() -> None:
    assert walk(lambda _: (["a", "b"], "same"))[0] == "stuck"


def test_a_cursor_that_is_ignored_is_stuck() -> None:
    count = iter(range(10_000))
    assert walk(lambda _: (["a", "b"], f"c{next(count)}"))[0] == "stuck"


def test_a_library_without_end_stops_at_the_cap() -> None:
    step, read, _ = walk(pages(10 * CAP))
    assert (step, read) == ("cap", CAP)


@pytest.mark.parametrize("hole", [1, 2, 3])
def test_pages_without_anything_new_are_put_up_with(hole: int) -> None:
    """Empty pages in the middle do not cost what comes after them."""

    def answer(cursor: str | None) -> tuple[Sequence[str], str | None]:
        number = int(cursor or 0)
        items = [] if 5 <= number < 5 + hole else [f"i{number}"]
        return items, str(number + 1) if number < 20 else None

    assert walk(answer) == ("end", 21, 21 - hole)
