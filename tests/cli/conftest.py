"""Running commands in this process, and looking at what they said."""

import json
import signal
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
        before = signal.getsignal(signal.SIGINT)
        try:
            code = main(list(args))
        finally:
            signal.signal(signal.SIGINT, before)  # a command may keep it to its process's end
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return one
