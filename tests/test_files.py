"""What somebody holds open for a moment is tried again on Windows, and at once elsewhere."""

import sys
import threading
from pathlib import Path

import pytest

from trayagent import files
from trayagent.files import retry_shared


def test_a_refusal_that_passes_is_waited_for_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    refusals = iter([PermissionError(13, "held")] * 3)

    def act() -> str:
        for refusal in refusals:
            raise refusal
        return "done"

    assert retry_shared(act) == "done"
    assert waits == list(files.WAITS_SECONDS[:3])


@pytest.mark.parametrize(
    ("platform", "tries"), [("win32", len(files.WAITS_SECONDS) + 1), ("linux", 1)]
)
def test_one_that_stays_is_raised(
    platform: str, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    asked: list[int] = []

    def act() -> None:
        asked.append(1)
        raise PermissionError(13, "held")

    with pytest.raises(PermissionError):
        retry_shared(act)
    assert len(asked) == tries


def test_a_file_that_is_read_meanwhile_is_replaced(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    new.write_text("new")
    with old.open() as held:
        timer = threading.Timer(0.3, held.close)
        timer.start()
        retry_shared(lambda: new.replace(old))
        timer.join()
    assert old.read_text() == "new"
