"""The tests of every room pass under a Windows Python, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.windows.bench import Bench

ROOMS = {
    "kills": "tests/e2e/test_random_kills.py",
    "buckets": "tests/e2e/test_buckets.py",
    "moves": "tests/e2e/test_elsewhere.py tests/e2e/test_figures.py "
    "tests/e2e/test_folder_gone.py tests/e2e/test_last_moments.py tests/e2e/test_move.py "
    "tests/e2e/test_slow_disk.py",
    "e2e": "tests/e2e/test_cool_down.py tests/e2e/test_demo.py tests/e2e/test_ends.py "
    "tests/e2e/test_job.py tests/e2e/test_kill.py tests/e2e/test_library.py "
    "tests/e2e/test_locked.py tests/e2e/test_newcomer.py tests/e2e/test_waiting.py "
    "tests/e2e/test_webhooks.py",
    "faults": "tests/faults",
    "servers": "tests/servers",
    "targets": "tests/targets tests/test_child_process.py tests/demo",
    "packaging": "tests/packaging",
    "root": "tests/test_conftest.py tests/test_files.py tests/test_instance.py tests/test_locks.py "
    "tests/test_logs.py tests/test_loopthread.py tests/test_patterns.py",
    "model": "tests/model",
    "lists": "tests/lists",
    "settings": "tests/settings",
    "store": "tests/store",
    "sources": "tests/sources",
    "sites": "tests/sites",
    "hook": "tests/hook",
    "agent": "tests/agent",
    "cli": "tests/cli",
    "net": "tests/net",
    "transfer": "tests/transfer",
    "desktop": "tests/desktop",
}
"""The whole program first, for its tests take longest: whoever waits learns early what is red."""
CORE = (
    "tests/test_files.py tests/test_instance.py tests/test_locks.py tests/settings tests/store "
    "tests/transfer/test_disk_side.py tests/transfer/test_lock.py tests/transfer/test_marks.py "
    "tests/transfer/test_taken_names.py tests/agent/drops "
    "tests/net/test_peer_user.py tests/desktop/test_win32.py tests/desktop/test_autostart.py"
)
"""Where Windows differs most: paths, files that are open, locks, its registry. Two minutes."""


@pytest.mark.windows_core
@pytest.mark.timeout(900)
def test_the_core_holds_on_windows(
    alone: Bench, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run_under_windows(CORE, alone, tmp_path, record_property, seconds=500)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_on_windows(
    room: str, alone: Bench, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run_under_windows(ROOMS[room], alone, tmp_path, record_property, seconds=1500)


def run_under_windows(
    files: str,
    bench: Bench,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    *,
    seconds: float,
) -> None:
    """Run these tests by Windows' Python, count them, and fail with what it said.

    The Windows is their own: whatever they started and did not end goes with it.
    """
    report = tmp_path / "report.xml"
    options = f"-q -p no:cacheprovider --timeout 300 --junitxml {report}"
    # A test that hangs ends its process. Another one in its place does not always begin here.
    processes = "-n 2 --dist loadfile --max-worker-restart 0"
    arguments = (*options.split(), *processes.split(), *files.split())
    done = bench.run("-m", "pytest", *arguments, seconds=seconds)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert report.exists(), said[-4000:]
    (suite,) = ET.parse(report).getroot().iter("testsuite")
    count = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    record_property("windows passed", count["tests"] - failed - count["skipped"])
    record_property("windows skipped", count["skipped"])
    record_property("windows failed", failed)
    assert done.returncode == 0, what_failed(suite) or said[-4000:]


def what_failed(suite: ET.Element) -> str:
    """Name every test that failed, with the end of what it said, where its assertion is.

    The end of pytest's own output is the list of what was skipped, which is longer than a log likes.
    """
    said = []
    for case in suite.iter("testcase"):
        for problem in (*case.iter("failure"), *case.iter("error")):
            name = f"{case.get('classname')}::{case.get('name')}"
            said.append(f"{name}: {problem.get('message')}\n{(problem.text or '')[-2000:]}")
    return "\n\n".join(said)[:20_000]


@pytest.mark.windows_core
def test_a_failure_under_windows_is_told_with_its_assertion() -> None:
    suite = ET.fromstring(
        "<testsuite><testcase classname='net.test_a' name='test_b'>"
        "<failure message='assert 1 == 2'>E   assert 1 == 2</failure></testcase>"
        "<testcase name='test_c'><skipped>not here</skipped></testcase></testsuite>"
    )
    assert what_failed(suite) == "net.test_a::test_b: assert 1 == 2\nE   assert 1 == 2"
