"""A file that came from elsewhere says so in the words of its system, and nothing of the query."""

import sys
from pathlib import Path

import pytest

from trayagent.transfer import marks

URL = "https://h.example/film.mp4?token=CANARY"


def test_windows_reads_whole_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As bytes, for a text file there would end each line with one \\r too many."""
    monkeypatch.setattr(sys, "platform", "win32")
    written: dict[str, bytes] = {}
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: written.update({path.name: data}))
    marks.mark(tmp_path / "film.mp4", URL)
    assert written == {
        "film.mp4:Zone.Identifier": b"[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://h.example/film.mp4\r\n"
    }


def test_a_file_system_that_keeps_no_marks_is_no_harm(tmp_path: Path) -> None:
    marks.mark(tmp_path / "not there", URL)
