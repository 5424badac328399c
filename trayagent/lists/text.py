"""Bytes to lines of text: the encodings and line ends that people's editors leave behind."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from trayagent.lists.entry import ListError

MOST_LINE_CHARACTERS: Final = 256 * 1024
"""A longer line is reported, never held in memory."""

_CHUNK_BYTES: Final = 64 * 1024
_LINE_END: Final = re.compile("\r\n|[\n\r\u2028\u2029]")
_LINES: Final = re.compile(rb"[^\r\n]+|[\r\n]+")
_END_OF_TEXT: Final = "\x1a"
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MAGIC: Final = (
    *(b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"SQLite format 3"),
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"OggS", b"ID3", b"\x1aE\xdf\xa3"),
    *(b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"%PDF"),
)
"""Programs, media and archives begin so; people drop them by mistake under the name of a list."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before the mark of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class RawLine(NamedTuple):
    """A line without its end."""

    number: int
    text: str | None
    """None when it is too long."""
    end: int
    """The byte offset of the next line."""


def read_lines(file: BinaryIO, offset: int = 0, number: int = 0) -> Iterator[RawLine]:
    """The lines of a seekable file from a byte offset on, `number` of them being read already.

    Memory stays bounded whatever the file holds. Raises ListError for a file that is no text.
    """
    encoding, mark = _detect_encoding(file)
    offset = max(offset, mark)
    file.seek(offset)
    # What is no UTF-8 stays in the text as surrogates, which turn back into the same bytes: so the
    # offsets of lines are exact. Broken UTF-16 or UTF-32 becomes U+FFFD, which is as long.
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    pending, is_too_long = "", False
    while True:
        data = file.read(_CHUNK_BYTES)
        text = pending + decoder.decode(data, final=not data)
        start = 0
        for end in _LINE_END.finditer(text):
            if data and end.end() == len(text) and end[0] == "\r":
                break  # its line feed may be in the next chunk
            offset += _byte_length(text[start : end.end()], encoding)
            number += 1
            is_short = end.start() - start <= MOST_LINE_CHARACTERS and not is_too_long
            line = _as_latin_1(text[start : end.start()]) if is_short else None
            yield RawLine(number, line, offset)
            start, is_too_long = end.end(), False
        pending = text[start:]
        if len(pending) > MOST_LINE_CHARACTERS:
            # Forget all but the last character: it may be a carriage return.
            offset += _byte_length(pending[:-1], encoding)
            pending, is_too_long = pending[-1:], True
        if not data:
            break
    # DOS ends a text with Ctrl-Z, and Windows' `copy a.txt+b.txt` still writes it.
    if pending.rstrip(_END_OF_TEXT) or is_too_long:
        end_of_file = offset + _byte_length(pending, encoding)
        line = None if is_too_long else _as_latin_1(pending.rstrip(_END_OF_TEXT))
        yield RawLine(number + 1, line, end_of_file)


def decode(data: bytes) -> str:
    """The whole text of a small file, by the same rules."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        # Line by line into one buffer: a list of all lines would be thirty times as large.
        text = bytearray()
        for line in _LINES.finditer(data):
            text += _as_latin_1(line[0].decode(errors="surrogateescape")).encode()
        return text.decode()


def _detect_encoding(file: BinaryIO) -> tuple[str, int]:
    """The encoding, and how many bytes its mark takes."""
    file.seek(0)
    head = file.read(4096)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    if _is_binary(head):
        raise ListError("This is not a text file; save the list as UTF-8 text.")
    return "utf-8", 0


def _is_binary(head: bytes) -> bool:
    """Whether a file is another thing altogether, rather than a list with some damaged lines.

    1. Without a zero byte it is text: Latin-1, at worst.
    2. It begins like a program, a picture, a film or an archive.
    3. Most lines hold control characters, and they are more than a few: of a short file many,
       of a longer one some.
    """
    if b"\0" not in head:
        return False
    if head.startswith(_MAGIC) or head[4:8] == b"ftyp":
        return True
    control = len(_CONTROL.findall(head))
    rows = head.splitlines()
    damaged = sum(_CONTROL.search(row) is not None for row in rows)
    return damaged * 2 > len(rows) and control > len(head) * (0.05 if control > 8 else 0.3)


def _byte_length(text: str, encoding: str) -> int:
    if encoding == "utf-8":
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
    return len(text.encode(encoding, "replace"))


def _as_latin_1(line: str) -> str:
    """A line that is no UTF-8, read as Latin-1: each line for itself, since editors mix both in a file."""
    if line.isascii():
        return line
    try:
        line.encode()
    except UnicodeEncodeError:
        return line.encode("utf-8", "surrogateescape").decode("latin-1")
    return line
