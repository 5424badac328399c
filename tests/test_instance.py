"""One agent per home, and where to find it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.privacy import is_private
from tests.transfer.without_locks import CAN_REFUSE
from trayagent.instance import AlreadyRunningError, only_one, runtime_file
from trayagent.settings import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.under(tmp_path / "home")
    home.prepare()
    return home


def test_a_home_has_one_owner_at_a_time(home: Home) -> None:
    """The second is told; after the first has ended it may have the home."""
    with only_one(home), pytest.raises(AlreadyRunningError), only_one(home):
        pass
    with only_one(home):
        pass


@pytest.mark.skipif(not CAN_REFUSE, reason="only Linux can refuse its own locks")
def test_a_home_without_locks_is_refused_in_plain_words(tmp_path: Path) -> None:
    start = (
        "from tests.transfer.without_locks import refuse_locks; refuse_locks()\n"
        "from trayagent.__main__ import run; run()"
    )
    environ = {**os.environ, "TRAYAGENT_HOME": str(tmp_path), "HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", start, "run", "--headless"],
        cwd=Path(__file__).parent.parent,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert f"The disk of {tmp_path} knows no locks" in ended.stderr
    assert "--home DIR" in ended.stderr


def test_two_homes_are_independent(home: Home, tmp_path: Path) -> None:
    """Two users, or two portable installations, do not know each other."""
    other = Home.under(tmp_path / "other")
    other.prepare()
    with only_one(home), only_one(other):
        pass


def test_runtime_json_is_there_only_while_running_and_private(home: Home) -> None:
    """It says where we are, to the user alone."""
    with runtime_file(home, 17830):
        facts = json.loads(home.runtime.read_text())
        assert facts["url"] == "http://127.0.0.1:17830"
        assert set(facts) == {"url", "port", "pid", "version", "started_at"}
        assert is_private(home.runtime)
    assert not home.runtime.exists()


def test_a_reader_of_runtime_json_keeps_nobody_from_starting_or_ending(home: Home) -> None:
    """Windows lets no file be replaced or removed while another program reads it."""
    home.runtime.write_text("{}")
    with home.runtime.open() as held:
        timer = threading.Timer(0.3, held.close)
        timer.start()
        with runtime_file(home, 17830):
            timer.join()
            assert json.loads(home.runtime.read_text())["port"] == 17830
            last = home.runtime.open()
    last.close()
