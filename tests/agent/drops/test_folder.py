"""The drop folder takes this user's lists, also where everybody may write, once they are whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from trayagent.agent.drops.folder import QUIET_SECONDS, DropFolder, FileLook, QuietTime

as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away"
)
HE = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "drop"
    root.mkdir()
    root.chmod(0o1777)
    return root


@as_root
def test_a_list_of_another_user_is_left_alone(root: Path) -> None:
    for name in ("mine.txt", "his.txt"):
        (root / name).write_text("http://example.com/a.mp4")
    os.chown(root / "his.txt", HE, HE)
    scan = DropFolder(root).scan()
    assert set(scan.lists) == {"mine.txt"}
    assert scan.no_lists == ("his.txt",)


@pytest.mark.parametrize("name", ["working", "done", "failed"])
@pytest.mark.parametrize("kind", ["folder", "link"])
@as_root
def test_folders_that_another_user_made_first_are_not_used(
    name: str, kind: str, root: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "link":
        (root / name).symlink_to(elsewhere)
    else:
        (root / name).mkdir()
        os.chown(root / name, HE, HE)
    (root / "mine.txt").write_text("http://example.com/a.mp4")
    with pytest.raises(PermissionError, match="made by somebody else"):
        DropFolder(root).scan()
    assert list(elsewhere.iterdir()) == []


@as_root
def test_a_folder_of_somebody_else_may_hold_his_lists(root: Path) -> None:
    os.chown(root, HE, HE)  # as on a share whose files all seem to be of one user
    (root / "his.txt").write_text("http://example.com/a.mp4")
    os.chown(root / "his.txt", HE, HE)
    assert set(DropFolder(root).scan().lists) == {"his.txt"}


SMALL, GROWN = FileLook(1, 10, 5), FileLook(1, 20, 6)


def test_a_file_arrives_after_two_quiet_seconds() -> None:
    """Not before, and not by what its own clock says."""
    arrivals = QuietTime()

    assert arrivals.look({"a.txt": SMALL}, 100.0) == ([], QUIET_SECONDS)
    assert arrivals.look({"a.txt": SMALL}, 101.5) == ([], 0.5)
    assert arrivals.look({"a.txt": SMALL}, 102.0) == (["a.txt"], None)


def test_every_change_starts_the_wait_anew() -> None:
    """A writer that goes on is waited for; so is another file under the same name."""
    arrivals = QuietTime()
    arrivals.look({"a.txt": SMALL}, 100.0)

    assert arrivals.look({"a.txt": GROWN}, 101.9) == ([], QUIET_SECONDS)
    assert arrivals.look({"a.txt": FileLook(2, 20, 6)}, 103.8) == ([], QUIET_SECONDS)


def test_a_file_that_went_away_is_forgotten() -> None:
    """Coming back with the same look, it is new."""
    arrivals = QuietTime()
    arrivals.look({"a.txt": SMALL}, 100.0)
    arrivals.look({}, 101.0)

    assert arrivals.look({"a.txt": SMALL}, 110.0) == ([], QUIET_SECONDS)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders there")
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_has_become_no_file_since_the_look_keeps_nobody_waiting(
    kind: str, root: Path, tmp_path: Path
) -> None:
    """To open a pipe waits for whoever writes to it: for ever, in a thread that nobody can stop."""
    folder = DropFolder(root)
    folder.scan()
    (tmp_path / "mine.txt").write_text("http://example.com/a.mp4")
    place = folder.working / "a.txt"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to(tmp_path / "mine.txt")
    else:
        place.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - three kinds, three sentences of the system
        folder.open("a.txt")
