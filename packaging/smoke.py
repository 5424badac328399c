"""Start an installed trayagent as a session would, use every way in, and end it: `python packaging/smoke.py [PROGRAM]`.

Without PROGRAM it is the checkout's own. It uses a home of its own and loopback only.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that does not talk."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def main(words: list[str]) -> int:
    """The whole walk; 1 when a step fails."""
    program = [str(Path(word).absolute()) for word in words] or own()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        site, home = Path(folder, "site"), Path(folder, "home")
        site.mkdir()
        home.mkdir()
        (site / "film.bin").write_bytes(os.urandom(3_000_000))
        (site / "listed.bin").write_bytes(os.urandom(300_000))
        handler = functools.partial(Quiet, directory=str(site))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        environ = {**os.environ, "TRAYAGENT_HOME": str(home), "TRAYAGENT_SECRETS": "file"}
        log = home / "output.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*program, "run", "--port", "0"],
                env=environ,
                cwd=folder,
                stdout=output,
                stderr=output,
            )
            try:
                walk(process, home, site, base)
            except AssertionError as error:
                print(f"FAILED  {error}\n{log.read_text('utf-8', 'replace')}")
                return 1
            finally:
                process.kill()
                process.wait()
                server.shutdown()
    return 0


def walk(process: subprocess.Popen[bytes], home: Path, site: Path, base: str) -> None:
    """Ready, hook, drop folder, database, end."""
    began = time.monotonic()
    until((home / "runtime.json").exists, "it to be ready", process)
    step(f"ready in {time.monotonic() - began:.1f} s")
    agent = json.loads((home / "runtime.json").read_text("utf-8"))["url"]
    token = (home / "token").read_text("utf-8").strip()
    call = functools.partial(ask, agent, token)
    call("POST", "downloads", {"url": f"{base}/film.bin"})
    same(site / "film.bin", home / "downloads/film.bin", process)
    step("the hook: a POST became a file")
    (home / "drop").mkdir(exist_ok=True)
    (home / "drop/list.txt").write_text(f"{base}/listed.bin\n", "utf-8")
    until((home / "drop/done/list.txt.report.json").exists, "the list", process)
    same(site / "listed.bin", home / "downloads/listed.bin", process)
    step("the drop folder: a list became a file and a report")
    assert call("GET", "status")["completed"] == 2, "the database has forgotten something"
    step("the database: two downloads completed")
    call("POST", "quit", {})
    try:
        code = process.wait(20)
    except subprocess.TimeoutExpired:
        raise AssertionError("it did not end within 20 s") from None
    assert code == 0, f"it ended with {code}"
    logged = "".join(path.read_text("utf-8", "replace") for path in (home / "logs").glob("*.log"))
    assert "Traceback" not in logged, f"the log holds a traceback:\n{logged}"
    step("it ended, with nothing bad in its log")


def own() -> list[str]:
    """The checkout's own, in the environment that dev.py made."""
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return [str(ROOT / ".venv" / inside), "-m", "trayagent"]


def ask(agent: str, token: str, method: str, path: str, body: object = None) -> Any:
    """One request."""
    request = urllib.request.Request(
        f"{agent}/api/v1/{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def same(asked: Path, got: Path, process: subprocess.Popen[bytes]) -> None:
    """The file arrived as it was sent."""
    until(got.exists, got.name, process)
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (asked, got)]
    assert digests[0] == digests[1], f"{got.name} is not what the server sent"


def until(found: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for a fact."""
    end = time.monotonic() + PATIENCE
    while not found():
        assert process.poll() is None, f"it ended with {process.returncode}, before {what}"
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.05)


def step(text: str) -> None:
    """One thing works."""
    print(f"ok      {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
