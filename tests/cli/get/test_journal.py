"""The note of an interrupted run is read and written as what it is, whatever lies in its place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.links import link
from trayagent.cli.get.journal import FILE_NAME, Journal


def test_what_is_noted_is_known_until_it_changes(tmp_path: Path) -> None:
    film = tmp_path / "f.mp4"
    film.write_bytes(b"film")
    assert Journal(tmp_path).note([("g1", str(film), 4)])
    assert Journal(tmp_path).note([("g2", str(film), 4)])
    with (tmp_path / FILE_NAME).open("ab") as note:
        note.write(b'["g3", "/cut of')
    found = [Journal(tmp_path).finished_file(id) for id in ("g1", "g2", "g3")]
    assert [each and each.path for each in found] == [film, film, None]
    film.write_bytes(b"another")
    assert Journal(tmp_path).finished_file("g1") is None


def test_a_line_that_a_kill_cut_off_spoils_none_behind_it(tmp_path: Path) -> None:
    """The next run goes on behind it: a file that has its name must not be asked for again."""
    film = tmp_path / "f.mp4"
    film.write_bytes(b"film")
    assert Journal(tmp_path).note([("g1", str(film), 4), ("g2", str(film), 4)])
    text = (tmp_path / FILE_NAME).read_bytes()
    for cut in range(1, len(text)):
        (tmp_path / FILE_NAME).write_bytes(text[:cut])
        assert Journal(tmp_path).note([("g3", str(film), 4)])
        assert Journal(tmp_path).finished_file("g3"), text[:cut]


def test_a_folder_may_be_named_from_the_one_above(tmp_path: Path) -> None:
    folder = tmp_path / "here" / ".." / "there"
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (folder / "f.mp4").write_bytes(b"film")
    assert Journal(folder).note([("g1", str(folder / "f.mp4"), 4)])
    assert Journal(folder).finished_file("g1")


def test_a_note_names_no_file_outside(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "f.mp4"
    folder.mkdir()
    outside.write_bytes(b"film")
    for path in (outside, folder / ".." / "f.mp4"):
        Journal(folder).note([("g1", str(path), 4)])
        assert Journal(folder).finished_file("g1") is None


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    folder, victim = tmp_path / "in", tmp_path / "victim"
    folder.mkdir()
    victim.write_bytes(b"precious")
    link(folder / FILE_NAME, victim)
    assert not Journal(folder).note([("g1", str(folder / "f.mp4"), 4)])
    Journal(folder).remove()
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_in_its_place_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE_NAME)
    assert Journal(tmp_path).finished_file("g1") is None
    assert not Journal(tmp_path).note([("g1", str(tmp_path / "f"), 4)])
