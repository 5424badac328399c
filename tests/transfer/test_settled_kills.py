"""Kills around the record of a finished file: whole or the one before; the next process has it; an orphan goes."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import pytest

from trayagent.transfer import settled as settled_files
from trayagent.transfer.destination import find_settled
from trayagent.transfer.part_file import Part
from trayagent.transfer.settled import Settled, SettledFiles


def settled(owner: str, final: str, inode: int = 12) -> Settled:
    return Settled(owner, final, 7, inode, time.time())


def after_a_kill(folder: Path) -> SettledFiles:
    """What the next process finds: the log of the one that was killed, without its lock."""
    gc.collect()  # closes the log of whoever has let go of it
    return SettledFiles(folder)


@pytest.mark.parametrize("written", [0, 1, 40])
def test_a_line_that_was_cut_off_leaves_the_record_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """And spoils no line behind it: a disk may be full for a moment only."""
    files, write = SettledFiles(tmp_path), os.write
    files.note(settled("d1 2026", "/x/before.bin"))
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, data: write(fd, data[:written]))
        files.note(settled("d1 2026", "/x/after.bin"))
    files.note(settled("d2 2026", "/x/other.bin"))
    del files
    found = after_a_kill(tmp_path)
    assert [found.find(owner).final for owner in ("d1 2026", "d2 2026")] == [  # type: ignore[union-attr]
        "/x/before.bin",
        "/x/other.bin",
    ]


def test_the_next_process_takes_the_records_over(tmp_path: Path) -> None:
    """What was noted since is gone for it, too, and one log is left, however many were killed."""
    files = SettledFiles(tmp_path)
    for number in range(4):
        files.note(settled(f"d{number}", f"/x/{number}.bin"))
    files.forget(["d0", "d1", "never there"])
    del files
    second = after_a_kill(tmp_path)
    assert second.owners() == {"d2", "d3"}
    second.forget(["d2"])
    del second
    third = after_a_kill(tmp_path)
    assert third.owners() == {"d3"}
    third.note(settled("d4", "/x/4.bin"))
    assert len(list(tmp_path.iterdir())) == 1
    third.forget(["d3", "d4"])
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0]


def test_a_log_in_use_is_read_and_left_alone(tmp_path: Path) -> None:
    """Two runs of `get` at a time share one home."""
    first, second = SettledFiles(tmp_path), SettledFiles(tmp_path)
    first.note(settled("d1", "/x/1.bin"))
    assert second.owners() == {"d1"}
    second.forget(["d1"])
    first.note(settled("d2", "/x/2.bin"))
    del first, second
    assert after_a_kill(tmp_path).owners() == {"d1", "d2"}


def test_a_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled_files, "MOST_LOGGED", 2000)
    files = SettledFiles(tmp_path)
    files.note(settled("kept", "/x/kept.bin"))
    for number in range(200):
        files.note(settled(f"d{number}", f"/x/{number}.bin"))
        files.forget([f"d{number}"])
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2500
    files.note(settled("last", "/x/last.bin"))
    del files
    assert after_a_kill(tmp_path).owners() == {"kept", "last"}


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
    files = SettledFiles(tmp_path)
    files.note(Settled("g1 old", "/x/a.bin", 7, 12, time.time() - settled_files.OLDEST - 1))
    files.note(settled("g2 new", "/x/b.bin"))
    del files
    assert after_a_kill(tmp_path).owners() == {"g2 new"}
