"""A real S3 server (moto's) as a process of its own, and a wire to it that lies on demand.

moto keeps everything in memory, verifies no signatures, and honours `If-None-Match: *`, as Amazon does.
"""

from __future__ import annotations

import http.client
import re
import secrets
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from html import unescape
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from tests.servers.own_process import OwnProcess
from tests.servers.threaded import Quiet, Threaded

ACCESS_KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI-K7MDENG"
HOP = {"connection", "transfer-encoding", "content-length", "server", "date"}
"""What belongs to one connection, or is written anew by ours."""

Lie = Literal["", "refuse", "lose the answer", "replace", "damage", "forbid", "silent"]


class ObjectStore(OwnProcess):
    """`with ObjectStore(folder) as store:`; each test uses an empty bucket of its own."""

    start_seconds = 40.0  # it imports half of the Internet first

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bucket = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-p", str(self.port)]

    def new_bucket(self) -> None:
        """From now on an empty bucket is meant."""
        self.bucket = f"films-{secrets.token_hex(4)}"
        self._ask("PUT", "")

    def put(self, key: str, content: bytes) -> None:
        """An object of somebody else's."""
        self._ask("PUT", key, content)

    def objects(self) -> list[str]:
        """All objects, but for the mark."""
        told = self._ask("GET", "?list-type=2").decode()
        keys = [unescape(key) for key in re.findall("<Key>(.*?)</Key>", told)]
        return sorted(key for key in keys if not key.endswith(".trayagent-target"))

    def content(self, key: str) -> bytes | None:
        """What an object holds; None: there is none."""
        try:
            return self._ask("GET", key)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    def _ask(self, method: str, key: str, content: bytes | None = None) -> bytes:
        path = key if key.startswith("?") else quote(key)
        headers = {
            # Anybody who seems to have signed is its owner.
            "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20261128/us-east-1/s3",
            "Content-Type": "application/octet-stream",
        }
        url = f"{self.url}/{self.bucket}/{path}"
        request = urllib.request.Request(url, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            told: bytes = answer.read()
        return told


class LyingWire(Threaded):
    """A server before the store, which passes on what it is asked unless `lie` says otherwise.

    refuse            the connection is closed unread
    lose the answer   the store has done it, and nobody hears of it
    replace           `If-None-Match` does not reach the store
    damage            the first byte of what is read is another one
    forbid            403, as for a wrong key
    silent            no answer until the wire is told to go on
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.lie: Callable[[str, str], Lie] = lambda _method, _path: ""
        """Asked with the method and the path of each request."""
        self.asked: list[str] = []
        self.headers: list[str] = []
        """All that was said to the store, to look for secrets in."""
        self.go_on = threading.Event()
        super().__init__(Quiet(type("Wire", (_WireHandler,), {"wire": self})))

    @property
    def url(self) -> str:
        return self.base

    def lie_once(self, method: str, part: str, lie: Lie) -> None:
        """Lie about the first request of this method whose path holds `part`."""
        left = [lie]

        def once(asked: str, path: str) -> Lie:
            return left.pop() if left and asked == method and part in path else ""

        self.lie = once


class _WireHandler(BaseHTTPRequestHandler):
    wire: LyingWire
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wire = self.wire
        lie = wire.lie(self.command, self.path)
        wire.asked.append(f"{self.command} {self.path}")
        wire.headers += [f"{name}: {value}" for name, value in self.headers.items()]
        if lie == "refuse":
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if lie == "silent":
            wire.go_on.wait(60)
        if lie == "forbid":
            self._answer(403, {}, b"<Error><Code>InvalidAccessKeyId</Code></Error>")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        if lie == "replace":
            headers.pop("if-none-match", None)
        connection = http.client.HTTPConnection("127.0.0.1", wire.store.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            told = answer.read()
        except OSError:
            self.close_connection = True
            return
        finally:
            connection.close()
        if lie == "lose the answer":
            self.close_connection = True
            return
        if lie == "damage" and told:
            told = bytes([told[0] ^ 1]) + told[1:]
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self._answer(answer.status, kept, told, length)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  its base class names them

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, length: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
