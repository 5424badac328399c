"""A request on its way through redirects: what to say at each address, and where the next one is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

from trayagent import __version__
from trayagent.model import urls
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.model.validation import OWN_HEADERS, TOKEN
from trayagent.net.cookies import Jar

MOST_REDIRECTS: Final = 10
REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})
USER_AGENT: Final = f"Mozilla/5.0 (compatible; trayagent/{__version__})"

BARE: Final[Mapping[str, str]] = {
    "User-Agent": USER_AGENT,
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}
"""What is said where nobody asked for anything else."""


class WebOrigin(Struct, frozen=True):
    """Whom a request goes to (RFC 6454 §4); one value for all files of a server."""

    scheme: str
    host: str
    port: int
    netloc: str
    """Host and port as the Host header has them."""
    authority: str
    """`host:port`: what is cooled down and counted as one host."""


class Endpoint(Struct, frozen=True):
    """Where one request goes, taken apart once. Its URL may hold a query: never to be shown."""

    url: str
    origin: WebOrigin
    target: str
    """Path and query: the request target in origin form (RFC 9112 §3.2.1), nothing encoded anew."""

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Raises DownloadError `bad_url`."""
        if (parts := urls.usual_parts(url)) is not None:  # as nearly all are
            return cls(url, _origin_of(parts[0], parts[1]), parts[2])
        url = urls.check(url.partition("#")[0])
        scheme, netloc, rest = urls.parts_of(url)
        target = rest if rest[:1] == "/" else f"/{rest}"
        if not target.isascii():
            target = urls.ascii_only(target)
        return cls(url, _origin_of(scheme, netloc), target)

    def is_same_origin(self, other: Endpoint) -> bool:
        """Whether secrets may go from one to the other (RFC 6454 §5)."""
        one, two = self.origin, other.origin
        return (one.scheme, one.host, one.port) == (two.scheme, two.host, two.port)

    def __repr__(self) -> str:
        return f"<Endpoint {self.origin.netloc}>"


class Redirects:
    """The way of one request: where it is now, what is said there, where an answer sends it.

    | what is said                                          | where                              |
    |-------------------------------------------------------|------------------------------------|
    | custom headers, referer, user and password            | at the first origin only           |
    | `extra` (Range, If-Range, Accept)                     | everywhere                         |
    | structured cookies, also those that servers set       | where domain, path and flags allow |
    | the body                                              | at the first address; again only   |
    |                                                       | where 307 or 308 stay at the first |
    |                                                       | origin (RFC 9110 §15.4)            |
    """

    def __init__(
        self,
        request: Request,
        extra: Mapping[str, str] | None = None,
        jar: Jar | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> None:
        self.method = method
        self.body = body
        self._request = request
        self._extra = extra or {}
        self._jar = Jar(request.cookies) if jar is None else jar
        self._at_first = True
        self._left = MOST_REDIRECTS
        self._secret = dict(request.headers)
        url = request.url
        if "@" in url:
            url, user, password = urls.split_userinfo(url)
            if user is not None:
                self._secret["Authorization"] = urls.basic_auth(user, password or "")
        self.endpoint = Endpoint.of(url)

    def headers(self) -> Mapping[str, str]:
        """What to say at the present endpoint: mostly `BARE` itself."""
        request, jar = self._request, self._jar
        cookies = jar.header(self.endpoint.url) if jar.kept else ""
        if not (cookies or self._extra or self._secret or request.user_agent or request.referer):
            return BARE
        # What comes later counts for more: the user's headers over ours, the attempt's (Range) over both.
        headers = CIMultiDict(BARE)
        if request.user_agent:
            headers["User-Agent"] = request.user_agent
        if self._at_first:
            if request.referer:
                headers["Referer"] = request.referer
            for name, value in self._secret.items():
                if name.lower() not in OWN_HEADERS and TOKEN.fullmatch(name):
                    headers[name] = value
        if cookies:
            raw = headers.get("Cookie")
            headers["Cookie"] = f"{raw}; {cookies}" if raw else cookies
        headers.update(self._extra)
        return headers

    def follow(self, status: int, headers: CIMultiDictProxy[str]) -> None:
        """Go where a redirect leads.

        Raises DownloadError `server_error`, `bad_url`, `tls`, `too_many_redirects`.
        """
        if not self._left:
            raise DownloadError("too_many_redirects")
        self._left -= 1
        # Kept before the next request: a login sets its cookie together with the redirect.
        self._jar.take(self.endpoint.url, headers.getall("Set-Cookie", ()))
        location = headers.get("Location")
        if location is None:
            raise DownloadError("server_error", f"HTTP {status} without a place to go")
        # Credentials in a redirect are the server's invention, not the user's.
        following = Endpoint.of(urls.split_userinfo(urls.resolve(self.endpoint.url, location))[0])
        is_secret = bool(self._secret or self._request.cookies)
        if self.endpoint.origin.scheme == "https" != following.origin.scheme and is_secret:
            raise DownloadError(
                "tls", "it redirects from https to plain http, which would expose your sign-in"
            )
        self._at_first = self._at_first and following.is_same_origin(self.endpoint)
        if status not in (307, 308) or not self._at_first:
            self.method, self.body = ("HEAD" if self.method == "HEAD" else "GET"), None
        self.endpoint = following

    def __repr__(self) -> str:
        return f"<Redirects, now at {self.endpoint.origin.host}>"


@lru_cache(maxsize=1024)  # lists name the same few servers again and again
def _origin_of(scheme: str, netloc: str) -> WebOrigin:
    _, host, port = urls.origin(f"{scheme}://{netloc}")
    return WebOrigin(scheme, host, port, netloc, f"{host}:{port}")
