"""The whole life of an agent for one list: start it, queue the list, leave when all of it is here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.bench.measure import trayagent

AT_A_TIME = 500


class AgentClient:
    """A running agent, as a program talks to it."""

    def __init__(self, home: Path) -> None:
        self._url = json.loads((home / "runtime.json").read_text())["url"]
        self._token = (home / "token").read_text().strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer to one request."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._url}/api/v1/{path}"
        with urlopen(Request(url, data, headers, method=method), timeout=60) as answer:
            return json.load(answer)


def main(urls: list[str], out: Path, home: Path) -> None:
    """Fetch the URLs into a folder, through the queue of a new home."""
    environ = {
        **os.environ,
        "TRAYAGENT_HOME": str(home),
        "TRAYAGENT_DOWNLOADS__FOLDER": str(out),
    }
    command = trayagent("run", "--headless", "--port", "0")
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it says so when it is ready
        agent = AgentClient(home)
        for start in range(0, len(urls), AT_A_TIME):
            items = [{"url": url} for url in urls[start : start + AT_A_TIME]]
            agent.ask("POST", "downloads", {"items": items})
        status = agent.ask("GET", "status")
        while status["queued"] or status["active"]:
            time.sleep(0.02)
            status = agent.ask("GET", "status")
        agent.ask("POST", "quit", {})
        process.stdout.read()
    if status["failed"]:
        raise SystemExit(f"{status['failed']} failed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=Path(sys.argv[2]).parent) as folder:
        main(Path(sys.argv[1]).read_text().split(), Path(sys.argv[2]), Path(folder))
