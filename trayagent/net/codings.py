"""Takes the codings off that nobody asked for (RFC 9110 §8.4.1), and proves that they came to their end.

libcurl decodes, too, but takes a stream for whole that stops before its own end: a body whose length
is right, because a cache had kept half a file, would pass. So it hands over what comes as it comes.

    coding           its own end                         what may follow
    ---------------  ----------------------------------  ------------------------------------------
    gzip, x-gzip     the length and a check (RFC 1952)   more members; zlib's form is taken as well
    deflate          a check (RFC 1950)                  nothing
    deflate, bare    a mark (RFC 1951)                   a check that has no head: four bytes
    br               a mark (RFC 7932)                   nothing

Where several were put on, the last one named is taken off first (RFC 9110 §8.4), as libcurl has it.
"""

from __future__ import annotations

import zlib
from typing import Final, Protocol

MOST_CODINGS: Final = 5
"""One on the other; libcurl takes no more either."""
_MOST_BETWEEN: Final = 1024 * 1024
"""Bytes that one coding may give the next beyond what comes of them in the end."""
_PIECE: Final = 64 * 1024
"""Bytes that one coding gives the next at a time."""
_SLICE: Final = 16 * 1024
"""Bytes for zlib at a time: it copies what stands behind the end of a member, and members may have 20 bytes."""
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_GZIP: Final = 16 + zlib.MAX_WBITS
_BARE_TAIL: Final = 4
"""Bytes; some servers leave away zlib's head and send its check all the same."""


class DamagedError(Exception):
    """This is not what a coder of that kind writes."""


class Decoder(Protocol):
    """One coded body on its way. A small piece may become a thousand times as much: so it is read in parts."""

    is_begun: bool
    """Whether there was anything to decode."""

    def feed(self, data: bytes) -> None:
        """Take the next coded bytes."""

    def read(self, most: int) -> bytes:
        """The next bytes, not much more than `most`; none once it needs more. Raises DamagedError."""

    def is_at_end(self) -> bool:
        """Whether the coded stream has come to its own end."""


def is_decoded(coding: str) -> bool:
    """Whether a `Head.coding` is taken off: all of it, for one unknown coding hides those below it."""
    names = coding.split(", ")
    return len(names) <= MOST_CODINGS and all(name in DECODERS for name in names)


def decoder_for(coding: str) -> Decoder | None:
    """What takes a `Head.coding` off; None for one that is left on."""
    if not is_decoded(coding):
        return None
    decoders = [DECODERS[name]() for name in reversed(coding.split(", "))]
    return decoders[0] if len(decoders) == 1 else _Chain(decoders)


class _Chain:
    """Several codings: what one gives, the next is fed with, and no more than that waits between them."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self.is_begun = False
        self._decoders = decoders
        self._between = _MOST_BETWEEN
        """Bytes that may still be handed on, before something comes of them."""

    def feed(self, data: bytes) -> None:
        """As `Decoder.feed`."""
        self.is_begun = self.is_begun or bool(data)
        self._decoders[0].feed(data)

    def read(self, most: int) -> bytes:
        """As `Decoder.read`."""
        last = len(self._decoders) - 1
        at = last
        while at >= 0:
            text = self._decoders[at].read(most if at == last else _PIECE)
            if not text:
                at -= 1
            elif at == last:
                self._between += len(self._decoders) * len(text)
                return text
            else:
                # What lies between is packed, so it is hardly longer than what comes of it. A gigabyte of
                # empty members would keep everybody waiting here, and nothing would come of it.
                self._between -= len(text)
                if self._between < 0:
                    raise DamagedError
                at += 1
                self._decoders[at].feed(text)
        return b""

    def is_at_end(self) -> bool:
        """As `Decoder.is_at_end`."""
        return all(decoder.is_at_end() for decoder in self._decoders)


class _Gzip:
    """Members one after the other, each with its length and check."""

    def __init__(self) -> None:
        self.is_begun = False
        self._fed = b""
        self._at = 0
        """So many bytes of these are decoded."""
        self._is_full = False
        """The last read gave all that was asked for: zlib may hold more."""
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, data: bytes) -> None:
        """As `Decoder.feed`."""
        self.is_begun = self.is_begun or bool(data)
        self._fed, self._at = self._fed[self._at :] + data, 0

    @property
    def _left(self) -> int:
        """Bytes that are not decoded yet."""
        return len(self._fed) - self._at

    def read(self, most: int) -> bytes:
        """As `Decoder.read`."""
        text = b""
        while not text and (self._left or self._is_full):
            if self._stream.eof and not self._begin_next():
                break
            piece = self._fed[self._at : self._at + _SLICE]
            try:
                text = self._stream.decompress(piece, most)
            except zlib.error as error:
                raise DamagedError from error
            self._is_full = len(text) == most and not self._stream.eof
            left = self._stream.unused_data or self._stream.unconsumed_tail
            self._at += len(piece) - len(left)
        return text

    def is_at_end(self) -> bool:
        """As `Decoder.is_at_end`."""
        return self._stream.eof and not self._left

    def _begin_next(self) -> bool:
        """Make ready for what follows the end; False: that is nothing to decode. Raises DamagedError."""
        self._stream = zlib.decompressobj(_GZIP)  # which says if it is no other member
        return True


class _Deflate(_Gzip):
    """zlib's form, or the bare one that some servers took the name for; the first bytes tell which."""

    def __init__(self) -> None:
        super().__init__()
        self._is_chosen = self._is_bare = False

    def read(self, most: int) -> bytes:
        """As `Decoder.read`."""
        if not self._is_chosen:
            if self._left < 2:
                return b""
            # RFC 1950 §2.2: the method is 8, and both bytes as one number can be divided by 31.
            method, check = self._fed[0] & 15, int.from_bytes(self._fed[:2])
            self._is_bare = method != 8 or check % 31 != 0
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS if self._is_bare else zlib.MAX_WBITS)
            self._is_chosen = True
        return super().read(most)

    def is_at_end(self) -> bool:
        """As `Decoder.is_at_end`."""
        return self._stream.eof

    def _begin_next(self) -> bool:
        if self._is_bare and self._left <= _BARE_TAIL:
            return False
        raise DamagedError


class _Brotli:
    """Google's own library, which keeps what it was fed and has not decoded yet."""

    def __init__(self) -> None:
        import brotli

        self.is_begun = False
        self._fed = b""
        self._failure = brotli.error
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> None:
        """As `Decoder.feed`."""
        self.is_begun = self.is_begun or bool(data)
        self._fed += data

    def read(self, most: int) -> bytes:
        """As `Decoder.read`."""
        if self._stream.is_finished():
            if self._fed:
                raise DamagedError
            return b""
        data = b""
        if self._stream.can_accept_more_data():
            data, self._fed = self._fed, b""
        try:
            return self._stream.process(data, output_buffer_limit=most)
        except self._failure as error:
            raise DamagedError from error

    def is_at_end(self) -> bool:
        """As `Decoder.is_at_end`."""
        return self._stream.is_finished()


DECODERS: Final[dict[str, type[Decoder]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
}
"""By the name of the coding."""
