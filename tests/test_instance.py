"""One agent per home, and where to find it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trayagent.instance import AlreadyRunningError, announced, only_one
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
    with announced(home, 17830):
        facts = json.loads(home.runtime.read_text())
        assert facts["url"] == "http://127.0.0.1:17830"
        assert set(facts) == {"url", "port", "pid", "version", "started_at"}
        assert home.runtime.stat().st_mode & 0o777 == 0o600
    assert not home.runtime.exists()
