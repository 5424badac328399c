"""The one session cookie, out of whatever a person pastes; everything else is dropped at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

NAMES: Final = ("__Secure-next-auth.session-token", "next-auth.session-token")
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]{8,16384}")
"""RFC 6265 §4.1.1 cookie octets."""


def session_cookie(text: str) -> str | None:
    """The session's value from a bare value, a Cookie header, cookies.txt or a JSON export; else None."""
    text = text.strip().lstrip("\ufeff")
    pairs = list(_pairs(text))
    value = _chosen(dict(pairs))
    if value is None and not pairs:
        bare = "".join(text.split()).strip("\"'")
        value = bare if _VALUE.fullmatch(bare) and "=" not in bare.rstrip("=") else None
    return value if value and _VALUE.fullmatch(value) else None


def _chosen(cookies: dict[str, str]) -> str | None:
    for name in NAMES:
        if cookies.get(name):
            return cookies[name]
        chunks = [
            (int(key[len(name) + 1 :]), value)
            for key, value in cookies.items()
            if _is_chunk(key, name)
        ]
        if chunks:
            return "".join(value for _, value in sorted(chunks))
    return None


def _is_chunk(key: str, name: str) -> bool:
    number = key[len(name) + 1 :]
    return key.startswith(f"{name}.") and number.isdecimal() and len(number) < 4


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    if text[:1] in ("[", "{"):
        return _from_json(text)
    if any(line.count("\t") >= 6 for line in text.splitlines()):
        return _from_netscape(text)
    if any(name in text for name in NAMES):
        return _from_header(text)
    return ()


def _from_json(text: str) -> Iterable[tuple[str, str]]:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return
    if isinstance(value, dict) and isinstance(value.get("cookies"), list):
        value = value["cookies"]
    if isinstance(value, dict):
        yield from ((str(name), str(cookie)) for name, cookie in value.items())
        return
    for cookie in value:
        if isinstance(cookie, dict) and "name" in cookie:
            yield str(cookie["name"]), str(cookie.get("value", ""))


def _from_netscape(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        fields = line.removeprefix("#HttpOnly_").split("\t")
        if len(fields) >= 7 and not fields[0].startswith("# "):
            yield fields[5], fields[6].strip()


def _from_header(text: str) -> Iterable[tuple[str, str]]:
    # A header pasted from a terminal or from DevTools may be wrapped, quoted and named.
    line = re.sub(r"^\s*(?:-H\s*)?['\"]?\s*(?:cookie\s*:)?", "", text, flags=re.IGNORECASE)
    line = re.sub(r"[\r\n]+\s*", "", line).strip().strip("'\"")
    for part in line.split(";"):
        name, _, value = part.strip().partition("=")
        yield name.strip(), value.strip().strip('"')
