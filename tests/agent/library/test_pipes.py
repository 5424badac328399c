"""A pipe that somebody puts in a picture's place keeps nobody waiting: its other end may never be written to."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trayagent.agent.library.missing_files import size_if_fit
from trayagent.agent.library.thumbnail_child import make
from trayagent.agent.library.verify import digest_of
from trayagent.files import open_regular
from trayagent.hook.api.items import _read
from trayagent.model.errors import NotFoundError
from trayagent.store.library import StoredItem

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes are a thing of POSIX")

ITEM = StoredItem(
    n=1, source="s", account="", ident="1", name="a.jpg", kind="image", created=None, media_key=None,
    remote_size=None, remote_sha256=None, link=None, path=None, size=None,
)  # fmt: skip


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    os.mkfifo(path)
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "nothing_of",
    [
        lambda path: digest_of(path, threading.Event()) is None,
        lambda path: size_if_fit(str(path), ITEM) is None,
        lambda path: make(str(path)) == b"",
    ],
    ids=["verify", "a stray file", "a small picture"],
)
def test_it_is_no_file(pipe: Path, nothing_of: Callable[[Path], bool]) -> None:
    assert nothing_of(pipe)


@pytest.mark.timeout(20)
def test_it_is_not_shown(pipe: Path) -> None:
    with pytest.raises(NotFoundError):
        _read(pipe)


@pytest.mark.timeout(20)
def test_only_a_file_is_opened(pipe: Path, tmp_path: Path) -> None:
    for path, reason in (
        (pipe, "regular"),
        (Path("/dev/zero"), "regular"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(OSError, match=reason):
            open_regular(path)
    (tmp_path / "b").write_bytes(b"b")
    with open_regular(tmp_path / "b") as file:
        assert file.read() == b"b"
