"""A real aria2c on loopback, in the part of the NAS: it may be killed and started again at its port."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests import programs
from tests.servers.namespace import Namespace
from tests.servers.own_process import OwnProcess

SECRET = "the-nas's-word"
LACKING = programs.lacking(("aria2c",))


class Nas(OwnProcess):
    """`with Nas(folder) as nas:`; what it has begun survives a stop, and a kill up to a second before."""

    def __init__(self, folder: Path, *options: str, namespace: Namespace | None = None) -> None:
        """With a namespace it is at the far end of the cable."""
        super().__init__(folder)
        self._namespace = namespace
        self.files = folder / "data"
        self._session = folder / "session"
        self._options = options
        self.listed: set[str] = set()
        """Files that its session file held at a kill: aria2 begins those anew by itself."""

    @property
    def url(self) -> str:
        host = self._namespace.far if self._namespace else "127.0.0.1"
        return f"http://{host}:{self.port}/jsonrpc"

    def start(self) -> None:
        self.files.mkdir(exist_ok=True)
        self._session.touch()
        super().start()

    def ask(self) -> None:
        self.call("getVersion")

    def command(self) -> list[str]:
        there = ["ip", "netns", "exec", self._namespace.name] if self._namespace else []
        return [
            *there,
            "aria2c",
            *(["--rpc-listen-all"] if there else []),
            "--no-conf",
            "--quiet",
            "--enable-rpc",
            f"--rpc-listen-port={self.port}",
            f"--rpc-secret={SECRET}",
            f"--dir={self.files}",
            f"--input-file={self._session}",
            f"--save-session={self._session}",
            "--save-session-interval=1",
            "--file-allocation=none",
            "--disable-ipv6",
            *self._options,
        ]

    def kill(self) -> None:
        super().kill()
        self.listed |= set(re.findall(r"/([^/?\s]+)\?", self.saved()))

    def saved(self) -> str:
        """Its session file: what it knows again after a kill. It is written once a second."""
        return self._session.read_text()

    def call(self, method: str, *params: Any) -> Any:
        """What a method gives, or the error's message."""
        body = {"jsonrpc": "2.0", "id": "1", "method": f"aria2.{method}"}
        sent = json.dumps({**body, "params": [f"token:{SECRET}", *params]}).encode()
        if self._namespace is not None:
            return self._curl(sent)
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url, sent), timeout=5
            ) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            return json.load(error)["error"]["message"]

    def _curl(self, sent: bytes) -> Any:
        """As `call`, by another program: this one may connect to nothing but loopback."""
        command = ["curl", "--silent", "--max-time", "5", "--data-binary", "@-", self.url]
        answer = subprocess.run(command, input=sent, capture_output=True, check=False)
        if answer.returncode:
            raise ConnectionError(f"curl: {answer.returncode}")
        told = json.loads(answer.stdout)
        return told["error"]["message"] if "error" in told else told["result"]
