"""Who fetches what: our own transfer, the page engine, or an engine elsewhere. Pure decisions.

Our transfer or the page engine, in three questions:

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
from trayagent.model.filenames import (
    SAYS_NOTHING,
    extension,
    from_url,
    has_extension,
    media_kind,
)
from trayagent.model.jobs import New
from trayagent.model.settings import EngineSettings
from trayagent.model.validation import item_error

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
    # A manifest names the pieces of a film: its own bytes are of no use to anybody.
    is_manifest = extension(from_url(url) or "") in MANIFESTS
    return is_manifest or (kind == "page" and not _is_medium(url))


def may_be_page(kind: Kind, filename: str | None) -> bool:
    """Whether a page or a manifest that comes is told of (`error.found`) before it is saved as it is."""
    if kind == "auto" and filename and has_extension(filename) and media_kind(filename) is None:
        return False  # the name asked for is that of no medium: the answer is wanted as it is
    return kind not in ("file", "image")


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


HERE: Final = "here"
"""The name, in the place of an engine's, that means this program."""


def choose_elsewhere(new: New, engines: Sequence[EngineSettings] = ()) -> str | None:
    """The name of the engine elsewhere that fetches a new download; None: we do.

    1. Synced items, and pages that only the page engine can do, are fetched here, whatever was asked.
    2. The engine that the item itself names, with all that the item carries: a person said so.
    3. The first engine with a rule for its folder, then one for its site, then the default one. They
       get no address that may turn out to be a page, and no cookies or headers unless `cookies` says so.

    Raises RefusedItemError for an engine that the settings do not have.
    """
    order, wanted = new.order, new.engine
    if wanted not in (None, HERE) and all(engine.name != wanted for engine in engines):
        raise item_error(f"There is no engine {(wanted or '')[:40]} in the settings.")
    kind = kind_meant(order.kind, order.quality, order.subtitles)
    if new.source is not None or wanted == HERE or is_engine_first(kind, new.url):
        return None
    if wanted is not None:
        return wanted
    may_be_page = kind not in ("file", "image") and not _names_file(new)
    for rule in (_has_folder, _has_site, lambda engine, _new: engine.default):
        for engine in engines:
            # The first rule that fits decides, also when it decides for us: later rules are not asked.
            # Ours is what an engine cannot do (a page, pieces with checksums), and what it may not have.
            if rule(engine, new):
                is_ours = may_be_page or order.pieces or (new.secrets and not engine.cookies)
                return None if is_ours else engine.name
    return None


def _names_file(new: New) -> bool:
    """Whether the address or the name asked for ends as a file does."""
    name = new.order.filename or from_url(new.url) or ""
    return has_extension(name) and extension(name) not in SAYS_NOTHING


def _has_folder(engine: EngineSettings, new: New) -> bool:
    # With a slash at the end: `films` is not the beginning of `films-old`.
    folder = f"{new.order.folder or ''}/".replace("\\", "/")
    return any(folder.startswith(f"{one.strip('/')}/") for one in engine.folders)


def _has_site(engine: EngineSettings, new: New) -> bool:
    host = new.host.rpartition(":")[0]
    return any(host == site or host.endswith(f".{site}") for site in engine.sites)


def _is_medium(url: str) -> bool:
    return media_kind(from_url(url) or "") is not None
