"""Bytes to lines of text: the encodings and line ends that people's editors leave behind."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from trayagent.lists.line import ListError

MAX_LINE: Final = 256 * 1024
"""Characters; a longer line is reported, never held in memory."""

_CHUNK: Final = 64 * 1024
_ENDS: Final = re.compile("\r\n|[\n\r\u2028\u2029]")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MAGIC: Final = (
    *(b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"SQLite format 3"),
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"OggS", b"ID3", b"\x1aE\xdf\xa3"),
    *(b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"%PDF"),
)
"""What programs, media and archives begin with, dropped by mistake under the name of a list."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class RawLine(NamedTuple):
    """A line without its end; `text` is None when it is too long."""

    number: int
    text: str | None
    end: int
    """The byte offset of the next line."""


def lines(file: BinaryIO, offset: int = 0, number: int = 0) -> Iterator[RawLine]:
    """The lines of a seekable file from a byte offset on, `number` of them being read already.

    Memory stays bounded whatever the file holds. Raises ListError for a file that is no text.
    """
    encoding, mark = _encoding(file)
    offset = max(offset, mark)
    file.seek(offset)
    decoder = codecs.getincrementaldecoder(encoding)(_errors(encoding))
    pending, too_long = "", False
    while True:
        data = file.read(_CHUNK)
        text = pending + decoder.decode(data, final=not data)
        start = 0
        for end in _ENDS.finditer(text):
            if data and end.end() == len(text) and end[0] == "\r":
                break  # Its line feed may be in the next chunk.
            raw = text[start : end.end()]
            offset += _width(raw, encoding)
            number += 1
            whole = end.start() - start <= MAX_LINE and not too_long
            yield RawLine(number, _readable(text[start : end.start()]) if whole else None, offset)
            start, too_long = end.end(), False
        pending = text[start:]
        if len(pending) > MAX_LINE:
            offset += _width(pending[:-1], encoding)
            pending, too_long = pending[-1:], True
        if not data:
            break
    if pending or too_long:
        end_of_file = offset + _width(pending, encoding)
        yield RawLine(number + 1, None if too_long else _readable(pending), end_of_file)


def decode(data: bytes) -> str:
    """The whole text of a small file, by the same rules."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        escaped = data.decode(errors="surrogateescape")
        return "".join(_readable(line) for line in escaped.splitlines(keepends=True))


def _encoding(file: BinaryIO) -> tuple[str, int]:
    file.seek(0)
    head = file.read(4096)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if _is_binary(head):
        raise ListError("This is not a text file; save the list as UTF-8 text.")
    return "utf-8", 0


def _is_binary(head: bytes) -> bool:
    """Whether a file is another thing altogether, rather than a list with some damaged lines."""
    if b"\0" not in head:
        return False
    if head.startswith(_MAGIC) or head[4:8] == b"ftyp":
        return True
    control = len(_CONTROL.findall(head))
    rows = head.splitlines()
    damaged = sum(_CONTROL.search(row) is not None for row in rows)
    return damaged * 2 > len(rows) and control > len(head) * (0.05 if control > 8 else 0.3)


def _errors(encoding: str) -> str:
    # Both can be turned back, so that byte offsets stay exact.
    return "surrogateescape" if encoding == "utf-8" else "replace"


def _width(text: str, encoding: str) -> int:
    if encoding == "utf-8":
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
    return len(text.encode(encoding, "replace"))


def _readable(line: str) -> str:
    """A line that is no UTF-8 is Latin-1."""
    if line.isascii():
        return line
    try:
        line.encode()
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape").decode("latin-1")
    return line
