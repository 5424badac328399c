"""The last steps: what is here is verified, stamped and given its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from trayagent.model import filenames, urls
from trayagent.model.errors import DownloadError
from trayagent.model.filenames import from_url
from trayagent.model.pieces import Pieces
from trayagent.model.transfer import Fetched, Request, Target
from trayagent.model.units import seconds_of
from trayagent.net.refusals import CLOSED_EARLY
from trayagent.transfer import checksums, containers, content
from trayagent.transfer.destination import Destination, Verified
from trayagent.transfer.folders import Look
from trayagent.transfer.part_file import Part, digest_at_once

COMPRESSED: Final = frozenset("gz gzip tgz svgz br zst z".split())
"""Endings of files that are meant to be as they came compressed."""
LENGTH_UNKNOWN: Final = "The server did not say how long the file is, so it may be incomplete."
_USUAL_NAME_BYTES: Final = 255


class Origin(Struct, frozen=True):
    """What is known about the bytes besides themselves."""

    url: str = ""
    """What was asked for; only scheme, host and path of it are ever written down."""
    headers: Mapping[str, str] = {}
    seen: content.Seen | None = None
    is_framed: bool = True
    """Whether the end was told; else a cut could pass for it."""
    is_decoded: bool = False
    """Whether a coding was taken off: digests and lengths said are about what was sent."""
    earlier: Mapping[str, bytes] | None = None
    """The digests promised by the answers before, of which this one brought the rest; None: it was all."""

    @property
    def digests(self) -> dict[str, bytes]:
        """hashlib name -> digest of the file, as the server says it; what was promised once holds."""
        if self.is_decoded:
            return {}
        now = checksums.digests_of(self.headers, whole=self.earlier is None)
        return {**now, **(self.earlier or {})}

    def with_rest(self, url: str, headers: Mapping[str, str]) -> Origin:
        """What is known once another answer brings more of the same file."""
        return Origin(url, headers, self.seen, earlier=self.digests)

    def __repr__(self) -> str:
        return f"<Origin {urls.redact(self.url)}: {self.seen}>"


def finish(
    destination: Destination, target: Target, origin: Origin, check_stopped: Callable[[], None]
) -> Fetched:
    """Verify and publish a complete destination.

    Raises DownloadError, and what `check_stopped` raises, which is asked now and then.
    """

    def verify(part: Part) -> Verified:
        return _verify(part.read, part.size(), target, origin, check_stopped)

    return destination.publish(verify, origin.url, _date_of(target, origin))


def finish_whole(
    destination: Destination,
    name: str,
    data: bytes,
    target: Target,
    origin: Origin,
    check_stopped: Callable[[], None],
) -> Fetched | None:
    """As `finish`, for a file that is all in memory; None where `Destination.save_whole` says that."""

    def read(count: int, at: int) -> bytes:
        return data[at : at + count]

    sha256, warning = _verify(read, len(data), target, origin, check_stopped)
    verified = sha256 or digest_at_once(data), warning
    return destination.save_whole(name, data, verified, origin.url, _date_of(target, origin))


def _verify(
    read: Callable[[int, int], bytes],
    size: int,
    target: Target,
    origin: Origin,
    check_stopped: Callable[[], None],
) -> Verified:
    """Check a complete file, of which `read(count, at)` gives a part; raises as `finish` does."""
    wanted = checksums.digests_wanted(target.checksum, origin.digests)
    # What is quickest to know comes first; pieces and digests read the whole file.
    is_sure = origin.is_framed
    # What was coded may have been cut before that.
    if not is_sure or origin.is_decoded:
        is_sure = _is_certainly_whole(read, size, origin.seen) or is_sure
    check_size(target, size)
    if target.pieces:
        _check_pieces(target.pieces, read, size, check_stopped)
    sha256 = checksums.verify(read, wanted, check_stopped) if wanted else None
    return sha256, None if is_sure else LENGTH_UNKNOWN


def _date_of(target: Target, origin: Origin) -> float | None:
    """What the file is stamped with, in Unix seconds; None: now."""
    if target.mtime is not None:
        return target.mtime
    return seconds_of(origin.headers.get("Last-Modified"))


def check_size(target: Target, size: int) -> None:
    """Raise DownloadError `checksum_mismatch` unless a file of so many bytes may be the one that is wanted."""
    if target.size is not None and size != target.size:
        raise DownloadError("checksum_mismatch", f"it has {size} bytes, not {target.size}")


def _check_pieces(
    pieces: str, read: Callable[[int, int], bytes], size: int, check_stopped: Callable[[], None]
) -> None:
    """Raise DownloadError `checksum_mismatch` where a piece of the file is another than was said."""

    def read_on(count: int, at: int) -> bytes:
        check_stopped()
        return read(count, at)

    wrong = Pieces.parse(pieces).first_wrong(read_on, size)
    if wrong is not None:
        raise DownloadError("checksum_mismatch", f"piece {wrong + 1} of it is another")


def is_meant_compressed(target: Target, request: Request) -> bool:
    """Whether the name says that the file is to be kept as it comes."""
    name = target.path.name if target.path else target.filename or from_url(request.url) or ""
    return filenames.extension(name) in COMPRESSED


def choose_name(
    target: Target,
    seen: content.Seen | None,
    disposition: str | None,
    asked: str,
    came: str,
    look: Look | None,
) -> str:
    """The file's name; `asked` and `came` are the URLs before and after redirects.

    The URL asked for names it, unless only the one it led to has an extension. What the folder's
    file system takes of a name counts last.
    """
    ext = seen.ext if seen else None
    if target.stem is not None:
        name = filenames.safe(f"{target.stem}.{ext or 'bin'}")
    else:
        is_named = came == asked or _has_ending(asked, ext) or not _has_ending(came, ext)
        url = asked if is_named else came
        name = filenames.choose(target.filename, disposition, url, target.kind, ext, _now)
    return fit_name(name, target, look)


def fit_name(name: str, target: Target, look: Look | None) -> str:
    """A safe name, as much of it as the target's folder takes. Raises DownloadError `permission_denied`."""
    if look is None or (look.name_bytes >= _USUAL_NAME_BYTES and look.path_units is None):
        return name
    units = look.path_units
    if units is not None:
        units -= len(f"{target.folder}{os.sep}".encode("utf-16-le", "surrogatepass")) // 2
    return filenames.fit(name, look.name_bytes, units)


def _is_certainly_whole(
    read: Callable[[int, int], bytes], size: int, seen: content.Seen | None
) -> bool:
    """Whether the container says it is whole; raises DownloadError `truncated` if it says it is not."""
    whole = containers.whole(seen.ext if seen else "", size, read)
    if whole is False:
        raise DownloadError("truncated", CLOSED_EARLY)
    return whole is True


def _has_ending(url: str, content_ext: str | None) -> bool:
    return filenames.has_extension(from_url(url) or "", content_ext or "")


def _now() -> datetime:
    return datetime.now(UTC).astimezone()
