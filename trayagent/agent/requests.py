"""From a claimed job to what transfer is asked: pure."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from trayagent.model import addresses, filenames, sizes, urls
from trayagent.model.order import Job
from trayagent.model.transfer import Request, Target


def request_of(job: Job) -> Request:
    """Where the bytes are, and what to say to get them."""
    order = job.order
    return Request(
        url=job.url,
        mirrors=order.mirrors,
        headers=dict(job.secrets.headers),
        cookies=job.secrets.cookies,
        referer=order.referer,
        user_agent=order.user_agent,
        named=named_hosts(job),
    )


def named_hosts(job: Job) -> frozenset[str]:
    """The private `host:port` pairs that the user named himself, by the `named` rule.

    From the extension a private address counts only if the page itself is on that host; what a
    sync fetches is never the user's own word (its source names its hosts).
    """
    own = (job.host,) if "://" in job.url else ()
    given = (*own, *(urls.authority(url) for url in job.order.mirrors if "://" in url))
    private = frozenset(pair for pair in given if addresses.names_private(pair.rpartition(":")[0]))
    if job.via == "sync":
        return frozenset()
    if job.via == "extension":
        page = job.order.page_url
        page_host = urls.authority(page).rpartition(":")[0] if page else None
        return frozenset(pair for pair in private if pair.rpartition(":")[0] == page_host)
    return private


def target_of(job: Job, downloads: Path) -> Target:
    """Where the file goes and what it must be; `downloads` is the default root."""
    order = job.order
    return Target(
        folder=_folder(downloads, order.root, order.folder),
        filename=order.filename,
        path=Path(job.path) if job.path else None,
        owner=job.owner,
        kind=order.kind,
        checksum=order.checksum,
        size=order.size,
        pieces=order.pieces,
        segments=order.segments,
        speed_limit=sizes.parse_size(order.speed_limit) if order.speed_limit else 0,
        mtime=order.mtime,
        stem=order.stem,
    )


@lru_cache(
    maxsize=256
)  # one folder object for all of its files: it knows its text and hash already
def _folder(downloads: Path, root: str | None, folder: str | None) -> Path:
    return (Path(root) if root else downloads) / filenames.safe_folder(folder)
