"""One agent per home, and where to find it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.privacy import is_private
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
