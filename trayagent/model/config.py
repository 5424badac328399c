"""The settings as one frozen value of frozen sections; reading and writing them is `settings`' work."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct


class Downloads(Struct, frozen=True, forbid_unknown_fields=True):
    """How files are fetched, and where to."""

    folder: str = ""
    """Absolute once resolved; empty means the platform's Downloads folder."""
    workers: Annotated[int, Meta(ge=1, le=32)] = 4
    per_host: Annotated[int, Meta(ge=1, le=32)] = 4
    """Downloads at a time from one host; 1 is polite."""
    connections_per_host: Annotated[int, Meta(ge=1, le=64)] = 16
    """All segments of all downloads from one host together."""
    segments: Annotated[int, Meta(ge=1, le=16)] | Literal["auto"] = "auto"
    retries: Annotated[int, Meta(ge=0, le=100)] = 5
    speed_limit: str = "0"
    """Bytes a second for everything together; "0" for none."""
    max_size: str = "50GB"
    keep_free: str = "512MB"


class Hook(Struct, frozen=True, forbid_unknown_fields=True):
    """The local HTTP door."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 17830
    """0 = any free one; a taken port means the next of ten."""


class Drop(Struct, frozen=True, forbid_unknown_fields=True):
    """The watched folder."""

    folder: str = ""
    poll: bool = False
    """True for network shares without change events."""


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be reached, and through what."""

    private_addresses: Literal["refuse", "named", "allow"] = "named"
    allow: tuple[str, ...] = ()
    """`host:port` of private hosts that may always be reached."""
    proxy: str = ""


class Notifications(Struct, frozen=True, forbid_unknown_fields=True):
    """How much the popups say."""

    level: Literal["all", "errors", "none"] = "all"


class Library(Struct, frozen=True, forbid_unknown_fields=True):
    """Where synced images go."""

    folder: str = ""
    date: Literal["created", "downloaded"] = "created"
    """Which day names the folder, in local time."""


class Sites(Struct, frozen=True, forbid_unknown_fields=True):
    """Video pages."""

    quality: str = "best"


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """One remote library; which keys count depends on `type`."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    type: Literal["flow", "json"] = "flow"
    every: str = ""
    """`6h`: sync by itself; empty: only when asked."""
    labs_base: str = "https://labs.google/fx"
    media_base: str = "https://aisandbox-pa.googleapis.com/v1"
    api_key: str = ""
    """`env:NAME`, `keyring:NAME`, a literal; empty: found in the site's own script."""
    page_delay: str = "1-2s"
    base: str = ""
    list: dict[str, Any] = {}
    page: dict[str, Any] = {}
    item: dict[str, Any] = {}
    fetch: dict[str, Any] = {}
    auth: dict[str, Any] = {}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    downloads: Downloads = Downloads()
    hook: Hook = Hook()
    drop: Drop = Drop()
    network: Network = Network()
    notifications: Notifications = Notifications()
    library: Library = Library()
    sites: Sites = Sites()
    sources: tuple[Source, ...] = ()
