"""Whole processes, measured: wall time, CPU time and the most memory, as the kernel counts them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
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


_LAUNCHER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
figures = time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss
json.dump([os.waitstatus_to_exitcode(status), *figures], os.fdopen(3, "w"))
"""
"""A small process of its own: Linux counts the memory of the process that starts a program as the program's."""


def run(case: Case, out: Path, home: Path) -> Run:
    """Run a case once; raises RuntimeError, with what it said, when it fails."""
    command = [part.replace("{out}", str(out)) for part in case.command]
    environ = {
        **os.environ,
        "TRAYAGENT_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        # An installed program has its bytecode. Where an environment forbids to write it, every start
        # would compile all that it imports: half a second that nobody else has.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(home.with_name("bytecode")),
        **case.environ,
    }
    log = out.with_suffix(".log")
    reading, writing = os.pipe()
    with log.open("wb") as said, os.fdopen(reading) as report:
        subprocess.run(
            [
                "/bin/sh",
                "-c",
                f'exec "$@" 3>&{writing}',
                "sh",
                sys.executable,
                "-ISc",
                _LAUNCHER,
                *command,
            ],
            stdout=said,
            stderr=said,
            env=environ,
            cwd=out,
            pass_fds=(writing,),
            check=False,
        )
        os.close(writing)
        code, wall, cpu, rss = json.load(report)
    if code:
        raise RuntimeError(f"{case.name}: exit {code}: {log.read_text()[-2000:]}")
    return Run(wall, cpu, rss * 1024)


def median(values: Sequence[float]) -> float:
    """The middle."""
    return statistics.median(values)
