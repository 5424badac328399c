"""Kills around the record of a finished file: a record is whole or the one before, and an orphan goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trayagent.transfer.destination import find_settled
from trayagent.transfer.part_file import Part
from trayagent.transfer.settled import Settled, SettledFiles


def test_a_record_is_written_over_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill before the write leaves the earlier record; a shorter one leaves nothing of a longer one."""
    files = SettledFiles(tmp_path / "settled")
    long = Settled("d1 2026", "/x/a name that is long.bin", 7, 0)
    files.note(long)
    with monkeypatch.context() as killed:
        killed.setattr(os, "write", lambda *_: 0)
        files.note(Settled("d1 2026", "/x/a.bin", 7, 12))
    before = files.find("d1 2026")
    assert before is not None
    assert before.final == long.final
    files.note(Settled("d1 2026", "/x/a.bin", 7, 12))
    found = files.find("d1 2026")
    assert found is not None
    assert (found.final, found.inode) == ("/x/a.bin", 12)


def test_an_orphan_with_the_servers_date_goes(tmp_path: Path) -> None:
    """The part was stamped, and a kill came before its record: only the intention says whose it is."""
    files = SettledFiles(tmp_path / "settled")
    files.note(Settled("d1 2026", str(tmp_path / "a.bin"), 7, 0))
    part = tmp_path / "a.bin.part"
    part.write_bytes(b"1234567")
    os.utime(part, (1.0, 1.0))

    assert find_settled(files, "d1 2026") is None
    assert not part.exists()


def test_a_sidecar_without_a_word_keeps_no_name(tmp_path: Path) -> None:
    """A kill came between its open and its first write."""
    files = SettledFiles(tmp_path / "settled")
    files.note(Settled("d1 2026", str(tmp_path / "a.bin"), 7, 0))
    for left in ("a.bin.part", "a.bin.part.json"):
        (tmp_path / left).touch()

    assert find_settled(files, "d1 2026") is None
    assert {path.name for path in tmp_path.iterdir()} == {"settled"}

    (tmp_path / "b.bin.part.json").touch()
    part = Part(tmp_path / "b.bin", "d2 2026")
    part.create(signed=True)
    part.discard()
    assert {path.name for path in tmp_path.iterdir()} == {"settled"}


def test_a_record_that_nobody_came_for_goes_in_the_end(tmp_path: Path) -> None:
    """A command that was killed and is never given again leaves its record behind."""
    files = SettledFiles(tmp_path / "settled")
    files.note(Settled("g1 old", "/x/a.bin", 7, 12))
    (old,) = (tmp_path / "settled").iterdir()
    os.utime(old, (1.0, 1.0))
    files.note(Settled("g2 new", "/x/b.bin", 7, 13))
    assert files.owners() == {"g2 new"}
    assert not old.exists()
