"""A download in aria2's words: its status, its keys, its error codes. All values are texts.

Source: aria2 manual, `aria2.tellStatus` and "Exit status". Nothing here looks at a file: a client asks
for a thousand downloads twice a second, so a key costs something only when it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from trayagent.model.downloads import Download, State
from trayagent.model.jobs import Order
from trayagent.store.tasks import Task

PIECE_BYTES: Final = 1 << 20
"""What aria2 counts pieces in."""

STATUS: Final[Mapping[str, str]] = {
    State.QUEUED: "waiting",
    State.ACTIVE: "active",
    State.PAUSED: "paused",
    State.COMPLETED: "complete",
    State.FAILED: "error",
    State.CANCELLED: "removed",
}
"""Our state -> aria2's status."""

ERROR_CODES: Final[Mapping[str, str]] = {
    "timeout": "2",
    "stalled": "2",
    "not_found": "3",
    "link_expired": "3",
    "network": "6",
    "disk_full": "9",
    "permission_denied": "16",
    "too_many_redirects": "23",
    "forbidden": "24",
    "needs_login": "24",
    "server_busy": "29",
    "checksum_mismatch": "32",
}
"""Our code -> aria2's; every other is 1, an unknown error. A cancelled download has 31."""

_order = msgspec.json.Decoder(Order)


class TaskView:
    """A task with what moves now, read key by key."""

    def __init__(self, task: Task, live: Download | None, folder: str) -> None:
        self.task = task
        self.folder = folder
        # A row is seldom written while its download runs; the live status has its numbers.
        self.size = (live.size if live else None) or task.size or 0
        self.received = max(live.received if live else 0, task.received)
        self.speed = live.speed if live else 0
        self.path = (live.path if live else None) or task.path

    @cached_property
    def order(self) -> Order:
        """What was asked for beside the address."""
        return _order.decode(self.task.orders) if self.task.orders else Order()

    @cached_property
    def place(self) -> str:
        """The folder of the file."""
        if self.path:
            return os.path.dirname(self.path)  # noqa: PTH120  of a thousand rows, each
        parts = self.order.folder.split("/") if self.order.folder else []
        return os.path.join(self.order.root or self.folder, *parts)  # noqa: PTH118

    @property
    def file(self) -> str:
        """Where the file is or will be; empty until that is known."""
        if self.path or not self.order.filename:
            return self.path or ""
        return os.path.join(self.place, self.order.filename)  # noqa: PTH118

    @property
    def addresses(self) -> list[str]:
        """The address and its mirrors; a synced item has none that could be shown."""
        return [url for url in (self.task.url, *self.order.mirrors) if "://" in url]


def uris_of(view: TaskView) -> list[dict[str, str]]:
    """The addresses, the one in use first."""
    started = view.task.state in (State.ACTIVE, State.COMPLETED) or view.received > 0
    return [
        {"uri": url, "status": "used" if started and at == 0 else "waiting"}
        for at, url in enumerate(view.addresses)
    ]


def files_of(view: TaskView) -> list[dict[str, Any]]:
    """The one file of a download."""
    return [
        {
            "index": "1",
            "path": view.file,
            "length": str(view.size),
            "completedLength": str(view.received),
            "selected": "true",
            "uris": uris_of(view),
        }
    ]


def servers_of(view: TaskView) -> list[dict[str, Any]]:
    """The servers that an active download is fetched from."""
    speed = str(view.speed)
    servers = [
        {"uri": url, "currentUri": url, "downloadSpeed": speed} for url in view.addresses[:1]
    ]
    return [{"index": "1", "servers": servers}]


def _error_code(view: TaskView) -> str | None:
    match view.task.state:
        case State.COMPLETED:
            return "0"
        case State.CANCELLED:
            return "31"
        case State.FAILED:
            return ERROR_CODES.get(view.task.code or "", "1")
        case _:  # also one that waits for its next try: aria2 has no error before the end
            return None


def _error_message(view: TaskView) -> str | None:
    if _error_code(view) is None:
        return None
    return (view.task.message or "") if view.task.state == State.FAILED else ""


_KEYS: Final[Mapping[str, Callable[[TaskView], Any]]] = {
    "gid": lambda view: view.task.gid,
    "status": lambda view: STATUS[view.task.state],
    "totalLength": lambda view: str(view.size),
    "completedLength": lambda view: str(view.received),
    "uploadLength": lambda _view: "0",
    "downloadSpeed": lambda view: str(view.speed),
    "uploadSpeed": lambda _view: "0",
    "connections": lambda view: "1" if view.task.state == State.ACTIVE else "0",
    # Rounded up: the last piece may be shorter.
    "numPieces": lambda view: str(-(-view.size // PIECE_BYTES)),
    "pieceLength": lambda _view: str(PIECE_BYTES),
    "dir": lambda view: view.place,
    "files": files_of,
    "errorCode": _error_code,
    "errorMessage": _error_message,
}
"""A key whose value is None is left out, like one that does not exist."""


def describe(view: TaskView, keys: Iterable[str] | None) -> dict[str, Any]:
    """The keys that are asked for, as far as the download has them; None: all."""
    told: dict[str, Any] = {}
    for key in keys or _KEYS:
        # A key that aria2 has and we do not is left out, as aria2 leaves out what it does not know.
        read = _KEYS.get(key)
        if read is not None and (value := read(view)) is not None:
            told[key] = value
    return told
