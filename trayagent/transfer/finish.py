"""The last steps: what is here is verified, stamped and given its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from trayagent.model.dates import seconds_of
from trayagent.model.errors import DownloadError
from trayagent.model.filenames import extension
from trayagent.model.transfer import Fetched, Target
from trayagent.model.urls import redact
from trayagent.transfer import containers, content, digests, ranges
from trayagent.transfer.executor import Stop
from trayagent.transfer.part import Part
from trayagent.transfer.place import SMALL, Place

COMPRESSED: Final = frozenset("gz gzip tgz svgz br zst z".split())
"""Endings of files that are meant to be as they came compressed."""
LENGTH_UNKNOWN: Final = "The server did not say how long the file is, so it may be incomplete."


class Came(Struct, frozen=True):
    """What is known about the bytes besides themselves."""

    url: str = ""
    """What was asked for; only scheme, host and path of it are ever written down."""
    headers: Mapping[str, str] = {}
    seen: content.Seen | None = None
    framed: bool = True
    """Whether the end was told; else a cut could pass for it."""
    earlier: Mapping[str, bytes] | None = None
    """The digests promised by the answers before, of which this one brought the rest; None: it was all."""

    @property
    def said(self) -> dict[str, bytes]:
        """hashlib name -> digest of the file, as the server says it; what was promised once holds."""
        now = digests.promised(self.headers, whole=self.earlier is None)
        return {**now, **(self.earlier or {})}

    def continued(self, url: str, headers: Mapping[str, str]) -> Came:
        """What is known once another answer brings more of the same file."""
        return Came(url, headers, earlier=self.said)

    def __repr__(self) -> str:
        return f"<Came from {redact(self.url)}: {self.seen}>"


async def finish(place: Place, target: Target, came: Came) -> Fetched:
    """Verify and publish a complete place. Raises DownloadError."""
    assert place.size is not None
    wanted = digests.expected(target.checksum, came.said)
    warnings: list[str] = []

    def verify(part: Part, stop: Stop) -> str | None:
        if not came.framed and not _certainly_whole(part, came.seen):
            warnings.append(LENGTH_UNKNOWN)
        return digests.verify(part.read, wanted, stop) if wanted else None

    mtime = target.mtime if target.mtime is not None else _modified(came.headers)
    small = place.size < SMALL and not wanted
    path, sha256 = await place.publish(verify, came.url, mtime, small=small)
    if (coding := ranges.coding(came.headers)) and extension(path.name) not in COMPRESSED:
        warnings.append(f"The server sent it compressed ({coding[:40]}); it is kept as it came.")
    return Fetched(path, place.size, sha256, warnings[0] if warnings else None)


def _certainly_whole(part: Part, seen: content.Seen | None) -> bool:
    """Whether the container says it is whole; raises DownloadError `truncated` if it says it is not."""
    whole = containers.whole(seen.ext if seen else "", part.size(), part.read)
    if whole is False:
        raise DownloadError("truncated", "the connection was closed early")
    return whole is True


def _modified(headers: Mapping[str, str]) -> float | None:
    return seconds_of(headers.get("Last-Modified"))
