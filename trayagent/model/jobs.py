"""What is kept of a request while its download waits, and what a worker is handed."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, structs

from trayagent.model import urls
from trayagent.model.downloads import Cookie, Item, Kind, Via

ENGINE_HOST: Final = "engine "
"""Before the name of an engine elsewhere, in the place of a host: no server's name has a blank."""


def engine_host(name: str) -> str:
    """The host of all downloads for one engine elsewhere: they have their turns together."""
    return ENGINE_HOST + name


def is_engine_host(host: str) -> bool:
    """Whether downloads of this host are for an engine elsewhere."""
    return host.startswith(ENGINE_HOST)


class Order(Struct, frozen=True, omit_defaults=True):
    """The lasting, secret-free part of an `Item`, and where its file goes."""

    filename: str | None = None
    folder: str | None = None
    """Relative to the root."""
    root: str | None = None
    """Absolute; None: the downloads folder. Synced items live under the library's."""
    stem: str | None = None
    """The name without its ending, which the content decides (synced items)."""
    mtime: float | None = None
    """Unix seconds to stamp the file with."""
    referer: str | None = None
    user_agent: str | None = None
    page_url: str | None = None
    title: str | None = None
    checksum: str | None = None
    size: int | None = None
    pieces: str | None = None
    kind: Kind = "auto"
    mirrors: tuple[str, ...] = ()
    segments: int | None = None
    speed_limit: str | None = None
    quality: str | None = None
    subtitles: tuple[str, ...] = ()
    from_page: bool = False
    """A page chose the address, through an extension that is not ours: a private one counts only if
    the page itself came from that host."""

    @classmethod
    def of(cls, item: Item) -> Order:
        """Everything of an item that may lie in the database."""
        return cls(
            filename=item.filename,
            folder=item.folder,
            referer=item.referer,
            user_agent=item.user_agent,
            page_url=item.page_url,
            title=item.title,
            checksum=item.checksum,
            size=item.size,
            pieces=item.pieces,
            kind=item.kind,
            mirrors=item.mirrors,
            segments=item.segments,
            speed_limit=item.speed_limit,
            quality=item.quality,
            subtitles=item.subtitles,
        )

    def without_queries(self) -> Order:
        """What is kept once the download has settled: referer and page are told without their queries,
        which may hold what opens somebody's account.
        """
        # A retry may need them, but a row of history stays for years.
        return structs.replace(
            self,
            referer=urls.redact(self.referer) if self.referer else None,
            page_url=urls.redact(self.page_url) if self.page_url else None,
        )


class DownloadSecrets(Struct, frozen=True, omit_defaults=True):
    """Headers and cookies of one download: in a 0600 file of their own until it settles."""

    headers: dict[str, str] = {}
    cookies: tuple[Cookie, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.headers or self.cookies)

    def __repr__(self) -> str:
        # Only how many: names of cookies and headers can tell which service somebody uses.
        return f"<Secrets: {len(self.headers)} headers, {len(self.cookies)} cookies>"


class New(Struct, frozen=True):
    """A checked item on its way into the store."""

    key: str
    """Identity: the normalised URL, or `<source>:<account>/<name>`."""
    url: str
    """To show: without userinfo; `<source>:<name>` for a synced item."""
    host: str
    """`host:port`, for fairness and politeness."""
    order: Order
    secrets: DownloadSecrets = DownloadSecrets()
    source: str | None = None
    paused: bool = False
    urgent: bool = False
    again: bool = False
    gid: str | None = None
    """The name that an aria2 client chose for its download."""
    warning: str | None = None
    """What was asked for and is not done, in a sentence."""
    engine: str | None = None
    """The engine elsewhere that is to fetch it, or `here`; None until the intake has chosen, and for us."""


class Job(Struct, frozen=True):
    """A claimed download, as its worker gets it."""

    n: int
    id: str
    key: str
    url: str
    host: str
    order: Order
    path: str | None
    """The name reserved by an earlier attempt."""
    attempts: int
    """Tries before this one."""
    via: Via
    source: str | None
    secrets: DownloadSecrets = DownloadSecrets()
    owner: str = ""
    """See `Target.owner`."""

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.host}, try {self.attempts + 1}>"
