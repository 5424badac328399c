"""Whole processes, measured: wall time, CPU time and the most memory, as the kernel counts them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Run:
    """One process from start to end: seconds, and bytes of memory."""

    wall: float
    cpu: float
    rss: int


@dataclass(frozen=True)
class Case:
    """One program in a workload. `{out}` in its command is the folder that it fills."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False


def trayagent(*arguments: str) -> list[str]:
    """Our own command line, as a person starts it."""
    return [sys.executable, "-m", "trayagent", *arguments]


def run(case: Case, out: Path, home: Path) -> Run:
    """Run a case once; raises RuntimeError, with what it said, when it fails."""
    command = [part.replace("{out}", str(out)) for part in case.command]
    environ = {
        **os.environ,
        "TRAYAGENT_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        **case.environ,
    }
    log = out.with_suffix(".log")
    with log.open("wb") as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environ, cwd=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{case.name}: exit {process.returncode}: {log.read_text()[-2000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def median(values: Sequence[float]) -> float:
    """The middle."""
    return statistics.median(values)
