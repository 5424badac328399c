"""A small paginated JSON library with a token: every paging style, base64, signed links, and lies on request."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.servers import flow_data as data
from tests.servers.threaded import Quiet, Threaded

TOKEN = "t0ken-of-the-fake"


@dataclass
class Shots:
    """What the server has and how it answers; tests change it while it runs."""

    count: int = 7
    style: str = "cursor"
    signed: int = 1
    """The serial of signed links that work now."""
    broken_files: bool = False
    """`/original` answers 404, so that only links work."""
    other_origin: str = ""
    """Where links lead instead of home."""
    rows: list[Any] | None = None
    page_answer: bytes | None = None
    file_answer: bytes | None = None
    """What every file is instead of its picture."""
    fail_from: int | None = None
    """Listing requests from this one on answer 500."""
    busy: int = 0
    """Seconds of rest that every listing request is told to take."""
    last: Any = None
    """What the last page gives as the cursor after it; `own`: the cursor it was asked with."""
    endless: bool = False
    """Cursors never end, and items never repeat."""
    wait: float = 0.0
    """Seconds before each answer."""
    requests: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    """Every path that was asked for, without its query."""
    secrets_seen: int = 0
    """Requests to /signed or /plain that carried the token."""

    def row(self, n: int, base: str) -> dict[str, Any]:
        link = f"{self.other_origin or base}/signed/{n}?serial={self.signed}"
        created = 1_761_955_200 - 3600 * n
        file = {
            "name": f"IMG_{n % 3}.png",
            "size": len(body(n)),
            "url": f"{base}/plain/{n}",
            "signed_url": link,
        }
        return {"id": f"i/{n}", "type": "image/png", "created_at": created, "file": file}


def body(n: int) -> bytes:
    """The picture number n."""
    return data.png(n, f"shot {n}".encode())


class JsonLibrary(Threaded):
    """The server on a free port of 127.0.0.1; a context manager."""

    def __init__(self) -> None:
        self.shots = Shots()
        handler: type[_Handler] = type("Handler", (_Handler,), {"shots": self.shots})
        super().__init__(Quiet(handler))
        handler.home = self.base


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    shots: Shots
    home = ""

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        first, _, rest = parts.path[1:].partition("/")
        self.shots.requests[first] += 1
        self.shots.paths[parts.path] += 1
        time.sleep(self.shots.wait)
        allowed = (
            self.headers.get("Authorization") == f"Bearer {TOKEN}" or query.get("key") == TOKEN
        )
        match first:
            case "items" if not allowed:
                self.reply(401, b'{"error":"sign in"}')
            case "items" if rest:
                self.original(unquote(rest.removesuffix("/original")))
            case "items":
                self.listing(query)
            case "signed" | "plain":
                self.shots.secrets_seen += allowed or "Authorization" in self.headers
                fresh = first == "plain" or query.get("serial") == str(self.shots.signed)
                picture = self.shots.file_answer or body(int(rest))
                self.reply(
                    200 if fresh else 403,
                    picture if fresh else b"<Error/>",
                    "image/png",
                )
            case _:
                self.reply(404, b"{}")

    def original(self, ident: str) -> None:
        if self.shots.broken_files:
            self.reply(404, b"{}")
            return
        picture = self.shots.file_answer or body(int(ident.removeprefix("i/")))
        self.reply(200, json.dumps({"data": {"b64": base64.b64encode(picture).decode()}}).encode())

    def listing(self, query: dict[str, str]) -> None:
        shots, size = self.shots, int(query.get("limit", 3))
        if shots.page_answer is not None:
            self.reply(200, shots.page_answer)
            return
        if shots.busy:
            self.reply(429, b"{}", **{"Retry-After": str(shots.busy)})
            return
        if shots.fail_from is not None and shots.requests["items"] >= shots.fail_from:
            self.reply(500, b"{}")
            return
        total = 1 << 30 if shots.endless else shots.count if shots.rows is None else len(shots.rows)
        start = int(query.get("offset", (int(query.get("page", 1)) - 1) * size))
        start = int(query.get("cursor", "c0").removeprefix("c")) if "cursor" in query else start
        end = min(start + size, total)
        more = end < total
        rows = (
            [shots.row(n, self.home) for n in range(start, end)]
            if shots.rows is None
            else shots.rows[start:end]
        )
        answer: dict[str, Any] = {"data": {"items": rows}}
        headers: dict[str, str] = {}
        match shots.style:
            case "cursor":
                last = f"c{start}" if shots.last == "own" else shots.last
                answer["data"]["next"] = f"c{end}" if more else last
            case "next_url" if more:
                answer["data"]["next"] = (
                    f"/items?limit={size}&offset={end}&key={query.get('key', '')}"
                )
            case "link_header" if more:
                headers["Link"] = (
                    f'</items?limit=1>; rel="first", </items?limit={size}&offset={end}>; rel="next"'
                )
            case _:
                pass
        self.reply(200, json.dumps(answer).encode(), **headers)

    def reply(
        self, status: int, content: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def place(ident: str) -> str:
    """An id as it appears in an address."""
    return quote(ident, safe="")
