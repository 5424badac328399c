"""aria2's options: read from a client into items, changes and settings, and written back to it.

Source: aria2 manual, "Input File" and "aria2.changeGlobalOption". Three groups:

1. What has a meaning here is obeyed, by the same rules as in a dropped list (`lists.aria2`).
2. Everything else is accepted and ignored: aria2 does so, and clients send whole tables of options.
   Among it is what starts programs or reads and writes other files; it must never be obeyed.
3. A value that makes no sense, of an option that we obey, refuses the call.

Nothing that a client gave us in secret (headers, cookies) is ever written back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from trayagent.hook.foreign.rpc import RpcError
from trayagent.hook.foreign.values import TaskView
from trayagent.lists import ListError
from trayagent.lists.aria2 import build_item
from trayagent.model import units, validation
from trayagent.model.downloads import Item, Patch
from trayagent.model.errors import DownloadError
from trayagent.model.settings import Config

MOST_WORKERS: Final = 32
"""As many as the settings take; who asks for more gets these."""
MOST_HEADERS: Final = 1000
"""Of one download; each is judged by itself, and browsers send thirty."""

MOST_PATH: Final = 8192
"""Characters of a path, twice what any system takes: a million parts would hold everybody up."""

_TEXTS: Final = ("out", "referer", "user-agent", "checksum", "pause", "max-download-limit")
_COUNT: Final = re.compile(r"[0-9]{1,6}")
_CHECKSUM: Final = re.compile(r"(?:md5|sha-(?:1|224|256|384|512))=[0-9A-Fa-f]+")


class Wish(NamedTuple):
    """What `addUri` asks for."""

    item: Item
    gid: str | None
    """The name that the client chose."""
    warning: str | None


def read_wish(uris: list[str], options: Mapping[str, Any], config: Config) -> Wish:
    """The item that addresses and options ask for. Raises RpcError."""
    folder, warning = _folder(options, config.downloads.folder)
    item = _read_item(uris, options, folder)
    gid = options.get("gid")
    return Wish(item, gid if isinstance(gid, str) else None, warning)


def read_patch(options: Mapping[str, Any], config: Config, *, may_move: bool) -> Patch:
    """The changes that options ask for; one that is at work is not moved. Raises RpcError."""
    folder, _ = _folder(options, config.downloads.folder)
    item = _read_item(["http://unused.invalid/"], options, folder)
    given = {name for name in options if _text(options[name]) is not None}
    words: dict[str, Any] = {}
    if "max-download-limit" in given:
        words["speed_limit"] = item.speed_limit
    if given & {"split", "max-connection-per-server"}:
        words["segments"] = item.segments
    if item.referer is not None:
        words["referer"] = item.referer
    if isinstance(options.get("header"), str | list):
        words["headers"] = item.headers
    if may_move and "out" in given:
        words["filename"] = item.filename
    if may_move and folder is not None:
        words["folder"] = item.folder
    return Patch(**words)


def read_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of our settings that `changeGlobalOption` asks for. Raises RpcError."""
    changes: dict[str, Any] = {}
    if (workers := _text(options.get("max-concurrent-downloads"))) is not None:
        if not _COUNT.fullmatch(workers) or int(workers) < 1:
            raise _bad("max-concurrent-downloads")
        changes["workers"] = min(MOST_WORKERS, int(workers))
    if (limit := _text(options.get("max-overall-download-limit"))) is not None:
        try:
            item, _ = build_item(["http://unused.invalid/"], [("max-download-limit", limit)], None)
        except ListError as error:
            raise _bad("max-overall-download-limit") from error
        changes["speed_limit"] = item.speed_limit or "0"
    return {"downloads": changes} if changes else {}


def tell_options(view: TaskView) -> dict[str, str]:
    """The options of a download, as far as they mean something; its headers are nobody's business."""
    order = view.order
    segments = str(order.segments or "")
    told = {
        "dir": view.place,
        "out": order.filename or "",
        "split": segments,
        "max-connection-per-server": segments,
        "max-download-limit": str(units.parse_size(order.speed_limit or "0")),
        "checksum": order.checksum or "",
        "user-agent": order.user_agent or "",
        **_FIXED,
    }
    # AriaNg sends them all back when a download is tried again. So an empty one, or a number of
    # segments that nobody chose, would be an order; and the gid (aria2 does not tell it either) is in use.
    return {name: value for name, value in told.items() if value}


def tell_settings(config: Config) -> dict[str, str]:
    """The global options, as far as they mean something, and those that clients look for."""
    downloads = config.downloads
    segments = str(16 if downloads.segments == "auto" else downloads.segments)
    return {
        "dir": downloads.folder,
        "max-concurrent-downloads": str(downloads.workers),
        "max-overall-download-limit": str(units.parse_size(downloads.speed_limit)),
        "max-tries": str(downloads.retries + 1),
        "split": segments,
        "max-connection-per-server": segments,
        **_FIXED,
        **_LOOKED_FOR,
    }


_FIXED: Final = {
    "allow-overwrite": "false",
    "auto-file-renaming": "true",
    "continue": "true",
    "file-allocation": "none",
    "min-split-size": "1048576",
    "remote-time": "true",
    "max-upload-limit": "0",
}
"""How we always do it, in aria2's words."""
_LOOKED_FOR: Final = {
    "bt-max-peers": "0",
    "bt-remove-unselected-file": "false",
    "disk-cache": "0",
    "enable-dht": "false",
    "enable-dht6": "false",
    "follow-torrent": "false",
    "listen-port": "0",
    "max-overall-upload-limit": "0",
    "retry-wait": "0",
    "seed-ratio": "0.0",
    "seed-time": "0",
    "user-agent": "",
}
"""What settings pages read, and would show as undefined."""


def _read_item(uris: list[str], options: Mapping[str, Any], folder: str | None) -> Item:
    """An item by the rules of lists. Raises RpcError."""
    known = [
        (name, text) for name in _TEXTS if (text := _text(options.get(name))) not in (None, "")
    ]
    if len(_text(options.get("out")) or "") > MOST_PATH:
        raise _bad("out")
    if (segments := _segments(options)) is not None:
        known.append(("split", segments))
    # 1. A list of headers, or several in one text; an empty one (a client sends both, whatever it
    #    has) says nothing.
    header = options.get("header")
    lines = header.splitlines() if isinstance(header, str) else header
    if isinstance(lines, list) and len(lines) > MOST_HEADERS:
        raise _bad("header")
    known += [
        ("header", line)
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, str) and line.partition(":")[2].strip()
    ]
    # 2. Each by itself first, so that the error names the one that is wrong.
    for name, text in known:
        # A word that is neither would start at once what somebody may have wanted to hold back.
        if name == "pause" and text not in ("true", "false"):
            raise _bad("pause")
        if name == "checksum" and not _CHECKSUM.fullmatch(text.replace(" ", "")):
            raise _bad("checksum")
        try:
            build_item(uris, [(name, text or "")], None)
        except ListError as error:
            raise _bad(name) from error
        except DownloadError as error:
            raise RpcError(f"{error.message} The option --{name} leads outside.") from error
    try:
        item, _ = build_item(uris, [(name, text or "") for name, text in known], folder)
    except DownloadError as error:
        raise RpcError(error.message) from error
    # 3. Browsers' add-ons pass on all headers they saw, also those that only we may set.
    mended, _ = validation.mend(item)
    return replace(mended, paused=item.paused)


def _folder(options: Mapping[str, Any], ours: str) -> tuple[str | None, str | None]:
    """The folder inside ours that `dir` means, and a warning where it means none."""
    given = _text(options.get("dir"))
    if not given:
        return None, None
    if len(given) > MOST_PATH:
        raise _bad("dir")
    # Every client sends a whole path, many of them always: the browser's folder, or what we told
    # them. Compared as text, since no disk is asked here.
    wanted, root = (os.path.normpath(path) for path in (os.path.join(ours, given), ours))  # noqa: PTH118
    relative = None
    if os.path.normcase(wanted) == os.path.normcase(root):
        relative = ""
    elif os.path.normcase(wanted).startswith(os.path.normcase(root).rstrip(os.sep) + os.sep):
        relative = os.path.relpath(wanted, root).replace(os.sep, "/")
    if relative is None:
        return None, "It was meant for another folder; files go into the downloads folder only."
    return relative, None


def _segments(options: Mapping[str, Any]) -> str | None:
    """aria2 opens `split` connections, but no more to one server than the other option says."""
    given: list[int] = []
    for name in ("split", "max-connection-per-server"):
        text = _text(options.get(name))
        if text is None:
            continue
        if not _COUNT.fullmatch(text) or int(text) < 1:
            raise _bad(name)
        given.append(int(text))
    return str(min(given)) if given else None


def _text(value: Any) -> str | None:
    """An option's value as text; None for none. aria2 ignores what is no text; we read it as meant."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return value.strip() if isinstance(value, str) else None


def _bad(option: str) -> RpcError:
    return RpcError(f"We encountered a problem while processing the option '--{option}'.")
