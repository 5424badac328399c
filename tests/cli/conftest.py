"""Running commands in this process, and looking at what they said."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from trayagent.cli.main import main


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("list", "--json")` runs the command `trayagent list --json`."""

    def one(*args: str) -> Said:
        capsys.readouterr()
        code = main(list(args))
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return one
