"""The real agent in a process and home of its own, and a client with its token."""

import asyncio
import contextlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 20.0
Found = TypeVar("Found")


class Running:
    """`with Running(home) as agent:`; `settings` are named as in the environment, HOOK__PORT and so on.

    `authority` is a file with the certificate authority it trusts.
    """

    def __init__(self, home: Path, authority: Path | None = None, **settings: str) -> None:
        self.home = home
        base = {key: os.environ[key] for key in ("PATH", "LANG", "SYSTEMROOT") if key in os.environ}
        own = {"HOOK__PORT": "0", "NOTIFICATIONS__LEVEL": "none"} | settings
        self.environ = base | {
            "HOME": str(home),
            "TRAYAGENT_HOME": str(home),
            "TRAYAGENT_SECRETS": "file",
            "PYTHONPATH": str(ROOT),
        }
        self.environ |= {f"TRAYAGENT_{key}": value for key, value in own.items()}
        if authority is not None:
            self.environ["SSL_CERT_FILE"] = str(authority)
        self.port = 0
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "trayagent", "run", "--headless"]
        self._log = (self.home / "test.log").open("wb")
        self._process = subprocess.Popen(
            command, env=self.environ, cwd=self.home, stdout=self._log, stderr=self._log
        )
        try:
            self.find()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def find(self) -> None:
        """Wait until an agent answers from this home, whoever started it."""
        runtime = self.home / "runtime.json"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._process and self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, ValueError, KeyError):
                self.port = int(json.loads(runtime.read_text())["port"])
                self.token = (self.home / "token").read_text().strip()
                self.call("GET", "status")
                return
            time.sleep(0.05)
        log = self.home / "test.log"
        raise AssertionError(f"the agent did not start: {log.read_text() if log.exists() else ''}")

    @property
    def base(self) -> str:
        """The address of its pages."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API with the machine's own token; the answer is the JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with contextlib.closing(connection):
            connection.request(
                method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers
            )
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status < 400, f"{method} {path}: {answer.status} {text!r}"
        return json.loads(text) if text else None

    def downloads(self) -> list[dict[str, Any]]:
        """Return everything it was ever asked for, newest first."""
        found: list[dict[str, Any]] = self.call("GET", "downloads?limit=200")["downloads"]
        return found

    def belongings(self) -> dict[str, Any]:
        """Return everything an attack could have changed."""
        return {
            "downloads": [row["id"] for row in self.downloads()],
            "paused": self.call("GET", "status")["paused"],
            "clients": [each["id"] for each in self.call("GET", "clients")["clients"]],
            "config": self.call("GET", "config"),
        }

    def wished(self, url: str) -> dict[str, Any]:
        """Return what was asked for beside an address, once it was; the API does not repeat it."""

        def look() -> dict[str, Any] | None:
            with contextlib.closing(sqlite3.connect(self.home / "trayagent.db")) as conn:
                row = conn.execute("SELECT orders FROM downloads WHERE url = ?", (url,)).fetchone()
            return json.loads(row[0] or "{}") if row else None

        found = until(look)
        assert found is not None
        return found

    def refusals(self) -> list[str]:
        """Return what its door has refused so far, as the log tells it."""
        lines = "".join(file.read_text() for file in (self.home / "logs").iterdir()).splitlines()
        return [line for line in lines if "Refused" in line]

    async def arrival(self, url: str) -> Path:
        """Wait until the download of an address is complete, and return its file."""
        return await asyncio.to_thread(self.saved, url)

    def saved(self, url: str, patience: float = PATIENCE) -> Path:
        """Wait likewise, where no event loop runs."""
        end = time.monotonic() + patience
        rows: list[dict[str, Any]] = []
        while time.monotonic() < end:
            rows = [row for row in self.downloads() if row["url"] == url]
            if rows and rows[0]["state"] == "completed":
                return Path(rows[0]["path"])
            assert not rows or rows[0]["state"] != "failed", rows[0]["error"]
            time.sleep(0.05)
        raise AssertionError(f"{url} did not arrive: {rows}")

    def dashboard(self) -> str:
        """Return an address that opens the dashboard once."""
        return f"{self.base}/#code={self.call('POST', 'sessions/codes', {})['code']}"

    def pairing(self) -> str:
        """Return an address that pairs a browser once."""
        return f"{self.base}/pair#code={self.call('POST', 'clients/codes', {})['code']}"


def until(look: Callable[[], Found]) -> Found:
    """Look again until there is something, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)
    return found
