"""The whole life of an agent for one list: start it, queue the list, leave when all of it is here.

It is the agent that is measured: what this program itself needs is imported while the agent starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

AT_A_TIME = 500
LOOK_SECONDS = 0.05
"""Between two looks whether all is here: each costs the agent a millisecond, too."""


def main(urls: list[str], out: Path, home: Path) -> None:
    """Fetch the URLs into a folder, through the queue of a new home."""
    environ = {
        **os.environ,
        "TRAYAGENT_HOME": str(home),
        "TRAYAGENT_DOWNLOADS__FOLDER": str(out),
    }
    command = (sys.executable, "-m", "trayagent", "run", "--headless", "--port", "0")
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        from tests.bench.agent_client import AgentClient

        assert process.stdout is not None
        process.stdout.readline()  # it says so when it is ready
        agent = AgentClient(home)
        for start in range(0, len(urls), AT_A_TIME):
            items = [{"url": url} for url in urls[start : start + AT_A_TIME]]
            agent.ask("POST", "downloads", {"items": items})
        status = agent.ask("GET", "status")
        while status["queued"] or status["active"]:
            time.sleep(LOOK_SECONDS)
            status = agent.ask("GET", "status")
        agent.ask("POST", "quit", {})
        process.stdout.read()
    if status["failed"]:
        raise SystemExit(f"{status['failed']} failed")


if __name__ == "__main__":
    listed, folder = map(Path, sys.argv[1:])
    # The bench removes the homes of all rounds with everything else.
    main(listed.read_text().split(), folder, folder.with_name(f"queue-home-{os.getpid()}"))
