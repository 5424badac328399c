"""Checksums: the one the user gave and the ones the server says, verified over the finished file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from trayagent.model.errors import DownloadError
from trayagent.transfer import ranges

_PIECE: Final = 1024 * 1024
_MOST: Final = 4096
"""Characters of a header that are looked at; all the digests we know take a tenth of it."""
_KNOWN: Final = {
    "sha-512": "sha512",
    "sha-256": "sha256",
    "sha-384": "sha384",
    "sha-1": "sha1",
    "sha": "sha1",
    "md5": "md5",
}
_BYTES: Final = {"sha512": 64, "sha256": 32, "sha384": 48, "sha1": 20, "md5": 16}
"""How long they are; another length is another notation, in hex for one, and tells nothing."""


def digests_of(headers: Mapping[str, str], *, whole: bool) -> dict[str, bytes]:
    """hashlib name -> digest of the whole file, as an answer says it: Repr-Digest (RFC 9530), Digest (RFC 3230).

    Content-Digest is about what came in this one answer, which is the file if the answer is `whole`.
    """
    said: dict[str, bytes] = {}
    for header in ("Repr-Digest", "Digest", "Content-Digest"):
        if header not in headers:
            continue
        if header == "Content-Digest" and not (whole and not ranges.coding(headers)):
            continue
        for one in headers[header][:_MOST].replace(";", ",").split(","):
            name, _, text = one.partition("=")
            known, text = _KNOWN.get(name.strip().lower()), text.strip().strip(":")
            if known and len(value := _from_base64(text) or b"") == _BYTES[known]:
                # The first header that tells counts: it is about the file, the last about one answer.
                said.setdefault(known, value)
    return said


def digests_wanted(checksum: str | None, said: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the file must have: the digests that were said, and before those the user's.

    Raises DownloadError `checksum_mismatch` when the user's names an algorithm we lack.
    """
    wanted = dict(said)
    if checksum:
        name, _, text = checksum.partition("=")
        known = _KNOWN.get(name.lower()) or name.lower().replace("-", "")
        # A digest of `shake` may have any length, so nothing says how much of one is meant.
        if known not in hashlib.algorithms_guaranteed or known.startswith("shake"):
            raise DownloadError("checksum_mismatch", f"{name} is not a kind of checksum we know")
        # The word of the person counts for more than the server's.
        wanted[known] = bytes.fromhex(text)
    return wanted


def verify(
    read: Callable[[int, int], bytes],
    wanted: Mapping[str, bytes],
    check_stopped: Callable[[], None],
) -> str | None:
    """Hash what `read(count, at)` gives and compare; returns its sha256 in hex if that was asked. Blocking.

    Raises DownloadError `checksum_mismatch`, OSError, and what `check_stopped` raises now and then.
    """
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in wanted}
    at = 0
    while piece := read(_PIECE, at):
        check_stopped()
        for running in hashes.values():
            running.update(piece)
        at += len(piece)
    for name, running in hashes.items():
        if not hmac.compare_digest(running.digest(), wanted[name]):
            raise DownloadError("checksum_mismatch", name)
    return hashes["sha256"].hexdigest() if "sha256" in hashes else None


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
