"""What somebody holds open for a moment is tried again on Windows, and at once elsewhere."""

import ast
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from trayagent import files
from trayagent.files import (
    ForeignLinkError,
    is_link,
    make_folder,
    open_regular,
    open_shared,
    read_shared,
    remove_folder_shared,
    remove_shared,
    replace_shared,
    retry_shared,
    walk_folders,
    write_private,
)

PACKAGE = Path(files.__file__).parent


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


@contextmanager
def held_alone(path: Path, seconds: float) -> Iterator[None]:
    """A handle that shares nothing for so long, as a virus scanner's; elsewhere that is no obstacle."""
    if sys.platform == "win32":
        import _winapi

        handle = _winapi.CreateFile(
            str(path), _winapi.GENERIC_READ, 0, 0, _winapi.OPEN_EXISTING, 0, 0
        )
        timer = threading.Timer(seconds, _winapi.CloseHandle, [handle])
    else:
        timer = threading.Timer(seconds, path.open("rb").close)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def open_and_close(path: Path) -> None:
    os.close(open_shared(path, os.O_RDWR))


def replace_by_new(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(b"new")
    replace_shared(fresh, path)


ACTS: list[tuple[Callable[[Path], object], bytes | None]] = [
    (replace_by_new, b"new"),
    (lambda path: write_private(path, b"new"), b"new"),
    (remove_shared, None),
    (lambda path: remove_folder_shared(path.parent), None),
    (open_and_close, b"old"),
    (read_shared, b"old"),
    (lambda path: retry_shared(lambda: path.rename(path.with_name("moved"))), None),
]
NAMES = ["replace", "write", "remove", "remove folder", "open", "read", "rename"]


@pytest.mark.parametrize(("act", "after"), ACTS, ids=NAMES)
def test_what_a_scanner_holds_is_waited_for(
    act: Callable[[Path], object], after: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with held_alone(path, 0.3):
        act(path)
    assert (path.read_bytes() if path.exists() else None) == after


@pytest.mark.parametrize(("act", "after"), ACTS[:3], ids=NAMES[:3])
def test_a_file_that_is_marked_read_only_is_replaced_and_removed_as_elsewhere(
    act: Callable[[Path], object], after: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(stat.S_IREAD)
    act(path)
    assert (path.read_bytes() if path.exists() else None) == after


def test_what_is_gone_already_is_removed(tmp_path: Path) -> None:
    remove_shared(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("mode", "tag", "leads_elsewhere"),
    [
        (stat.S_IFDIR, 0, False),
        (stat.S_IFREG, 0, False),
        (stat.S_IFLNK, 0, True),
        (stat.S_IFLNK, 0xA000000C, True),
        pytest.param(stat.S_IFDIR, 0xA0000003, True, id="junction"),
        pytest.param(stat.S_IFREG, 0x9000001A, False, id="OneDrive"),
    ],
)
def test_a_junction_leads_elsewhere_as_a_link_does(
    mode: int, tag: int, leads_elsewhere: bool
) -> None:
    seen = SimpleNamespace(st_mode=mode, st_reparse_tag=tag)
    assert is_link(cast("os.stat_result", seen)) is leads_elsewhere


def test_a_walk_goes_into_no_link_and_no_hidden_folder(tmp_path: Path) -> None:
    for name in ("a", "b", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    if sys.platform == "win32":
        import _winapi

        with suppress(OSError):  # Wine makes none; a real Windows makes one for everybody
            _winapi.CreateJunction(str(tmp_path), str(tmp_path / "a" / "up"))
    else:
        (tmp_path / "a" / "up").symlink_to(tmp_path)
    found = {Path(where, name) for where, names in walk_folders(tmp_path) for name in names}
    assert found <= {tmp_path / name / "file" for name in "ab"} | {tmp_path / "a" / "up"}
    assert len(found) >= 2


NOT_ON_WINDOWS = {
    ("transfer/publish.py", "_link_then_unlink"),
    ("transfer/publish.py", "move_new"),
    ("desktop/autostart.py", "disable"),
    ("desktop/autostart.py", "_write_whole"),
    ("desktop/native_messaging.py", "unregister"),
    ("agent/mover.py", "_rename"),
    ("logs.py", "doRollover"),
}
"""What runs on other systems only; the mover, whose target it is that renames; and the log, which does not wait."""


def bare_calls(path: Path) -> Iterator[tuple[str, int, str]]:
    """Function, line and name of each call that renames, replaces or removes a file without the helper."""
    tree = ast.parse(path.read_text("utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            name = call.func.attr
            # `text.replace(old, new)` has two arguments, `path.replace(target)` one.
            is_replace = name == "replace" and len(call.args) == 1 and not call.keywords
            of_os = isinstance(call.func.value, ast.Name) and call.func.value.id == "os"
            is_os = of_os and name in {"remove", "replace"}
            if name in {"unlink", "rename", "renames"} or is_replace or is_os:
                yield function.name, call.lineno, ast.unparse(call.func)


def test_every_file_that_others_may_hold_is_renamed_and_removed_patiently() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place == "files.py":
            continue
        found += [
            f"{place}:{line} {call}"
            for function, line, call in bare_calls(path)
            if (place, function) not in NOT_ON_WINDOWS
        ]
    assert found == []


SOMEBODY = 65534
needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0,
    reason="only root can give a file to somebody else",
)


def give(path: Path, owner: int = SOMEBODY) -> Path:
    """Have a file, a folder or a link belong to another user."""
    os.chown(path, owner, owner, follow_symlinks=False)
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder of ours that everybody may write to."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@needs_root
@pytest.mark.parametrize("below", ["", "deeper/and deeper"])
@pytest.mark.parametrize("way", ["straight", "relative", "by our own link", "in his folder"])
def test_a_link_that_another_user_planted_is_not_followed(
    shared: Path, tmp_path: Path, way: str, below: str
) -> None:
    ours = tmp_path / "ours"
    ours.mkdir(mode=0o700)
    planted = shared / "Show"
    if way == "in his folder":
        planted.mkdir()
        planted = give(planted) / "Season"
    planted.symlink_to("../ours" if way == "relative" else ours)
    give(planted)
    folder = planted
    if way == "by our own link":
        folder = shared / "Ours"
        folder.symlink_to("Show")
    with pytest.raises(ForeignLinkError):
        make_folder(folder / below)
    assert list(ours.iterdir()) == []


@needs_root
def test_links_of_ours_and_of_whoever_a_folder_was_given_to_are_followed(
    shared: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (shared / "Films").symlink_to("../shared/./Linked")
    (shared / "Linked").symlink_to(disk)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    give(theirs)
    (theirs / "Films").symlink_to(disk)
    give(theirs / "Films")
    make_folder(shared / "Films" / "1")
    make_folder(theirs / "Films" / "2")
    assert {path.name for path in disk.iterdir()} == {"1", "2"}


@needs_root
def test_a_folder_of_another_user_may_be_saved_to(shared: Path) -> None:
    """One person of a family has made it, and all put their films there."""
    (shared / "Films").mkdir()
    give(shared / "Films")
    make_folder(shared / "Films" / "2026")
    assert (shared / "Films" / "2026").is_dir()


def test_a_folder_is_made_once_and_a_file_is_none(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_bytes(b"")
    for place in ("file", "file/deeper"):
        with pytest.raises(NotADirectoryError):
            make_folder(tmp_path / place)


@pytest.mark.skipif(sys.platform == "win32", reason="a folder cannot be opened there")
def test_a_folder_in_a_files_place_is_named_and_not_left_open(tmp_path: Path) -> None:
    before = os.dup(0)
    os.close(before)
    for _ in range(3):
        with pytest.raises(OSError, match="directory") as caught:
            open_regular(tmp_path)
        assert caught.value.filename == str(tmp_path)
    after = os.dup(0)
    os.close(after)
    assert after == before


@pytest.mark.skipif(sys.platform == "win32", reason="links are a right of their own there")
def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match=r"(?i)symbolic links"):
        make_folder(tmp_path / "a" / "c")
