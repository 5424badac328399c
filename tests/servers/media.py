"""An honest media server: any number of files of known bytes, with ranges and validators, as slow as asked.

`/NAME?size=N&rate=N&wait=S` answers N bytes that follow from NAME alone, at a rate (bytes a second), after
S seconds; `status=N` answers that instead. With `hold=1` the second half waits until the test says `go_on`.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.threaded import Quiet, Threaded

STEP = 16384


def content(name: str, size: int) -> bytes:
    """The bytes of a file."""
    return hashlib.shake_128(name.encode()).digest(size)


class Media(Threaded):
    """The server on a free port of 127.0.0.1, or of another host; a context manager."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._lock = threading.Lock()
        self.requests: list[str] = []
        """Paths asked for, in order."""
        self.times: list[float] = []
        """When they came, in monotonic seconds."""
        self.busy_seconds = 0
        """For so long the next request is told to stay away (429), and only that one."""
        self.headers: list[Message] = []
        """What was said with each request."""
        self.active = 0
        self.most = 0
        """The largest number of answers under way at once."""
        self.go_on = threading.Event()
        """Set by the test: from then on no answer is held."""
        super().__init__(Quiet(type("Handler", (_Handler,), {"media": self}), host=host))

    def url(self, name: str, size: int = 10_000, **more: object) -> str:
        """The address of a file."""
        query = "&".join(f"{key}={value}" for key, value in {"size": size, **more}.items())
        return f"{self.base}/{name}?{query}"

    @contextlib.contextmanager
    def _counted(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - private, and a generator
        with self._lock:
            self.active += 1
            self.most = max(self.most, self.active)
        try:
            yield
        finally:
            with self._lock:
                self.active -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    media: Media

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Answer with the file, or the part of it that was asked for."""
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.media.requests.append(parts.path)
        self.media.times.append(time.monotonic())
        self.media.headers.append(self.headers)
        if self.media.busy_seconds:
            seconds, self.media.busy_seconds = self.media.busy_seconds, 0
            self._send(429, b"later", {"Retry-After": str(seconds)})
            return
        with self.media._counted():
            time.sleep(float(query.get("wait", 0)))
            if "status" in query:
                self._send(int(query["status"]), b"no", {})
                return
            self._file(unquote(parts.path[1:]), int(query.get("size", 10_000)), query)

    def _file(self, name: str, size: int, query: dict[str, str]) -> None:
        data = content(name, size)
        headers = {
            "ETag": f'"{name}-{size}"',
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        rate, hold = float(query.get("rate", 0)), "hold" in query
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]
        if asked is None or not fresh:
            self._send(200, data, headers, rate, hold=hold)
            return
        start, end = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        if start >= size:
            self._send(416, b"", {"Content-Range": f"bytes */{size}"})
            return
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        self._send(206, data[start : end + 1], headers, rate, hold=hold)

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str],
        rate: float = 0,
        *,
        hold: bool = False,
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if hold and not self.media.go_on.is_set():
            half = len(body) // 2
            self.wfile.write(body[:half])
            self.media.go_on.wait(300)  # a test that failed says nothing
            body = body[half:]
        if not rate:
            self.wfile.write(body)
            return
        for place in range(0, len(body), STEP):
            self.wfile.write(body[place : place + STEP])
            time.sleep(STEP / rate)
