"""The bench keeps itself tidy: a run that is killed leaves neither gigabytes nor programs for long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.windows.bench import ROOT, Bench, sweep

APART = """
import sys
from pathlib import Path
from tests.windows.bench import Bench

with Bench(*map(Path, sys.argv[1:])).apart() as own:
    own.start("-c", "print(1, flush=True); import time; time.sleep(600)").stdout.readline()
    print(own.prefix, flush=True)
    sys.stdin.read()
"""


@pytest.mark.timeout(180)
def test_what_a_killed_run_has_left_goes_at_the_next_start(bench: Bench, alone: Bench) -> None:
    words = [sys.executable, "-c", APART, str(bench.folder), str(bench.prefix)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as run:
        assert run.stdout is not None
        prefix = Path(run.stdout.readline().strip())
        run.kill()
    assert prefix.exists()
    assert is_running(Bench(bench.folder, prefix))
    sweep(bench.prefix.parent)
    assert not prefix.parent.exists()
    assert alone.prefix.exists(), "a Windows that lives stays"
    assert b"1" in alone.run("-c", "print(1)").stdout


def test_a_program_has_ended_though_what_it_started_holds_its_streams(alone: Bench) -> None:
    """As the browser of Wine does, which stays for minutes."""
    child = "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]); print('said')"
    done = alone.run("-c", code, seconds=40)
    assert done.stdout.strip() == b"said"
    assert done.returncode == 0


def is_running(bench: Bench) -> bool:
    """Whether this Windows has a server: the signal 0 only asks."""
    asked = subprocess.run(["wineserver", "-k0"], env=bench.environment(), check=False)
    return asked.returncode == 0
