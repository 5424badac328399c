"""Whether a process runs, and when it has ended, is known on every system."""

import os
import subprocess
import sys
import time

from trayagent.cli.process import Process

SLEEPER = [sys.executable, "-c", "input()"]


def test_it_runs_until_it_has_ended() -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as child, Process(child.pid) as process:
        assert not process.has_ended()
        assert child.stdin is not None
        child.stdin.close()
        assert process.has_ended(within=30)
        assert process.has_ended()


def test_we_run() -> None:
    with Process(os.getpid()) as process:
        assert not process.has_ended()


def test_one_that_goes_on_is_waited_for_as_long_as_was_said() -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.PIPE) as child, Process(child.pid) as process:
        began = time.monotonic()
        assert not process.has_ended(within=0.2)
        assert time.monotonic() - began >= 0.15


def test_a_number_that_nobody_has_has_ended() -> None:
    with subprocess.Popen(SLEEPER, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        pass
    with Process(child.pid) as process:
        assert process.has_ended()
