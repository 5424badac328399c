"""The page engine's folder is ours alone, also where everybody may write."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from trayagent.model.errors import DownloadError
from trayagent.sites.worker_process import NAMES, ScratchFolder

PAGE = "http://h/page"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes of POSIX")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def plant(place: Path, kind: str, target: Path) -> None:
    """What another user makes first."""
    match kind:
        case "folder":
            place.mkdir()
            place.chmod(0o777)
            (place / "first.json").symlink_to(target)
        case "his folder":
            place.mkdir(mode=0o755)
            os.chown(place, 65534, 65534)
        case "link":
            place.symlink_to(target.parent)
        case "dangling link":
            place.symlink_to(target.parent / "nowhere")
        case "file":
            place.write_text("{}")


@POSIX
@pytest.mark.parametrize("kind", ["folder", "his folder", "link", "dangling link", "file"])
def test_what_others_made_first_is_neither_followed_nor_trusted(
    kind: str, shared: Path, tmp_path: Path
) -> None:
    if kind == "his folder" and os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    diary = own / "diary"
    diary.write_text("precious")
    name = ScratchFolder(shared, "tag", "d1").path
    plant(name, kind, diary)

    scratch = ScratchFolder(shared, "tag", "d1")
    scratch.create()
    assert scratch.path != name
    assert scratch.first_entry(PAGE) is None
    scratch.note_first(PAGE, "http://h/first", "title")

    assert diary.read_text() == "precious"
    again = ScratchFolder(shared, "tag", "d1")
    again.create()
    assert again.first_entry(PAGE) == ("http://h/first", "title")
    again.remove()
    assert not again.path.exists() or kind == "dangling link" or again.path == name
    assert name.is_symlink() or name.exists()
    assert diary.read_text() == "precious"


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchFolder:
    made = ScratchFolder(tmp_path, "tag", "d1")
    made.create()
    return made


@pytest.mark.parametrize(
    "written",
    ["[]", "{}", "7", "{", '{"page": "PAGE"}', '{"page": "PAGE", "url": 1, "title": []}', "\udcff"],
)
def test_a_choice_that_we_did_not_write_is_none(scratch: ScratchFolder, written: str) -> None:
    """The worker runs foreign code, and the folder is its own."""
    scratch.note_first(PAGE, "http://h/first", "title")
    (note,) = scratch.path.iterdir()
    digest = json.loads(note.read_text())["page"]
    note.write_bytes(written.replace("PAGE", digest).encode("utf-8", "surrogateescape"))

    assert scratch.first_entry(PAGE) is None


@POSIX
@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_the_choice_keeps_nobody_waiting(scratch: ScratchFolder) -> None:
    scratch.note_first(PAGE, "http://h/first", "title")
    (note,) = scratch.path.iterdir()
    note.unlink()
    os.mkfifo(note)

    assert scratch.first_entry(PAGE) is None


@POSIX
def test_a_choice_is_never_written_through_a_link_of_the_worker(
    scratch: ScratchFolder, tmp_path: Path
) -> None:
    diary = tmp_path / "diary"
    diary.write_text("precious")
    (scratch.path / "first.json").symlink_to(diary)

    scratch.note_first(PAGE, "http://h/first", "title")

    assert diary.read_text() == "precious"
    assert scratch.first_entry(PAGE) == ("http://h/first", "title")


@POSIX
def test_a_choice_is_never_read_through_a_link_of_the_worker(
    scratch: ScratchFolder, tmp_path: Path
) -> None:
    scratch.note_first(PAGE, "http://h/first", "title")
    (note,) = scratch.path.iterdir()
    note.rename(tmp_path / "elsewhere")
    note.symlink_to(tmp_path / "elsewhere")

    assert scratch.first_entry(PAGE) is None


@POSIX
def test_where_all_names_are_taken_it_is_said(shared: Path) -> None:
    scratch = ScratchFolder(shared, "tag", "d1")
    for place in scratch._places:
        place.write_text("")
    assert len(scratch._places) == NAMES
    with pytest.raises(DownloadError, match="others took"):
        scratch.create()


@POSIX
def test_it_is_private_whatever_the_mask_says(shared: Path) -> None:
    scratch = ScratchFolder(shared, "tag", "d1")
    before = os.umask(0)
    try:
        scratch.create()
    finally:
        os.umask(before)
    assert scratch.path.stat().st_mode & 0o777 == 0o700
