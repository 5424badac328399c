"""The static pages: the dashboard, the confirm page and the pairing page. Looking at them changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.errors import NotFoundError

STATIC: Final = Path(__file__).with_name("static")
NONCE_SECONDS: Final = 600.0
"""How long the button of a confirm page works."""
_CONFIRM_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_DASHBOARD_POLICY: Final = (
    _CONFIRM_POLICY.replace("img-src 'self'", "img-src 'self' blob:")
    + "; media-src blob:; manifest-src 'self'"
)
"""Thumbnails are fetched with a token and shown as blobs."""
_MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
}

routes = Routes()


@routes.add("GET", "/", who="anyone", is_page=True)
async def show_dashboard(_: HookRequest) -> Reply:
    """The dashboard."""
    return await _page("index.html", _DASHBOARD_POLICY)


@routes.add("GET", "/send", who="anyone", is_page=True)
async def show_confirm_page(request: HookRequest) -> Reply:
    """The bookmarklet's confirm page."""
    folder = folder_without_user(request.agent.live_settings.config.downloads.folder)
    nonce = request.context.nonces.make()
    return await _page("send.html", _CONFIRM_POLICY, nonce=nonce, folder=folder)


@routes.add("GET", "/pair", who="anyone", is_page=True)
async def show_pairing_page(_: HookRequest) -> Reply:
    """The page that pairs a browser."""
    return await _page("pair.html", _CONFIRM_POLICY)


@routes.add("GET", "/welcome", who="anyone", is_page=True)
async def show_welcome(_: HookRequest) -> Reply:
    """The dashboard, as a newcomer meets it."""
    return await _page("index.html", _DASHBOARD_POLICY)


@routes.add("GET", "/manifest.webmanifest", who="anyone")
async def get_manifest(_: HookRequest) -> Reply:
    """What lets a browser show the dashboard as a window of its own."""
    return await _file("manifest.webmanifest")


@routes.add("GET", "/static/{file}", who="anyone")
async def get_static_file(request: HookRequest) -> Reply:
    """What the pages are made of."""
    return await _file(request.params["file"])


@routes.add("GET", "/static/views/{file}", who="anyone")
async def get_view(request: HookRequest) -> Reply:
    """What the views of the dashboard are made of."""
    return await _file(request.params["file"], folder="views")


@routes.add("GET", "/favicon.ico", who="anyone")
async def get_icon(_: HookRequest) -> Reply:
    """The icon."""
    return await _file("icon.svg")  # browsers ask for it by themselves


async def missing_page() -> Reply:
    """The page for a person who follows a link to nowhere; it repeats nothing of the address."""
    reply = await _page("missing.html", _CONFIRM_POLICY)
    return replace(reply, status=404)


def folder_without_user(folder: str) -> str:
    """A folder without the user's name: any site may lead here, and a screenshot may show it."""
    path = Path(folder).expanduser()
    # The home's own folder has the user's name; below it the names are of their choosing.
    if path.is_relative_to(Path.home()):
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    return path.name


async def _page(name: str, policy: str, **values: str) -> Reply:
    # Values stand in quoted attributes, where `html.escape` is enough; never in a script or an address.
    text = (await _read(name)).decode()
    for key, value in values.items():
        text = text.replace(f"{{{{{key}}}}}", html.escape(value))
    headers = {
        "Content-Security-Policy": policy,
        # A page that opened ours, or that ours opened, gets no hold of its window.
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }
    return Reply(200, text.encode(), _MEDIA_TYPES[".html"], headers)


async def _file(name: str, *, folder: str = "") -> Reply:
    media_type = _MEDIA_TYPES.get(Path(name).suffix)
    # A page is never served as a file: it gets its values and its policy from `_page`.
    if media_type is None or name.endswith(".html"):
        raise NotFoundError("not_found", "There is nothing at this address.")
    return Reply(200, await _read(name, folder=folder), media_type)


async def _read(name: str, *, folder: str = "") -> bytes:
    # The name comes from the path: nothing in it may lead out of the folder.
    if Path(name).name != name or name.startswith(".") or "\\" in name or "\0" in name:
        raise NotFoundError("not_found", "There is nothing at this address.")
    try:
        return await asyncio.to_thread((STATIC / folder / name).read_bytes)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise NotFoundError("not_found", "There is nothing at this address.") from error


class Nonces:
    """Nonces of the confirm page: `make` keeps nothing, each can be spent once within ten minutes.

    A `GET /send` comes from any site, so it must leave no trace here. The nonce therefore carries its
    own end and a signature. Only spent ones are remembered, and only our own page can spend one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # A nonce of an earlier run is worth nothing: the key lives as long as the agent runs.
        self._key = secrets.token_bytes(32)
        self._spent: dict[str, float] = {}

    def make(self) -> str:
        """A fresh nonce: its end, some random text and the signature of both."""
        text = f"{int(self._clock() + NONCE_SECONDS)}.{secrets.token_urlsafe(12)}"
        return f"{text}.{self._sign(text)}"

    def spend(self, nonce: str) -> bool:
        """Spend a nonce; False when it is not ours, too old or spent."""
        text, _, signature = nonce.rpartition(".")
        end = text.partition(".")[0]
        # Looked at before it is read as a number: `float` takes more than times (`nan`, `1e9`).
        if not (end.isascii() and end.isdigit() and len(end) < 16 and nonce.isascii()):
            return False
        now = self._clock()
        # What is too old cannot be spent any more, so it need not be remembered: that bounds this table.
        self._spent = {spent: until for spent, until in self._spent.items() if until > now}
        if (
            not hmac.compare_digest(signature, self._sign(text))
            or float(end) < now
            or text in self._spent
        ):
            return False
        self._spent[text] = float(end)
        return True

    def give_back(self, nonce: str) -> None:
        """Let a nonce be spent again: it led to nothing, through no fault of the person."""
        self._spent.pop(nonce.rpartition(".")[0], None)

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"<Nonces: {len(self._spent)} spent>"
