"""A video site on loopback: pages, manifests and media, held back or refused as a test wishes."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType

from tests.servers.threaded import Quiet, Threaded

TYPES = {
    "html": "text/html",
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "mp4": "video/mp4",
    "m4s": "video/iso.segment",
    "ts": "video/mp2t",
    "key": "application/octet-stream",
}


class Site(Threaded):
    """`with Site(files) as site:`; paths without a query -> bytes, from a page to a segment."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.statuses: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.needs_cookie: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.held: dict[str, threading.Event] = {}
        """Paths that are not answered before their event is set."""
        self.closing = threading.Event()
        super().__init__(Quiet(self._handler()))
        self.authority = f"127.0.0.1:{self.port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                _answer(site, self, body=True)

            def do_HEAD(self) -> None:
                _answer(site, self, body=False)

        return Handler

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        for event in self.held.values():
            event.set()
        super().__exit__(kind, error, trace)

    def page(self, path: str, body: str, *, title: str = "A Film", head: str = "") -> str:
        """Put an HTML page there; returns its address."""
        text = f"<!doctype html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>"
        self.files[path] = text.encode()
        return self.base + path

    def hold(self, path: str) -> threading.Event:
        """Do not answer for this path before the event is set."""
        self.held[path] = threading.Event()
        return self.held[path]

    def times(self, path: str) -> int:
        """How often a path was asked for with GET."""
        return sum(asked == path for asked, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def _answer(site: Site, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
    path = handler.path.partition("?")[0]
    headers = {name.lower(): value for name, value in handler.headers.items()}
    if body:
        site.asked.append((path, headers))
    if path in site.held:
        site.held[path].wait(30)
    wanted = site.needs_cookie.get(path)
    status = site.statuses.get(path) or (200 if path in site.files else 404)
    if wanted and wanted not in headers.get("cookie", ""):
        status = 403
    if path in site.redirects:
        handler.send_response(302)
        handler.send_header("Location", site.redirects[path])
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    data = site.files.get(path, b"") if status == 200 else b"no"
    status, data, extra = _ranged(status, data, headers.get("range"))
    handler.send_response(status)
    handler.send_header("Content-Type", TYPES.get(path.rpartition(".")[2], "text/html"))
    handler.send_header("Content-Length", str(len(data)))
    handler.send_header("ETag", f'"{len(data)}"')
    for name, value in extra.items():
        handler.send_header(name, value)
    handler.end_headers()
    if body:
        try:
            handler.wfile.write(data)
        except OSError:
            handler.close_connection = True


def _ranged(status: int, data: bytes, range: str | None) -> tuple[int, bytes, dict[str, str]]:
    if status != 200 or not range or not range.startswith("bytes="):
        return status, data, {"Accept-Ranges": "bytes"}
    first, _, last = range.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or len(data)), len(data) - 1)
    if start >= len(data):
        return 416, b"", {"Content-Range": f"bytes */{len(data)}"}
    return 206, data[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{len(data)}"}


FORMS: dict[str, tuple[str, ...]] = {
    "film.mp4": ("-c:v", "libx264", "-c:a", "aac", "-movflags", "+faststart"),
    "ts/index.m3u8": ("-c:v", "libx264", "-c:a", "aac", "-hls_time", "1", "-hls_playlist_type", "vod"),
    "fmp4/index.m3u8": (
        *("-c:v", "libx264", "-c:a", "aac", "-hls_time", "1", "-hls_playlist_type", "vod"),
        *("-hls_segment_type", "fmp4"),
    ),
    "aes/index.m3u8": (
        *("-c:v", "libx264", "-c:a", "aac", "-hls_time", "1", "-hls_playlist_type", "vod"),
        *("-hls_key_info_file", "../key_info"),
    ),
    "dash/index.mpd": (
        *("-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-c:a", "aac", "-f", "dash"),
        *("-seg_duration", "1", "-adaptation_sets", "id=0,streams=v id=1,streams=a"),
    ),
}  # fmt: skip


@cache
def _made(folder: Path, form: str) -> dict[str, bytes]:
    out = folder / form
    out.parent.mkdir(parents=True, exist_ok=True)
    (folder / "secret.key").write_bytes(bytes(range(16)))
    (folder / "key_info").write_text(f"secret.key\n{folder / 'secret.key'}\n")
    subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-loglevel", "error", "-y"),
            *("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=10:duration=4"),
            *("-f", "lavfi", "-i", "sine=frequency=440:duration=4"),
            *("-g", "10", "-threads", "1", "-pix_fmt", "yuv420p", *FORMS[form], out.name),
        ],
        cwd=out.parent,
        check=True,
        timeout=60,
    )
    made = {
        f"/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in (out.parent.iterdir() if "/" in form else [out])
        if path.is_file()
    }
    if form.startswith("aes"):
        made["/aes/secret.key"] = bytes(range(16))
    return made


def media(folder: Path, *forms: str) -> dict[str, bytes]:
    """Four seconds of picture and sound in each form, by ffmpeg; made once for a folder."""
    made: dict[str, bytes] = {}
    for form in forms:
        made |= _made(folder, form)
    return made


def streams(path: Path) -> dict[str, float]:
    """What ffprobe finds in a file: kind of stream -> seconds."""
    probe = shutil.which("ffprobe")
    assert probe is not None
    shown = subprocess.run(
        [probe, "-v", "error", "-show_entries", "stream=codec_type:format=duration", "-of", "json", path],
        capture_output=True,
        check=True,
        timeout=30,
    )  # fmt: skip
    found = json.loads(shown.stdout)
    seconds = float(found["format"]["duration"])
    return {stream["codec_type"]: seconds for stream in found["streams"]}


Edit = Callable[[bytes], bytes]


def changed(files: dict[str, bytes], path: str, edit: Edit) -> dict[str, bytes]:
    """The same files with one of them edited."""
    return {**files, path: edit(files[path])}
