"""A real agent in a process and home of its own, to be talked to from outside, and to be killed."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.e2e.job import end_with_us

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0 if sys.platform == "win32" else 30.0
"""Seconds to wait for a fact. Under Wine, on a machine that others use, a start alone takes ten to forty."""
T = TypeVar("T")


def environ(home: Path, **more: str) -> dict[str, str]:
    """The environment of a person who has just this home."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "SYSTEMROOT") if key in os.environ}
    own = {"HOME": str(home), "TRAYAGENT_HOME": str(home), "TRAYAGENT_SECRETS": "file"}
    own["USERPROFILE"] = str(home)  # what `Path.home()` asks for on Windows, where everybody has it
    # A crash in C code (curl, SQLite) leaves the stacks of all threads in the log instead of nothing.
    own |= {"PYTHONFAULTHANDLER": "1"}
    return kept | own | {"TRAYAGENT_HOOK__PORT": "0", "PYTHONPATH": str(ROOT)} | more


def command(
    home: Path, *args: str, input: str | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `trayagent ARGS…` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "trayagent", *args],
        env=environ(home, **more),
        cwd=home,
        input=input,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def until(found: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Ask until there is an answer that counts."""
    end = time.monotonic() + patience
    while True:
        answer = found()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited {patience:.0f} s for {what}"
        time.sleep(0.02)


class Agent:
    """`with Agent(home) as agent:`; may be killed and started again.

    `words` are its command line, `settings` named as in the environment (`HOOK__PORT`).
    """

    def __init__(
        self, home: Path, words: Sequence[str] = ("run", "--headless"), **settings: str
    ) -> None:
        self.home = home
        self._words = words
        self._environ = environ(
            home, **{f"TRAYAGENT_{key}": value for key, value in settings.items()}
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.token = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> float:
        """Start it; returns the seconds until it answered. One that did not answer is ended."""
        began = time.monotonic()
        self.launch()
        try:
            until(self._answers, "the agent")
        except BaseException as error:
            # `__exit__` is not called where `__enter__` has failed: it would run on without a test.
            self.kill()
            if isinstance(error, AssertionError):
                raise AssertionError(f"{error}; it said:\n{self.last_words()}") from error
            raise
        return time.monotonic() - began

    def last_words(self) -> str:
        """The end of what it wrote to its console and its log: why it did not start, say."""
        files = [self.home / "output.log", *sorted((self.home / "logs").glob("*.log"))]
        return "\n".join(
            file.read_text("utf-8", "replace")[-2000:] for file in files if file.is_file()
        )

    def launch(self) -> None:
        """Start its process, and no more."""
        self.home.mkdir(parents=True, exist_ok=True)
        program, environ = sys.executable, self._environ
        if sys.platform == "win32" and sys.prefix != sys.base_prefix and Path(os.devnull) != ROOT:
            # There the python.exe of an environment starts another one and waits for it: neither its number
            # nor its end would be the agent's. multiprocessing goes around it in the same way.
            program = sys._base_executable
            environ = environ | {"__PYVENV_LAUNCHER__": sys.executable}
        with (self.home / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, "-m", "trayagent", *self._words],
                env=environ,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end_with_us(self.process)

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As a session's end would; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self._ask_to_end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.process.wait(PATIENCE / 3)
            self.process.kill()
        return self.process.wait()

    def _ask_to_end(self) -> None:
        assert self.process is not None
        if sys.platform != "win32":
            self.process.send_signal(signal.SIGTERM)
            return
        # There a signal to a process is no question: it ends at once, as by `kill`, with code 1.
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.call("POST", "quit", {})

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request, as curl would send it."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        with contextlib.closing(connection):
            connection.request(
                method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers
            )
            answer = connection.getresponse()
            text = answer.read()
        return answer.status, json.loads(text) if text else None

    def get(self, path: str) -> Any:
        """What GET answers."""
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: object = None) -> Any:
        """What POST answers."""
        status, answer = self.call("POST", path, {} if body is None else body)
        assert status < 300, answer
        return answer

    def run(self, *args: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """A command beside it."""
        return command(self.home, *args, input=input)

    def log(self) -> str:
        """What it said."""
        return (self.home / "output.log").read_text("utf-8", "replace")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "it has ended"
        with contextlib.suppress(OSError, ValueError, KeyError):
            runtime = json.loads((self.home / "runtime.json").read_text())
            if runtime["pid"] == self.process.pid:
                self.port, self.token = runtime["port"], (self.home / "token").read_text().strip()
                return self.call("GET", "health")[0] == 200
        return False
