"""The static pages: the dashboard, the confirm page and the pairing page. Nothing happens by looking at them."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path
from typing import Final

from trayagent.hook.call import Call, Reply
from trayagent.hook.routes import Route
from trayagent.model.errors import NotFoundError

STATIC: Final = Path(__file__).with_name("static")
_CONFIRM: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_DASHBOARD: Final = _CONFIRM.replace("img-src 'self'", "img-src 'self' blob:")
"""Thumbnails are fetched with a token and shown as blobs."""
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".json": "application/json",
}


async def dashboard(_: Call) -> Reply:
    """The queue, the history, the library."""
    return await _page("index.html", _DASHBOARD)


async def send(call: Call) -> Reply:
    """The bookmarklet's confirm page, with a nonce that its button spends."""
    folder = _homely(call.agent.preferences.config.downloads.folder)
    return await _page("send.html", _CONFIRM, nonce=call.house.nonces.make(), folder=folder)


async def pair(_: Call) -> Reply:
    """The page that hands the one-time code to the extension."""
    return await _page("pair.html", _CONFIRM)


async def static(call: Call) -> Reply:
    """A script, style or picture of our pages."""
    return await _file(call.params["file"])


async def icon(_: Call) -> Reply:
    """What browsers ask for by themselves."""
    return await _file("icon.svg")


PAGES: Final = (
    Route("GET", "/", dashboard, "anyone", "The dashboard.", page=True),
    Route("GET", "/send", send, "anyone", "The bookmarklet's confirm page.", page=True),
    Route("GET", "/pair", pair, "anyone", "The page that pairs a browser.", page=True),
    Route("GET", "/static/{file}", static, "anyone", "What the pages are made of."),
    Route("GET", "/favicon.ico", icon, "anyone", "The icon."),
)


async def _page(name: str, policy: str, **values: str) -> Reply:
    text = (await _read(name)).decode()
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", html.escape(value))
    headers = {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
    return Reply(200, text.encode(), _TYPES[".html"], headers)


async def _file(name: str) -> Reply:
    kind = _TYPES.get(Path(name).suffix)
    if kind is None or name.endswith(".html"):
        raise _missing()
    return Reply(200, await _read(name), kind)


async def _read(name: str) -> bytes:
    if Path(name).name != name or name.startswith(".") or "\\" in name or "\0" in name:
        raise _missing()
    try:
        return await asyncio.to_thread((STATIC / name).read_bytes)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise _missing() from error


def _homely(folder: str) -> str:
    """A folder as a stranger may see it: without the name of the user."""
    path = Path(folder).expanduser()
    if path.is_relative_to(Path.home()):
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    return path.name


def _missing() -> NotFoundError:
    return NotFoundError("not_found", "There is nothing at this address.")
