"""A knock: everything the gate judges a request by, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from trayagent.hook.routes import Route
from trayagent.model.client import Caller


@dataclass(frozen=True, slots=True)
class Knock:
    """A request's head, and what we know about whoever sent it. Header values come in the order sent."""

    peer: str
    """The address of the other end."""
    names: frozenset[str]
    """What Host may say."""
    method: str
    path: str
    """As sent, without the query."""
    route: Route | None = None
    """What answers this method and path; for OPTIONS: what would answer the method asked about."""
    allowed: tuple[str, ...] = ()
    """The methods this path has; none: there is no such path."""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    fetch_site: str = ""
    fetch_mode: str = ""
    fetch_dest: str = ""
    paired: frozenset[str] = frozenset()
    """Origins of paired extensions."""
    token: str | None = field(default=None, repr=False)
    """The bearer token that came along."""
    caller: Caller | None = None
    """Whose token it is."""
    wait: float = 0.0
    """Seconds that wrong tokens have to wait now."""
    content_types: tuple[str, ...] = ()
    encodings: tuple[str, ...] = ()
    length: int | None = None
    """Content-Length."""
    chunked: bool = False
    expects: str = ""

    @property
    def origin(self) -> str | None:
        """The one Origin, if any."""
        return self.origins[0] if len(self.origins) == 1 else None

    @property
    def own_origin(self) -> str:
        """The origin of our own pages, as this request names us."""
        return f"http://{self.hosts[0].lower()}" if self.hosts else ""

    @property
    def has_body(self) -> bool:
        """Whether bytes follow the head."""
        return self.chunked or bool(self.length)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further, and what it is told. Nothing of the request is in it."""

    status: int
    code: str = ""
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    action: str = ""
    """The next step, for those who ask us something sensible."""
