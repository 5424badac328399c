"""Plain files of the fake: `/dl/<id>.mp4?size=&redirects=&status=&flaky=&truncate=&stall_ms=&html=&nolen=&type=`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.servers import flow_data as data

if TYPE_CHECKING:
    from tests.servers.flow import _Handler


def serve_plain(handler: _Handler) -> None:
    """Answer one request for a plain file, with the faults its query asks for."""
    parts = urlsplit(handler.path)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    name = parts.path.removeprefix("/dl/")
    redirects = int(query.get("redirects", 0))
    if name == "loop.mp4":
        handler.reply(302, b"", Location="/dl/loop.mp4")
    elif redirects:
        rest = urlencode({**query, "redirects": str(redirects - 1)})
        handler.reply(302, b"", Location=f"{parts.path}?{rest}")
    elif handler.state.fault(f"dl {name}", {"times": int(query.get("flaky", 0))}):
        handler.reply(503, b"")
    elif int(query.get("status", 200)) != 200:
        handler.reply(int(query["status"]), b"")
    elif "html" in query:
        handler.reply(200, b"<!doctype html><html>Sign in</html>", "text/html")
    else:
        _body(handler, query, data.mp4(name.removesuffix(".mp4"), int(query.get("size", 200_000))))


def _body(handler: _Handler, query: dict[str, str], body: bytes) -> None:
    kind = query.get("type", "video/mp4")
    if not {"truncate", "stall_ms", "nolen"} & query.keys():
        handler.bytes_of(body, kind)
        return
    handler.answered = 200
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    if "nolen" not in query:
        handler.send_header("Content-Length", str(len(body)))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    half = len(body) // 2
    handler.wfile.write(body[:half])
    handler.wfile.flush()
    time.sleep(int(query.get("stall_ms", 0)) / 1000)
    handler.wfile.write(body[half : int(query.get("truncate", len(body)))])
