"""On Windows no agent outlives the test that was to end it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, ROOT
from trayagent.cli.process import Process

pytestmark = pytest.mark.skipif(
    sys.platform != "win32", reason="elsewhere a test that takes too long is told, and ends it"
)
TEST_THAT_IS_CUT_SHORT = """
import os, sys
from pathlib import Path
from tests.e2e.agent import Agent

agent = Agent(Path(sys.argv[1]))
agent.start()
print(agent.process.pid, flush=True)
sys.stdin.readline()
os._exit(1)
"""


@pytest.mark.timeout(3 * PATIENCE)
def test_an_agent_ends_with_the_process_of_its_test(tmp_path: Path) -> None:
    words = [sys.executable, "-c", TEST_THAT_IS_CUT_SHORT, str(tmp_path)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as cut_short:
        assert cut_short.stdout is not None
        pid = int(cut_short.stdout.readline())
        with Process(pid) as agent:
            assert not agent.has_ended()
            cut_short.communicate(b"\n")
            assert cut_short.returncode == 1
            assert agent.has_ended(PATIENCE)
