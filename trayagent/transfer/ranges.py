"""Pure decisions on resuming: what proves that two answers are the same file, and what to ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from trayagent.model import units
from trayagent.model.units import seconds_of
from trayagent.net.refusals import brings_file

_CONTENT_RANGE: Final = re.compile(
    r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII | re.IGNORECASE
)
_ANY_RANGE: Final = re.compile(
    r"bytes[ =](\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII | re.IGNORECASE
)
_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')

CLOCK_DOUBT: Final = 60.0
"""Seconds that Date must be past Last-Modified before the latter proves anything (RFC 7232 §2.2.2)."""


class Record(Struct, frozen=True):
    """What is certain about a `.part`: written only after the bytes themselves are on the disk."""

    size: int
    validator: str
    """The strong ETag, else the Last-Modified date: what goes into If-Range."""
    done: tuple[tuple[int, int], ...]
    """Finished ranges, start included and end not, in order, apart from each other."""

    @property
    def received(self) -> int:
        """Bytes that are here."""
        return sum(end - start for start, end in self.done)


class Ask(Struct, frozen=True):
    """A range to ask for: from `start` to before `end`, of a file proven by its validator."""

    start: int
    end: int
    record: Record
    coding: str | None = None
    """The Content-Encoding of what is here; None: nobody remembers."""

    @property
    def headers(self) -> dict[str, str]:
        """Range (RFC 9110 §14.2) and If-Range (§13.1.5)."""
        last = "" if self.end == self.record.size else str(self.end - 1)
        return {"Range": f"bytes={self.start}-{last}", "If-Range": self.record.validator}


Verdict = Literal["whole", "continue", "unproven", "refused"]
"""`whole` the file from its start; `continue` the range asked for; `unproven` neither for certain, so the
file starts over, if a range was asked for; `refused` no file at all."""


def validator(headers: Mapping[str, str]) -> str | None:
    """What proves that two answers with it are byte for byte the same, or None (RFC 9110 §8.8, §13.1.5).

    A weak ETag proves nothing and forbids the date; a date proves something once it is old enough.
    """
    etag = headers.get("ETag")
    if etag is not None:
        return etag if _STRONG_ETAG.fullmatch(etag) else None
    modified, date = seconds_of(headers.get("Last-Modified")), seconds_of(headers.get("Date"))
    if modified is None or date is None or date - modified < CLOCK_DOUBT:
        return None
    return headers["Last-Modified"]


def accepts_ranges(headers: Mapping[str, str]) -> bool:
    """Whether the server says that it serves parts."""
    return "bytes" in headers.get("Accept-Ranges", "").lower()


def coding(headers: Mapping[str, str]) -> str | None:
    """The Content-Encoding, which we ask not to be used (RFC 9110 §8.4); empty for none, None without headers."""
    said = headers.get("Content-Encoding", "").strip().lower()
    return None if not headers else "" if said == "identity" else said


def gaps(record: Record) -> list[tuple[int, int]]:
    """What is missing, in order."""
    missing, at = [], 0
    for start, end in record.done:
        if start > at:
            missing.append((at, start))
        at = end
    if at < record.size:
        missing.append((at, record.size))
    return missing


def first_ask(record: Record, coding: str | None = None) -> Ask | None:
    """What to ask for to go on with a `.part`; None when nothing of it can be used."""
    missing = gaps(record)
    return Ask(*missing[0], record, coding) if record.received and missing else None


def to_confirm(record: Record) -> Record:
    """The record of an earlier attempt, less its last byte if it has all: the server must confirm the file."""
    if record.done != ((0, record.size),):
        return record
    return Record(record.size, record.validator, merge(((0, record.size - 1),)))


def judge(ask: Ask | None, status: int, headers: Mapping[str, str]) -> Verdict:
    """What an answer means (RFC 9110 §14.4, §15.3.7); a range is believed only if all of it fits."""
    # 1. The whole file; but not if it says that it is a part, or another file of the same validator.
    # 2. A range that nobody asked for, and that is all of the file: some servers of films say so always.
    # 3. Any other answer to a plain question is no file.
    # 4. To a question for the rest: the rest, or a file that is not the one we have a part of.
    if brings_file(status):
        is_part = "Content-Range" in headers and _is_part(headers)
        is_other = ask is not None and _contradicts(ask, headers)
        return "unproven" if is_part or is_other else "whole"
    if ask is None:
        return "whole" if status == 206 and _is_all(headers) else "refused"
    # The range lies outside: the file is another one, or the record is wrong.
    if status == 416:
        return "unproven"
    if status != 206:
        return "refused"
    return "continue" if _fits(ask, headers) else "unproven"


def _is_all(headers: Mapping[str, str]) -> bool:
    """Whether a range is from the first byte to the last, told by all three numbers."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    return match is not None and int(match[2]) + 1 == int(match[3]) and not _is_part(headers)


def _is_part(headers: Mapping[str, str]) -> bool:
    """Whether what calls itself the whole file says at the same time which part of it it is."""
    told = headers.get("Content-Range")
    match = _ANY_RANGE.fullmatch(told.strip()) if told else None
    if match is None:
        return False
    start, end = int(match[1]), int(match[2]) + 1
    size = end if match[3] == "*" else int(match[3])
    said = units.parse_count(headers.get("Content-Length"))
    return start > 0 or (end if said is None else said) != size


def _contradicts(ask: Ask, headers: Mapping[str, str]) -> bool:
    """Whether it calls itself the file asked for, and is not as long as that."""
    said = units.parse_count(headers.get("Content-Length"))
    return said not in (None, ask.record.size) and _is_same(ask, headers)


def _is_same(ask: Ask, headers: Mapping[str, str]) -> bool:
    named = "ETag" if ask.record.validator.startswith('"') else "Last-Modified"
    return headers.get(named) == ask.record.validator


def _fits(ask: Ask, headers: Mapping[str, str]) -> bool:
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    expected = (ask.start, ask.end - 1, ask.record.size)
    # All three numbers have to be those asked for: a server may send another stretch, or of another file.
    if match is None or tuple(map(int, match.groups())) != expected:
        return False
    if headers.get("Content-Length", str(ask.end - ask.start)) != str(ask.end - ask.start):
        return False
    # Several parts in one body come with lines of their own between them (RFC 9110 §14.6).
    if "multipart/byteranges" in headers.get("Content-Type", "").lower():
        return False
    return ask.coding in (None, coding(headers)) and _is_same(ask, headers)


def merge(done: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Finished ranges in order, touching ones joined, empty ones dropped."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(done):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def without(
    done: tuple[tuple[int, int], ...], lost: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], ...]:
    """Finished ranges, less what was lost of them."""
    left = done
    for start, end in lost:
        cut = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b))]
        left = tuple(part for part in cut if part[0] < part[1])
    return left


def sane(record: Record) -> bool:
    """Whether a record read from a disk can be true."""
    return (
        0 < record.size < 2**62
        and merge(record.done) == record.done
        and all(0 <= start < end <= record.size for start, end in record.done)
    )
