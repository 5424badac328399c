"""A run says in one line how it went, and a report of damaged files counts all but lists a bounded number."""

from __future__ import annotations

import pytest

from trayagent.model.downloads import ErrorInfo
from trayagent.model.library import (
    MOST_FINDINGS,
    MOST_PAGES,
    Account,
    Finding,
    SyncRun,
    Trail,
    VerifyReport,
)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (SyncRun("r", "complete", seen=3, new=1), "3 images, 1 new"),
        (
            SyncRun("r", "incomplete", seen=3, new=0, failed=2, gone=1),
            "3 images, 0 new, 2 failed, 1 no longer on the server, not all pages were read",
        ),
        (SyncRun("r", "failed", error=ErrorInfo("network", "It failed.", "Retry.")), "It failed."),
    ],
)
def test_a_run_in_one_line(run: SyncRun, sentence: str) -> None:
    assert run.sentence == sentence


def test_what_others_see_of_a_run() -> None:
    run = SyncRun("r", "complete", 1, 2, 3, 4, suspicious=True, batch="b1", wanted=9)
    public = run.public()
    for field in type(public).__struct_fields__:
        assert getattr(public, field) == getattr(run, field)


def test_findings_are_counted_beyond_what_is_listed() -> None:
    report = VerifyReport()
    for n in range(MOST_FINDINGS + 5):
        report = report.with_finding(Finding("missing", f"/x/{n}", repaired=n == 0))
    assert report.missing == MOST_FINDINGS + 5
    assert len(report.findings) == MOST_FINDINGS
    assert report.repaired == 1


def test_an_account_in_one_line() -> None:
    assert Account("me").sentence == "Signed in as me"
    assert "until 2026" in Account("me", "2026-01-01T00:00:00Z").sentence


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (SyncRun("r", "complete", seen=42), True),
        (SyncRun("r", "complete", seen=42, by_itself=True), False),
        (SyncRun("r", "complete", seen=42, new=1, by_itself=True), True),
        (
            SyncRun(
                "r", "failed", error=ErrorInfo("network", "It failed.", "Retry."), by_itself=True
            ),
            True,
        ),
    ],
)
def test_a_schedule_that_finds_nothing_is_no_news(run: SyncRun, told: bool) -> None:
    assert run.is_news == told


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
    steps = [trail.step("c" if n else None, "c", str(n), 1) for n in range(MOST_PAGES)]
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
    steps = [trail.step(f"c{n}", f"c{n + 1}", str(n), 1) for n in range(MOST_PAGES)]
    assert (steps[-2], steps[-1]) == ("on", "cap")
