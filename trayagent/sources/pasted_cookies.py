"""The cookies of one site, out of whatever a person pastes; everything else is dropped at once.

| pasted                                             | a cookie's domain                     |
|----------------------------------------------------|---------------------------------------|
| `cookies.txt`, with tabs or with spaces            | its own                               |
| JSON of a browser's extension, of a test browser   | its own, else that of what it lies in |
| a command (`curl … -b …`), `fetch("…")`            | the host of its address               |
| headers (`Cookie: …` with or without `Host: …`)    | the host                              |
| `name=value; …`, or the value alone                | not told: taken for the site's        |
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from trayagent.model.addresses import is_literal

# The second is the name without https, as a test server sets it.
NAMES: Final = ("__Secure-next-auth.session-token", "next-auth.session-token")
LONGEST: Final = 2 << 20
"""Characters that are looked at; all cookies of a browser are a fraction of it."""
_AROUND: Final = "\ufeff \t\r\n\"'"
"""What may stand around a value."""
_DEEPEST: Final = 8
"""Levels of JSON; the known shapes have at most four."""
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]{8,16384}")
"""RFC 6265 §4.1.1 cookie octets."""
_ROW: Final = re.compile(
    r"^[ \t]*(?:#HttpOnly_)?(?P<domain>[^\s#]+)[ \t]+(?P<inside>TRUE|FALSE)[ \t]+/\S*[ \t]+(?:TRUE|FALSE)[ \t]+"
    r"-?\d+(?:\.\d+)?[ \t]+(?P<name>\S+)(?:[ \t]+(?P<value>\S+))?[ \t]*\r?$",
    re.MULTILINE | re.IGNORECASE,
)
"""A line of cookies.txt."""
_COMMAND: Final = re.compile(
    r"\s*(?:curl|wget|aria2c|http)(?:\.exe)?\s|\s*--?(?:b|H|cookie|header)[\s=]"
)
_SCRIPT: Final = re.compile(
    r"""["']cookie["']\s*:\s*("(?:[^"\\]|\\.)*")|\bCookie\("([^"]+)",\s*"([^"]*)",\s*"[^"]*",\s*"([^"]*)"\)""",
    re.IGNORECASE,
)
"""`fetch` of JavaScript, and `New-Object System.Net.Cookie` of PowerShell, as browsers copy them."""
_ASKED: Final = re.compile(r"(?:\bfetch\(|-Uri\s)\s*[\"'](https?://[^\"']+)", re.IGNORECASE)
"""The address that such a script asks."""
_WRAPPED: Final = re.compile(
    r"\r?\n[ \t]*(?!:?[A-Za-z][\w-]*:(?:\s|$)|__Secure-|__Host-|next-auth|\Z)"
)
"""A line's end within a header or value: not where the next header or cookie begins."""
_HOST: Final = re.compile(
    r"^[ \t]*(?::authority|host)[ \t]*:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE
)
_HEADER: Final = re.compile(r"^[ \t]*[\"']?cookie[\"']?[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE)
_NAME_KEYS: Final = ("name", "key", "Name", "Name raw")
_VALUE_KEYS: Final = ("value", "Value", "Content raw", "content")
_DOMAIN_KEYS: Final = ("domain", "Domain", "host", "Host", "Host raw", "url", "URL")


class PastedCookie(Struct, frozen=True):
    """One cookie as it was found in a text."""

    name: str
    value: str
    domain: str = ""
    """In lower case, without the leading dot; empty where it is not told."""
    host_only: bool = True

    def fits(self, host: str) -> bool:
        """Whether a browser would send it to this host (RFC 6265 §5.1.3), as far as is known."""
        inside = not self.host_only and host.endswith(f".{self.domain}") and not is_literal(host)
        return not self.domain or self.domain == host or inside

    def __repr__(self) -> str:
        return f"<PastedCookie {self.name} of {self.domain or 'nobody'}>"


def session_cookie(text: str, host: str) -> str | None:
    """The session's value, if the text holds one for this host."""
    found = cookies_in(text)
    for cookies in by_domain(found, host):
        value = _session_of(cookies)
        if value:
            return value if _VALUE.fullmatch(value) else None
    if found or len(text) > LONGEST:
        return None
    # What is left is a value alone, which terminals and mails may have broken into lines.
    bare = "".join(text.split()).strip(_AROUND)
    is_one = "=" not in bare.rstrip("=") and bare[:1] not in ("[", "{") and NAMES[1] not in bare
    return bare if is_one and _VALUE.fullmatch(bare) else None


def keep_only_sessions(text: str) -> str:
    """The same as cookies.txt, with the session cookies of all sites only; empty for none."""
    return "".join(
        f"{cookie.domain}\t{str(not cookie.host_only).upper()}\t/\tTRUE\t0\t{cookie.name}\t{cookie.value}\n"
        for cookie in cookies_in(text)
        if cookie.domain and any(f"{cookie.name}.".startswith(f"{name}.") for name in NAMES)
    )


def by_domain(cookies: Iterable[PastedCookie], host: str) -> Iterator[Mapping[str, str]]:
    """Name and value of the cookies that fit a host, each domain by itself, the closest first."""
    domains: dict[str, dict[str, str]] = {}
    for cookie in cookies:
        if cookie.fits(host):
            domains.setdefault(cookie.domain, {})[cookie.name] = cookie.value
    # The longest name first: its cookies were set for this very host.
    return (domains[domain] for domain in sorted(domains, key=len, reverse=True))


def cookies_in(text: str) -> list[PastedCookie]:
    """All cookies of a text, whosesoever they are."""
    text = text.strip("\ufeff \t\r\n")
    if len(text) > LONGEST:
        return []
    # The surest forms come first: a command or a header may hold what looks like the ones before.
    if text[:1] in ("[", "{"):
        return list(_from_json(text))
    if rows := list(_ROW.finditer(text)):
        return [
            PastedCookie(
                row["name"],
                row["value"] or "",
                row["domain"].lower().lstrip("."),
                host_only=row["inside"].upper() != "TRUE",
            )
            for row in rows
        ]
    if scripted := list(_SCRIPT.finditer(text)):
        return list(_from_script(text, scripted))
    if _COMMAND.match(text) and (found := list(_from_command(text))):
        return found
    return list(_from_headers(text))


def _session_of(cookies: Mapping[str, str]) -> str | None:
    for name in NAMES:
        if cookies.get(name):
            return cookies[name]
        # A long session is cut into cookies `name.0`, `name.1` and so on.
        chunks = [
            (int(number), value)
            for key, value in cookies.items()
            for stem, _, number in [key.rpartition(".")]
            if stem == name and number.isdecimal() and len(number) < 4
        ]
        if chunks:
            # By number, not by text: `.10` comes behind `.9`.
            return "".join(value for _, value in sorted(chunks))
    return None


# --- JSON ---


def _from_json(text: str) -> Iterator[PastedCookie]:
    try:
        yield from _walk(json.loads(text), PastedCookie("", ""), 0)
    except (ValueError, RecursionError):
        for line in text.splitlines():  # one object a line
            try:
                yield from _walk(json.loads(line), PastedCookie("", ""), 0)
            except (ValueError, RecursionError):
                continue


def _walk(value: Any, around: PastedCookie, depth: int) -> Iterator[PastedCookie]:
    """Cookies in any nesting; `around` has the name and domain of what they lie in."""
    # Anything may be pasted, brackets within brackets too.
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, around, depth + 1)
    if not isinstance(value, dict):
        return
    here = _domain_of(value, around)
    name, told = _first(value, _NAME_KEYS) or around.name, _first(value, _VALUE_KEYS)
    if isinstance(name, str) and isinstance(told, (str, int, float)):
        yield from _cookies_of(name, str(told), here)
        return
    for key, one in value.items():
        if isinstance(one, str) and key not in _DOMAIN_KEYS:
            yield from _cookies_of(key, one, here)
        elif isinstance(one, (dict, list)):
            # What lies below a key is the cookie of that name, or are those of that domain.
            is_cookie = isinstance(one, dict) and _first(one, _VALUE_KEYS) is not None
            below = here if is_cookie or here.domain else _domain_of({"domain": key}, here)
            yield from _walk(one, replace(below, name=key), depth + 1)


def _cookies_of(name: str, value: str, around: PastedCookie) -> Iterator[PastedCookie]:
    """The cookie, or those of a header that was written as one."""
    if name.lower() == "cookie":
        yield from _pairs(value, around.domain)
    else:
        yield PastedCookie(name, value, around.domain, around.host_only)


def _domain_of(value: Mapping[str, Any], around: PastedCookie) -> PastedCookie:
    told = _first(value, _DOMAIN_KEYS)
    if not isinstance(told, str) or not re.fullmatch(r"(?:https?://)?\.?[^\s/]+(?:/.*)?", told):
        return around
    if "." not in told and "/" not in told and told != "localhost":
        return around  # a word like `cookies`, under which they lie
    domain = _hostname(told)
    only = value.get("hostOnly")
    host_only = only if isinstance(only, bool) else not domain.startswith(".")
    return PastedCookie("", "", domain.lstrip("."), host_only)


def _first(value: Mapping[str, Any], keys: Iterable[str]) -> Any:
    return next((value[key] for key in keys if key in value), None)


def _hostname(told: str) -> str:
    """The host of an address, or of a domain, a leading dot kept."""
    netloc = re.split(r"[/?#]", told.partition("://")[2] or told, maxsplit=1)[0]
    return re.sub(r":\d+$", "", netloc.rpartition("@")[2]).lower()


# --- commands, scripts and headers ---


def _from_command(text: str) -> Iterator[PastedCookie]:
    """The cookies of a command as a browser copies it, for the shells of all systems."""
    if '^"' in text:
        text = text.replace("^", "")  # how Windows' shell quotes
    text = text.replace("$'", "'")
    try:
        words = shlex.split(text)
    except ValueError:
        return
    host = next((_hostname(word) for word in words if word.startswith(("http:", "https:"))), "")
    for option, word in pairwise(["", *words]):
        if option in {"-b", "--cookie"}:
            yield from _pairs(_unescape(word), host)
        elif word.startswith("--cookie="):
            yield from _pairs(_unescape(word.partition("=")[2]), host)
        elif cookie := _HEADER.match(_unescape(word.removeprefix("--header="))):
            yield from _pairs(cookie[1], host)


def _unescape(word: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), word)


def _from_script(text: str, found: Iterable[re.Match[str]]) -> Iterator[PastedCookie]:
    asked = _ASKED.search(text)
    host = _hostname(asked[1]) if asked else ""
    for match in found:
        if match[2]:  # a cookie of PowerShell, with its domain
            is_host_only = match[4][:1] != "."
            yield PastedCookie(match[2], match[3], match[4].lower().lstrip("."), is_host_only)
        else:  # a header of `fetch`
            yield from _pairs(str(json.loads(match[1])), host)


def _from_headers(text: str) -> Iterator[PastedCookie]:
    """Header lines, of which only `Cookie` counts, or pairs without a name before them."""
    text = _WRAPPED.sub("", text.strip("\"' \t\r\n"))
    named = _HOST.search(text)
    host = _hostname(named[1]) if named else ""
    for line in [match[1] for match in _HEADER.finditer(text)] or [text]:
        yield from _pairs(line, host)


def _pairs(line: str, host: str) -> Iterator[PastedCookie]:
    for part in re.split(r"[;\n]", line.strip().strip("'\",")):
        name, _, value = part.strip().partition("=")
        if name and value.strip("="):
            yield PastedCookie(name.strip(), value.strip().strip('"'), host)
