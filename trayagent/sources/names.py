"""Flow's names: canonical form, what may go into a URL raw, and the ids inside."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

# Not `\s`: that leaves U+200B and U+FEFF, and takes U+001C to U+001F and U+0085.
_SPACE: Final = re.compile(
    "[\t\n\v\f\r \u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]+"
)
_RAW: Final = re.compile(r"[!$&'()*+,\-./0-9:;=@A-Z_a-z~]{1,2048}")
"""What goes into the path of a URL as it is (RFC 3986 `pchar` and `/`, without percent-encoding)."""
_DOTS: Final = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")


@dataclass(frozen=True, slots=True)
class Ids:
    """What a name tells about its item; empty where it does not."""

    kind: str = ""
    workflow: str | None = None
    media_key: str | None = None


def canonical(listed: str) -> str:
    """The name without the white space a listing may break it with."""
    return _SPACE.sub("", listed)


def is_usable(name: str) -> bool:
    """Whether the name can go into a URL raw without any client altering it."""
    return bool(_RAW.fullmatch(name)) and not _DOTS.search(name)


def decoded(name: str) -> Ids:
    """The ids inside: a name is base64url of `08 03|05, fields` with workflow (3) and media key (5)."""
    kind = "video" if name.startswith("CAUS") else "image" if name.startswith("CAM") else ""
    plain = re.sub(r"[^A-Za-z0-9_-]", "", name)
    try:
        data = base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return Ids(kind)
    fields = dict(_fields(data))
    return Ids(kind, _text(fields.get(3)), _text(fields.get(5)))


def _fields(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 2
    while at + 2 <= len(data) and data[at] & 7 == 2:
        field, length = data[at] >> 3, data[at + 1]
        found.append((field, data[at + 2 : at + 2 + length]))
        at += 2 + length
    return found


def _text(value: bytes | None) -> str | None:
    match = re.fullmatch(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", value or b"")
    return match[0].decode() if match else None
