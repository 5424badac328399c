"""The tests of every room pass under a Windows Python, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.windows.bench import Bench

# Those of the room that were seen to run there. Not its kills, which are signals, nor others' bytes:
# programs that change a file while it is open, which Windows does not let them.
TRANSFER = (
    "attempts content digests disk_side driver durability fetch limited_servers lock made marks "
    "misbehaving_servers owners promised_size ranges secrets segments taken_names "
    "throttle umask writer"
)
ROOMS = {
    "root": "tests/test_conftest.py tests/test_instance.py tests/test_logs.py tests/test_loopthread.py",
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
    "transfer": " ".join(f"tests/transfer/test_{name}.py" for name in TRANSFER.split()),
    "desktop": "tests/desktop",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_on_windows(
    room: str, bench: Bench, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    report = tmp_path / "report.xml"
    options = f"-q -p no:cacheprovider -n 2 --dist loadfile --timeout 120 --junitxml {report}"
    done = bench.run("-m", "pytest", *options.split(), *ROOMS[room].split(), seconds=590)
    assert report.exists(), (done.stdout + done.stderr).decode("utf-8", "replace")[-4000:]
    (suite,) = ET.parse(report).getroot().iter("testsuite")
    count = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    record_property("windows passed", count["tests"] - failed - count["skipped"])
    record_property("windows skipped", count["skipped"])
    record_property("windows failed", failed)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-4000:]
