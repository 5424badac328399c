"""Checksums of the pieces of a file, as Metalink has them (RFC 5854 §4.2.11)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

_TEXT: Final = re.compile(r"([a-z0-9-]{3,7}):([1-9][0-9]{0,11}):((?:[0-9a-f]{2})+)", re.ASCII)
_ALGORITHMS: Final = {
    "md5": ("md5", 16),
    "sha-1": ("sha1", 20),
    "sha-224": ("sha224", 28),
    "sha-256": ("sha256", 32),
    "sha-384": ("sha384", 48),
    "sha-512": ("sha512", 64),
}
"""IANA's name -> hashlib's, and the bytes of a digest."""
_READ: Final = 1024 * 1024
"""Bytes that are in memory at a time: a piece may be as long as its author likes."""


class Pieces(Struct, frozen=True):
    """Digests of a file's pieces, each of `length` bytes but the last, which may be shorter."""

    algorithm: str
    length: int
    digests: tuple[bytes, ...]

    @classmethod
    def parse(cls, text: str) -> Pieces:
        """Of `sha-1:262144:<hex of one digest after the other>`. Raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None or match[1] not in _ALGORITHMS:
            raise ValueError(
                f"pieces are written like sha-1:262144:HEX, with one of {', '.join(_ALGORITHMS)}"
            )
        width = _ALGORITHMS[match[1]][1]
        joined = bytes.fromhex(match[3])
        # A list that was cut off must not pass for a shorter file.
        if len(joined) % width:
            raise ValueError("the last digest of the pieces is cut off")
        digests = tuple(joined[at : at + width] for at in range(0, len(joined), width))
        return cls(match[1], int(match[2]), digests)

    def fits(self, size: int) -> bool:
        """Whether a file of `size` bytes has just as many pieces."""
        return len(self.digests) == -(-size // self.length)

    def first_wrong(self, read: Callable[[int, int], bytes], size: int) -> int | None:
        """The number, from 0, of the first piece that is another; None when all are right. Blocking.

        `read(count, at)` gives bytes of the file, fewer only at its end; what it raises goes through.
        """
        # In bounded reads: a piece may be as long as the file.
        for number, digest in enumerate(self.digests):
            at, end = number * self.length, min((number + 1) * self.length, size)
            running = hashlib.new(_ALGORITHMS[self.algorithm][0], usedforsecurity=False)
            while at < end and (data := read(min(_READ, end - at), at)):
                running.update(data)
                at += len(data)
            if running.digest() != digest:
                return number
        # Every digest is right, but the file goes on: what follows belongs to no piece.
        return None if self.fits(size) else len(self.digests)

    def __repr__(self) -> str:
        return f"<{len(self.digests)} pieces of {self.length} bytes, {self.algorithm}>"
