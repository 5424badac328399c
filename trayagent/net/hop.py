"""One address on the way to a file, taken apart once."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from trayagent.model import urls


class Hop(Struct, frozen=True):
    """Where one request goes; its URL may hold a query: never to be shown."""

    url: str
    scheme: str
    host: str
    port: int
    netloc: str
    """Host and port as the Host header has them."""
    target: str
    """Path and query: the request target in origin form (RFC 9112 §3.2.1)."""

    @classmethod
    def to(cls, url: str) -> Hop:
        """Raises DownloadError `bad_url`."""
        url = urls.check(url.partition("#")[0])
        scheme, netloc, rest = urls.parts_of(url)
        _, host, port = _origin(scheme, netloc)
        target = rest if rest[:1] == "/" else f"/{rest}"
        if not target.isascii():
            target = urls.ascii_only(target)
        return cls(url, scheme, host, port, netloc, target)

    def same_origin(self, other: Hop) -> bool:
        """Whether secrets may go from one to the other (RFC 6454 §4)."""
        return (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)

    def __repr__(self) -> str:
        return f"<Hop to {self.netloc}>"


@lru_cache(maxsize=1024)  # lists name the same few servers again and again
def _origin(scheme: str, netloc: str) -> tuple[str, str, int]:
    return urls.origin(f"{scheme}://{netloc}")
