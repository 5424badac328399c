"""Manifests of HLS (RFC 8216) and DASH (ISO 23009-1): known by their first bytes, cleaned for strict readers."""

from __future__ import annotations

import codecs
import re
from typing import Final, Literal
from urllib.parse import urljoin

Manifest = Literal["hls", "dash"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HLS: Final = re.compile(rb"\s*#EXTM3U\b")
_BEFORE: Final = re.compile(rb"\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>", re.DOTALL)
"""What may stand before the first element of an XML document (XML 1.0 §2.8)."""
_DASH: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?MPD[\s>/]")
_DECLARATION: Final = re.compile(
    r"\s*<\?xml[^>]*?(?:encoding\s*=\s*[\"']([\w.-]+)[\"'][^>]*?)?\?>\s*"
)
_LOOKED_AT: Final = 4096
"""Bytes of which a kind is told."""
_LONGEST_DECLARATION: Final = 200
"""Bytes."""
_SPACE: Final = "{urn:mpeg:dash:schema:mpd:2011}"


def kind_of(head: bytes) -> Manifest | None:
    """What manifest a body is by its first bytes: whatever its name, its type and what stands before.

    A list of songs (`#EXTM3U` alone) is none.
    """
    head = _strip_mark(head[:_LOOKED_AT])
    if _HLS.match(head):
        return "hls" if b"#EXT-X-" in head else None
    at = 0
    while (before := _BEFORE.match(head, at)) is not None:
        at = before.end()
    return "dash" if _DASH.match(head, at) else None


def clean(data: bytes, kind: Manifest) -> bytes:
    """A whole manifest as the standard has it: UTF-8, from its first line or element on.

    Of a DASH manifest, a list of byte ranges of one file becomes that file: many readers know no ranges.
    """
    data = _strip_mark(data)
    if kind == "hls":
        return _decode(data).lstrip().encode()
    declared = _DECLARATION.match(data[:_LONGEST_DECLARATION].decode("latin-1"))
    encoding = (declared[1] if declared else None) or "utf-8"
    text = _decode(data[declared.end() :] if declared else data.lstrip(), encoding)
    return _without_ranges(text).encode()


def _strip_mark(data: bytes) -> bytes:
    """In UTF-8 or Latin-1, without a byte order mark."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace").encode()
    return data


def _decode(data: bytes, encoding: str = "utf-8") -> str:
    """The text; what is declared counts only for what is no UTF-8."""
    # Marks of UTF-16 are gone by now (`_strip_mark`), so a declared UTF-16 is no longer true.
    for each in ("utf-8", encoding):
        try:
            return data.decode("latin-1" if each.lower().startswith(("utf-16", "ucs")) else each)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1")


def _without_ranges(text: str) -> str:
    # A document type is for entities, which no manifest needs: such a one is left to whoever reads it.
    if "mediaRange" not in text or "<!DOCTYPE" in text:
        return text
    from xml.etree import ElementTree as ET  # few manifests come so far, and no file does

    try:
        root = ET.fromstring(text)  # noqa: S314  # no declarations, so no entities
    except ET.ParseError:
        return text
    for parent in list(root.iter()):
        for segments in parent.findall(f"{_SPACE}SegmentList"):
            parts = segments.findall(f"{_SPACE}SegmentURL")
            files = {part.get("media") for part in parts}
            if len(files) != 1 or not all(part.get("mediaRange") for part in parts):
                continue
            media = files.pop()
            # The one file, told by its ranges, becomes the address of what held them; None: it is already.
            if media is not None:
                base = parent.find(f"{_SPACE}BaseURL")
                if base is None:
                    base = ET.Element(f"{_SPACE}BaseURL")
                    parent.insert(0, base)
                base.text = urljoin(base.text or "", media)
            parent.remove(segments)
    return ET.tostring(root, encoding="unicode")
