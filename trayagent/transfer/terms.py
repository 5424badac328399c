"""What the settings say about every file, and whether one keeps to it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from trayagent.model.errors import DownloadError
from trayagent.model.sizes import show_size
from trayagent.net.client import Client
from trayagent.transfer.folders import Folders
from trayagent.transfer.names import Names
from trayagent.transfer.throttle import Bucket


class Terms(Struct, frozen=True):
    """Sizes in bytes."""

    segments: int | Literal["auto"] = "auto"
    max_size: int = 50 * 10**9
    keep_free: int = 512 * 10**6

    def check(self, length: int | None) -> None:
        """Raise DownloadError unless a file of this length may be fetched."""
        if length == 0:
            raise DownloadError("truncated", "the answer was empty")
        if length is not None and length > self.max_size:
            has, limit = show_size(length), show_size(self.max_size)
            if has == limit:
                has, limit = f"{length} bytes", f"{self.max_size} bytes"
            raise DownloadError("too_large", f"it has {has}, the limit is {limit}")


class Equipment(Struct, frozen=True):
    """What one attempt works with."""

    client: Client
    names: Names
    folders: Folders
    terms: Terms
    everything: Bucket
    """The speed limit of all files together."""
