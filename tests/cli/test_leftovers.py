"""The note of an interrupted run is read and written as what it is, whatever lies in its place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.links import link
from trayagent.cli.leftovers import NOTE, Leftovers
from trayagent.model.download import Download, State


def here(path: Path, size: int) -> Download:
    return Download("g1", "http://h/f", State.COMPLETED, path.name, str(path), size=size, via="cli")


def test_what_is_noted_is_known_until_it_changes(tmp_path: Path) -> None:
    film = tmp_path / "f.mp4"
    film.write_bytes(b"film")
    Leftovers(tmp_path).leave([here(film, 4)])
    found = Leftovers(tmp_path).finished("g1")
    assert found is not None
    assert (found.path, found.size) == (film, 4)
    film.write_bytes(b"another")
    assert Leftovers(tmp_path).finished("g1") is None


def test_a_note_names_no_file_outside(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "f.mp4"
    folder.mkdir()
    outside.write_bytes(b"film")
    for path in (outside, folder / ".." / "f.mp4"):
        Leftovers(folder).leave([here(path, 4)])
        assert Leftovers(folder).finished("g1") is None


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    folder, victim = tmp_path / "in", tmp_path / "victim"
    folder.mkdir()
    victim.write_bytes(b"precious")
    link(folder / NOTE, victim)
    Leftovers(folder).leave([here(folder / "f.mp4", 4)])
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_in_its_place_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NOTE)
    assert Leftovers(tmp_path).finished("g1") is None
