"""Where a file system has no locks, a running process's settled records stay its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.transfer.without_locks import CAN_REFUSE

ROOT = Path(__file__).parent.parent.parent
SCRIPT = Path(__file__).with_name("without_locks.py")
pytestmark = pytest.mark.skipif(not CAN_REFUSE, reason="only Linux can refuse its own locks")


class Keeper:
    """A process that keeps records in a folder."""

    def __init__(self, folder: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )

    def __call__(self, line: str) -> set[str]:
        """Tell it to do this; returns whose records it knows then."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return set(self.process.stdout.readline().split())

    def kill(self) -> None:
        """As a power cut would, but for the page cache."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def keeping(folder: Path) -> Iterator[Keeper]:
    keeper = Keeper(folder)
    try:
        yield keeper
    finally:
        keeper.kill()


def test_a_second_process_leaves_the_log_of_a_running_one_alone(tmp_path: Path) -> None:
    with keeping(tmp_path) as first:
        first("note d1")
        with keeping(tmp_path) as second:
            assert second("note other") == {"d1", "other"}
        assert first("note d2") >= {"d1", "d2"}
    with keeping(tmp_path) as third:
        assert third("owners") == {"d1", "d2", "other"}
        assert len(list(tmp_path.iterdir())) == 1  # those that have ended are cleared away


def test_what_one_has_noted_another_does_not_bring_back(tmp_path: Path) -> None:
    """Else the same wish would count as fetched already, months later."""
    with keeping(tmp_path) as first:
        first("note d1")
        with keeping(tmp_path) as second:
            second("note other")
        first("note d2")
        first("forget d1")
    with keeping(tmp_path) as third:
        assert third("owners") == {"d2", "other"}


def test_a_log_that_somebody_removed_is_written_once_more(tmp_path: Path) -> None:
    """Another machine of the share may take this one's processes for dead."""
    with keeping(tmp_path) as first:
        first("note d1")
        (log,) = tmp_path.iterdir()
        log.unlink()
        first("note d2")
    with keeping(tmp_path) as second:
        assert second("owners") == {"d1", "d2"}


def test_the_log_of_a_process_that_cannot_be_asked_about_is_kept(tmp_path: Path) -> None:
    """It may be of another machine, or of another container; until all in it is too old to count."""
    with keeping(tmp_path) as first:
        first("note d1")
    (log,) = tmp_path.iterdir()
    elsewhere = log.rename(log.with_name(f"{log.name[:-8]}00000000"))
    with keeping(tmp_path) as second:
        assert second("note d2") == {"d1", "d2"}
        assert elsewhere.exists()
        long_ago = time.time() - 31 * 86400
        os.utime(elsewhere, (long_ago, long_ago))
        with keeping(tmp_path) as third:
            assert "d2" in third("owners")
            assert not elsewhere.exists()
