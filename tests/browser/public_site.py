"""A site on the public internet, as far as the browsers can tell: TLS, several names, and pages of every strictness."""

import http.server
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trustme

from tests.servers.threaded import Quiet, Threaded

VIDEO: Final = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"moving pictures " * 4096
HOSTS: Final = ("videos.example", "evil.example")
POLICIES: Final[dict[str, dict[str, str]]] = {
    "plain": {},
    "strict": {
        "Content-Security-Policy": "default-src 'self'; script-src 'self'; form-action 'none'"
    },
    "trusted": {
        "Content-Security-Policy": "require-trusted-types-for 'script'; trusted-types 'none'"
    },
    "coop": {"Cross-Origin-Opener-Policy": "same-origin"},
    "sandbox": {"Content-Security-Policy": "sandbox allow-scripts allow-same-origin"},
}
"""Kinds of pages by the headers they come with."""

PLAYER: Final = """<!doctype html><title>Aurora over Lofoten</title>
<meta property="og:video" content="/media/preview.mp4">
<h1>Aurora over Lofoten</h1>
<video src="/media/aurora.mp4" width="320" height="180" muted></video>
<video><source src="/media/making-of.webm"></video>
<p><a href="/media/soundtrack.mp3">The soundtrack</a></p>
<script>fetch("/media/live.m3u8")</script>"""


class Answers(http.server.BaseHTTPRequestHandler):
    """`/<policy>/<name>.mp4` is a page for people and a video for programs; `/large/<MB>/` takes its time."""

    protocol_version = "HTTP/1.1"
    server: "PublicServer"

    def do_HEAD(self) -> None:
        """Say how large it is."""
        self.answer()

    def do_GET(self) -> None:
        """Answer a page or a video."""
        self.answer()

    def do_POST(self) -> None:
        """Answer a form, after reading what it says."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    def answer(self) -> None:
        """Choose by path, and by what the visitor wants to see."""
        path = urlsplit(self.path).path
        self.server.seen.append((path, dict(self.headers.items())))
        first, _, name = path.lstrip("/").partition("/")
        page = "text/html" in self.headers.get("Accept", "")
        if path in self.server.special:
            self.server.special[path](self)
        elif path == "/player.html":
            self.give("text/html; charset=utf-8", PLAYER.encode())
        elif path in self.server.files:
            self.give(*self.server.files[path])
        elif first == "large":
            self.drip(int(name.partition("/")[0]) * 1_000_000)
        elif path in self.server.missing:
            self.give("text/plain", b"not here", status=404)
        elif first in POLICIES and page:
            html = f"<!doctype html><title>Clip of a {first} page</title><h1>{name}</h1>"
            self.give("text/html; charset=utf-8", html.encode(), POLICIES[first])
        elif name.endswith(".m3u8"):
            self.give("application/vnd.apple.mpegurl", b"#EXTM3U\n")
        elif name.endswith((".mp4", ".webm", ".mp3")):
            called = self.server.called.get(path)
            headers = {"Content-Disposition": f'attachment; filename="{called}"'} if called else {}
            pause = self.server.pause if first == "slow" else 0
            self.give("video/mp4", VIDEO, headers, pause=pause)
        else:
            self.give("text/plain", b"nothing", status=404)

    def give(
        self,
        kind: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
        pause: float = 0,
    ) -> None:
        """Write the answer, in slow pieces where a pause is given."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        step = 4096 if pause else len(body)
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            time.sleep(pause)

    def drip(self, size: int, pause: float = 0.2) -> None:
        """Send more than half of a large video at once, and the rest slowly: a MB, then a pause in seconds."""
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = VIDEO[:32] + bytes(1_000_000 - 32)
        for number in range(size // len(block)):
            self.wfile.write(block)
            time.sleep(pause if number > 0.6 * size / len(block) else 0)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


def holding(end: threading.Event, first: int = 1000) -> Callable[[Answers], None]:
    """What sends so many bytes of a film at once, and the others when the test says so."""

    def answer(answers: Answers) -> None:
        answers.send_response(200)
        answers.send_header("Content-Type", "video/mp4")
        answers.send_header("Content-Length", str(len(VIDEO)))
        answers.end_headers()
        answers.wfile.write(VIDEO[:first])
        end.wait(60)
        answers.wfile.write(VIDEO[first:])

    return answer


class PublicServer(Quiet):
    """What the site holds, and who asked for it."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.files: dict[str, tuple[str, bytes]] = {}
        """Path -> type and content of what a test adds."""
        self.special: dict[str, Callable[[Answers], None]] = {}
        """Path -> what a test answers there."""
        self.missing: set[str] = set()
        self.called: dict[str, str] = {}
        """Path -> what the site calls the file."""
        self.pause = 0.15


class PublicSite(Threaded):
    """The server with its certificate; use as a context manager."""

    scheme = "https"

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*HOSTS, "127.0.0.1").configure_cert(context)
        self.server: PublicServer = PublicServer()
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        super().__init__(self.server)

    def url(self, path: str, host: str = "videos.example") -> str:
        """Return the address of a page under one of the site's names."""
        return f"https://{host}:{self.port}{path}"
