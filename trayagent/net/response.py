"""The head of an answer, judged: what servers really send is taken, what contradicts itself is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from trayagent.model import units
from trayagent.model.errors import DownloadError
from trayagent.net.codings import MOST_CODINGS

_READ_WHOLE: Final = (
    "ETag",
    "Last-Modified",
    "Content-Type",
    "Content-Encoding",
    "Repr-Digest",
    "Content-Digest",
    "Digest",
)
"""Headers of which several lines are one list (RFC 9110 §5.3).

So no second line goes unseen: of two ETags neither proves anything, and a digest may stand in any.
"""


class Head:
    """Status and headers of one answer, and the address that gave it."""

    def __init__(self, text: bytes, url: str, host: str) -> None:
        """`text` holds the lines, the status line first, with their line ends."""
        words = text[:64].split(None, 2)
        self.status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        self.is_interim = 100 <= self.status < 200 and self.status != 101
        """Whether another head follows (RFC 9110 §15.2)."""
        self.headers = headers = _headers_in(text)
        self.url = url
        """After redirects; may hold a query: never to be shown."""
        self.host = host
        self.is_chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
        """Whether chunks tell where the body ends (RFC 9112 §7.1)."""
        self.is_framed = (
            self.is_chunked or "Content-Length" in headers or text.startswith(b"HTTP/2")
        )
        """Whether the end of the body is told (of a stream: RFC 9113 §8.1), so that a cut cannot pass for it."""
        self.coding = _coding_of(headers) if "Content-Encoding" in headers else ""
        """The Content-Encoding in small letters, empty for none: `identity` and `none` say nothing."""
        self.length: int | None = None
        """Bytes of the body as it is sent; None when nothing tells how many, or a contradiction does."""
        self.fault: DownloadError | None = None
        """`server_error` for a head that contradicts itself, whatever it is about, or is coded beyond all reason."""
        try:
            self.length = _length_of(headers, self.is_chunked)
        except DownloadError as error:
            self.fault = error
        if self.coding.count(",") >= MOST_CODINGS:
            self.fault = DownloadError("server_error", "it is coded over and over")

    def __repr__(self) -> str:
        return f"<Head {self.status} from {self.host}>"


def _length_of(headers: CIMultiDictProxy[str], is_chunked: bool) -> int | None:
    """Bytes of the body as it is sent; None when chunks or the close tell where it ends.

    Raises DownloadError `server_error` when the head contradicts itself (RFC 9112 §6.3):

    | it says                                       | taken as            |
    |-----------------------------------------------|---------------------|
    | one length, or the same one again (`5, 5`)    | that length         |
    | two lengths                                   | refused             |
    | chunks and a length                           | chunks              |
    | what is no number, or has no end              | refused             |
    | two ranges that differ                        | refused             |
    """
    if "Content-Range" in headers and len(set(headers.getall("Content-Range"))) > 1:
        raise DownloadError("server_error", "it contradicts itself about the range")
    if is_chunked:
        return None
    lines = headers.getall("Content-Length", ())
    if not lines:
        return None
    if len(lines) == 1 and len(lines[0]) < 19 and lines[0].isdigit() and lines[0].isascii():
        return int(lines[0])  # as nearly all say it
    said = {text.strip() for text in ",".join(lines).split(",")}
    if len(said) > 1:
        raise DownloadError("server_error", "it contradicts itself about the length")
    length = units.parse_count(said.pop())
    if length is None:
        raise DownloadError("server_error", "it gives no proper length")
    return length


def _coding_of(headers: Mapping[str, str]) -> str:
    said = headers.get("Content-Encoding", "").lower()
    if not said:
        return ""
    codings = (one.strip() for one in said.split(","))
    return ", ".join(one for one in codings if one not in ("", "identity", "none"))


def _headers_in(head: bytes) -> CIMultiDictProxy[str]:
    """The header fields; of several lines that are one list, one."""
    text = head.decode("utf-8", "surrogateescape")
    fields: list[tuple[str, str]] = _USUAL_FIELD.findall(text)
    if len(fields) != text.rstrip("\n").count("\n"):  # some line is not as nearly all are
        fields = _odd_fields(text)
    headers = CIMultiDict(fields)
    if len(set(map(str.lower, headers))) < len(fields):
        for name in _READ_WHOLE:
            if len(values := headers.getall(name, ())) > 1:
                headers[name] = ", ".join(dict.fromkeys(values))
    return CIMultiDictProxy(headers)


_USUAL_FIELD: Final = re.compile(r"\n([!-9;-~]+): ?((?:\S(?:.*\S)?)?)\r?(?=\n|$)")
"""A line of a name without blanks and a value; the status line stands before the first of them."""


def _odd_fields(text: str) -> list[tuple[str, str]]:
    """Line by line: one that is no field is passed over, one that continues another is joined."""
    fields: list[tuple[str, str]] = []
    is_field = False
    for line in text.split("\n")[1:]:
        if line[:1] in (" ", "\t") and is_field:  # obs-fold, RFC 9112 §5.2
            name, value = fields[-1]
            fields[-1] = name, f"{value} {line.strip()}"
            continue
        name, colon, value = line.partition(":")
        name = name.strip()
        is_field = bool(colon and name)
        if is_field:
            fields.append((name, value.strip()))
    return fields
