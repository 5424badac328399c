"""A request on its way through redirects: what to say at each address, and where the next one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from trayagent import __version__
from trayagent.model import urls
from trayagent.model.admit import TOKEN
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.cookies import Jar
from trayagent.net.hop import Hop

USER_AGENT: Final = f"Mozilla/5.0 (compatible; trayagent/{__version__})"
REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})

_OURS: Final = frozenset(
    "host connection keep-alive proxy-connection proxy-authorization te trailer transfer-encoding upgrade "
    "content-length accept-encoding range if-range expect".split()
)
"""Request headers that only we may set; custom ones of these names are left out."""


class Journey:
    """Secrets (custom headers, referer, user and password) are said at the first origin only.

    `extra` headers are said everywhere, cookies where they fit, the body at the first address only
    unless a redirect within the first origin asks for it again (RFC 9110 §15.4).
    """

    def __init__(
        self,
        request: Request,
        extra: Mapping[str, str] | None,
        jar: Jar | None,
        method: str,
        body: bytes | None,
    ) -> None:
        url, user, password = urls.split_userinfo(request.url)
        self.hop = Hop.to(url)
        self.method = method
        self.body = body
        self._request = request
        self._extra = extra or {}
        self._jar = Jar(request.cookies) if jar is None else jar
        self._at_first = True
        self._secret = dict(request.headers)
        if user is not None:
            self._secret["Authorization"] = urls.basic_auth(user, password or "")

    def headers(self) -> CIMultiDict[str]:
        """What to say at the present hop."""
        request = self._request
        headers = CIMultiDict(
            {
                "User-Agent": request.user_agent or USER_AGENT,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
            }
        )
        if self._at_first:
            if request.referer:
                headers["Referer"] = request.referer
            for name, value in self._secret.items():
                if name.lower() not in _OURS and TOKEN.fullmatch(name):
                    headers[name] = value
        if cookies := self._jar.header(self.hop.url):
            raw = headers.get("Cookie")
            headers["Cookie"] = f"{raw}; {cookies}" if raw else cookies
        headers.update(self._extra)
        return headers

    def follow(self, status: int, headers: CIMultiDictProxy[str]) -> None:
        """Go where a redirect leads. Raises DownloadError `server_error`, `bad_url`, `tls`."""
        self._jar.take(self.hop.url, headers.getall("Set-Cookie", ()))
        following = self._next(status, headers.get("Location"))
        if (self.hop.scheme, following.scheme) == ("https", "http") and self._is_secret():
            raise DownloadError(
                "tls", "it redirects from https to plain http, which would expose your sign-in"
            )
        self._at_first = self._at_first and following.same_origin(self.hop)
        if status not in (307, 308) or not self._at_first:
            self.method, self.body = ("HEAD" if self.method == "HEAD" else "GET"), None
        self.hop = following

    def __repr__(self) -> str:
        return f"<Journey at {self.hop.host}>"

    def _next(self, status: int, location: str | None) -> Hop:
        if location is None:
            raise DownloadError("server_error", f"HTTP {status} without a place to go")
        # Credentials in a redirect are the server's invention, not the user's.
        return Hop.to(urls.split_userinfo(urls.resolve(self.hop.url, location))[0])

    def _is_secret(self) -> bool:
        return bool(self._secret or self._request.cookies)
