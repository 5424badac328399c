"""The cookies of one download: they go where their domain, path and secure flag allow (RFC 6265)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from trayagent.model.addresses import is_literal
from trayagent.model.downloads import Cookie
from trayagent.model.units import seconds_of

MOST = 200
"""Cookies; a server cannot make one jar grow without end."""
_AGE = re.compile(r"-?[0-9]+")
"""A Max-Age; other nonsense there is passed over (RFC 6265 §5.2.2)."""


class _Kept(Struct, frozen=True):
    cookie: Cookie
    host_only: bool


class Jar:
    """Structured cookies given with a request and those that servers set meanwhile; never on disk."""

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self.kept: dict[tuple[str, str, str], _Kept] = {}
        """By domain, path and name."""
        for cookie in cookies:
            # A leading dot is how cookie exports say "and its subdomains".
            self._keep(cookie, host_only=not (cookie.domain or "").startswith("."))

    def header(self, url: str) -> str:
        """The Cookie header's value for a request to `url`, longest path first; empty for none."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path or "/"
        fitting = [
            kept.cookie
            for kept in self.kept.values()
            if _domain_fits(kept, host)
            and _path_fits(kept.cookie.path, path)
            and (parts.scheme == "https" or not kept.cookie.secure)
        ]
        # The more exact path comes first (RFC 6265 §5.4): servers that read only one read that.
        fitting.sort(key=lambda cookie: len(cookie.path), reverse=True)
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def take(self, url: str, set_cookies: Iterable[str]) -> None:
        """Keep what a response from `url` set in its Set-Cookie headers, if it may set it."""
        for header in set_cookies:
            self._take_one(url, header)

    def _take_one(self, url: str, header: str) -> None:
        pair, *attributes = header.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name or re.search(r"[\x00-\x1f\x7f]", pair):
            return
        said = {
            key.strip().lower(): text.strip()
            for key, _, text in (a.partition("=") for a in attributes)
        }
        parts = urlsplit(url)
        host = parts.hostname or ""
        domain = said.get("domain", "").lower().lstrip(".")
        if (
            domain
            and domain != host
            and not (host.endswith("." + domain) and "." in domain and not is_literal(host))
        ):
            return
        if not _keeps_its_name(name, said, parts.scheme):
            return
        path = said.get("path", "")
        cookie = Cookie(
            name=name,
            value=value,
            domain=domain or host,
            path=path if path.startswith("/") else _default_path(parts.path),
            # What came over TLS never leaves without it: stricter than the RFC, and never in a user's way.
            secure="secure" in said or parts.scheme == "https",
        )
        if _over(said):
            self.kept.pop(_key(cookie), None)
        else:
            self._keep(cookie, host_only=not domain)

    def _keep(self, cookie: Cookie, *, host_only: bool) -> None:
        # A full jar still renews what it has: a session that is prolonged must not be lost.
        if len(self.kept) < MOST or _key(cookie) in self.kept:
            self.kept[_key(cookie)] = _Kept(cookie, host_only)

    def __repr__(self) -> str:
        return f"<Jar of {len(self.kept)} cookies>"


def _key(cookie: Cookie) -> tuple[str, str, str]:
    return _domain(cookie), cookie.path, cookie.name


def _domain(cookie: Cookie) -> str:
    return (cookie.domain or "").lstrip(".").lower()


def _domain_fits(kept: _Kept, host: str) -> bool:
    domain = _domain(kept.cookie)
    return host == domain or (
        bool(domain) and not kept.host_only and host.endswith("." + domain) and not is_literal(host)
    )


def _path_fits(cookie_path: str, path: str) -> bool:
    if not path.startswith(cookie_path):
        return False
    return (
        cookie_path.endswith("/") or len(path) == len(cookie_path) or path[len(cookie_path)] == "/"
    )


def _keeps_its_name(name: str, said: Mapping[str, str], scheme: str) -> bool:
    """Whether a cookie is as its name says: a server reads from it who can have set it (RFC 6265bis §4.1.3)."""
    name = name.lower()
    if not name.startswith(("__secure-", "__host-")):
        return True
    if "secure" not in said or scheme != "https":
        return False
    return name.startswith("__secure-") or (said.get("path") == "/" and not said.get("domain"))


def _over(said: Mapping[str, str]) -> bool:
    """Whether the server takes the cookie back; Max-Age counts before Expires (RFC 6265 §5.3)."""
    age = said.get("max-age", "")
    if _AGE.fullmatch(age):
        return age.startswith("-") or not age.strip("0")
    expires = seconds_of(said.get("expires"))
    return expires is not None and expires <= time.time()


def _default_path(path: str) -> str:
    return path[: path.rfind("/")] or "/" if path.startswith("/") else "/"
