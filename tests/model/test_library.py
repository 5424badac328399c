"""A run says in one line how it went, and a report of damaged files counts all but lists a bounded number."""

import pytest

from trayagent.model.download import ErrorInfo
from trayagent.model.library import FINDINGS, Account, Finding, SyncRun, VerifyReport


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
    for n in range(FINDINGS + 5):
        report = report.with_finding(Finding("missing", f"/x/{n}", repaired=n == 0))
    assert report.missing == FINDINGS + 5
    assert len(report.findings) == FINDINGS
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
