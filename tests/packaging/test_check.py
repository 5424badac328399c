"""What we ship passes every validator, and builds to the same bytes."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests import programs
from tests.packaging.scripts import script

check: ModuleType = script("check")


@pytest.fixture(autouse=True)
def one_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """The date of a build, whatever is committed meanwhile."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("one", check.CHECKS, ids=lambda one: one.name.replace(" ", "-"))
def test_it_passes(one: "check.Check", tmp_path: Path) -> None:  # type: ignore[name-defined]
    if reason := programs.lacking(one.needs):
        pytest.skip(reason)
    assert one.run(tmp_path) == ""


def test_missing_validators_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    passes = check.Check("desk", lambda folder: "")
    monkeypatch.setattr(check, "CHECKS", (passes, check.Check("moon", passes.run, ("moonlint",))))
    monkeypatch.setattr(sys, "argv", ["check.py"])
    assert check.main() == 0
    assert capsys.readouterr().out == "ok      desk\nmissed  moon: this machine has no moonlint\n"
    monkeypatch.setattr(sys, "argv", ["check.py", "--strict"])
    assert check.main() == 1
