"""Who fetches what: our own transfer, or the page engine. A pure decision, in three questions.

| asked for | at first | HTML came | a manifest came (HLS, DASH) |
|---|---|---|---|
| `file`, `image` | transfer | as transfer says | as transfer says |
| `page` | engine; transfer where the address ends in a medium's extension | engine | engine |
| `video`, `audio` | transfer; engine for `.m3u8`, `.mpd` | engine, unless the address ends as a medium | engine |
| `auto` from a browser | the same | the same | engine |
| `auto` from elsewhere | the same | engine if it knows the site by name, else a plain file | engine |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from trayagent.model.downloads import Kind, Via
from trayagent.model.errors import DownloadError
from trayagent.model.filenames import extension, from_url, has_extension, media_kind

Found = Literal["html", "hls", "dash"]
"""What came instead of a medium."""
Next = Literal["engine", "engine if known", "fail"]

MANIFESTS: Final = frozenset({"m3u8", "mpd"})
_BROWSER: Final[frozenset[Via]] = frozenset({"extension", "page"})


def kind_meant(kind: Kind, quality: str | None, subtitles: Sequence[str] = ()) -> Kind:
    """What is meant: who names a quality or subtitles wants a medium, not the page about it."""
    # Asked for by name, the kind stands: `--kind file --quality 720` is a mistake, but a clear one.
    if kind != "auto" or not (quality or subtitles):
        return kind
    return "audio" if quality == "audio" else "video"


def is_engine_first(kind: Kind, url: str) -> bool:
    """Whether the page engine is asked before a byte is fetched."""
    if kind in ("file", "image"):
        return False
    return _ending(url) in MANIFESTS or (kind == "page" and not _is_medium(url))


def may_be_page(kind: Kind, filename: str | None) -> bool:
    """Whether a page or a manifest that comes is told of (`error.found`) before it is saved as it is."""
    return kind not in ("file", "image") and not (kind == "auto" and _plain(filename))


def next_step(kind: Kind, via: Via, url: str, error: DownloadError) -> Next:
    """What follows transfer's `error`; on "fail" it stands, or the file is a plain one."""
    if kind in ("file", "image"):
        return "fail"
    if error.found in ("hls", "dash"):
        return "engine"
    if error.found == "html":
        if kind == "page":
            return "engine"
        if _is_medium(url):
            return "fail"
        return "engine" if kind != "auto" or via in _BROWSER else "engine if known"
    # A page that wants a login or a browser, where the engine knows how to get in; never the medium itself.
    shut = error.traits.is_access_refused and kind != "page" and not _is_medium(url)
    return "engine if known" if shut else "fail"


def _ending(url: str) -> str:
    return extension(from_url(url) or "")


def _is_medium(url: str) -> bool:
    return media_kind(from_url(url) or "") is not None


def _plain(filename: str | None) -> bool:
    """Whether the name asked for is that of no medium: then the answer is wanted as it is."""
    return bool(filename and has_extension(filename) and media_kind(filename) is None)
