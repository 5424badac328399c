"""A real aria2c on loopback, in the part of the NAS: it may be killed and started again at its port."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import programs
from tests.servers.own_process import unused_port, wait_for_answer

SECRET = "the-nas's-word"
LACKING = programs.lacking(("aria2c",))


class Nas:
    """`with Nas(folder) as nas:`; what it has begun survives a stop, and a kill up to a second before."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.files = folder / "data"
        self._options = options
        self.listed: set[str] = set()
        """Files that its session file held at a kill: aria2 begins those anew by itself."""
        self._process: subprocess.Popen[bytes] | None = None
        self.port = unused_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jsonrpc"

    def __enter__(self) -> Self:
        self.files.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        session = self.folder / "session"
        session.touch()
        errors = self.folder / "stderr"
        with errors.open("wb") as said:
            self._process = subprocess.Popen(
                self._command(session), stdin=subprocess.DEVNULL, stderr=said
            )
        wait_for_answer(self._process, lambda: self.call("getVersion"), errors)

    def _command(self, session: Path) -> list[str]:
        return [
            "aria2c",
            "--no-conf",
            "--quiet",
            "--enable-rpc",
            f"--rpc-listen-port={self.port}",
            f"--rpc-secret={SECRET}",
            f"--dir={self.files}",
            f"--input-file={session}",
            f"--save-session={session}",
            "--save-session-interval=1",
            "--file-allocation=none",
            "--disable-ipv6",
            *self._options,
        ]

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.listed |= set(re.findall(r"/([^/?\s]+)\?", (self.folder / "session").read_text()))

    def call(self, method: str, *params: Any) -> Any:
        """What a method gives, or the error's message."""
        body = {"jsonrpc": "2.0", "id": "1", "method": f"aria2.{method}"}
        sent = json.dumps({**body, "params": [f"token:{SECRET}", *params]}).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url, sent), timeout=5
            ) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            return json.load(error)["error"]["message"]
