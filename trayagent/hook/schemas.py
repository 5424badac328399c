"""The bodies, queries and answers of the JSON interface that are not values of the model.

They validate what comes in, and OpenAPI is made from them: a class name here is a name there, and a
class's docstring a description.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from trayagent.agent.queue.elsewhere import EngineInfo
from trayagent.model.access import Client, ForeignKind
from trayagent.model.downloads import Batch, Download, Entry, Item
from trayagent.model.file_types import FileType
from trayagent.model.library import LibraryItem, SourceInfo
from trayagent.model.status import Plan, SpeedMode
from trayagent.store.folding import BatchHead
from trayagent.store.listing import SORTS

# Bounds belong to the types: nothing long or large gets as far as a handler.
Limit = Annotated[int, Meta(ge=1, le=1000)]
Short = Annotated[str, Meta(max_length=100)]
Name = Annotated[str, Meta(min_length=1, max_length=1024)]


# A key that is misspelt and silently ignored would do the wrong thing: `file=true` for `files=true`.
class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """What a request may say, and nothing else."""


class Empty(Body, frozen=True):
    """`{}`."""


class Several(Body, frozen=True):
    """Items asked for together."""

    items: Annotated[tuple[Item, ...], Meta(min_length=1)]


class DownloadsQuery(Body, frozen=True):
    state: Short | None = None
    """One state, or several with commas."""
    batch: Short | None = None
    q: Annotated[str, Meta(max_length=500)] | None = None
    """A part of the name, the address or the path."""
    limit: Limit = 100
    after: Short | None = None
    """The id to go on after; newest first, without `sort`."""
    type: FileType | None = None
    sort: Annotated[str, Meta(pattern=f"^-?({'|'.join(SORTS)})$")] | None = None
    """`queue` (as they will run), `name`, `size`, `progress`, `left` or `added`; with a `-` the other way round."""
    offset: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    """The place of the first row; with `sort`."""
    folded: bool = False
    """Give each batch of several downloads a row of its own before them, its head; with `sort`."""
    opened: Annotated[str, Meta(max_length=2000)] = ""
    """Ids of batches whose rows follow their head, with commas; with `folded`."""
    closed: Annotated[str, Meta(max_length=2000)] = ""
    """Ids of batches that are their head alone. Of others, long finished ones are."""


class DownloadPage(Struct, frozen=True, omit_defaults=True):
    downloads: tuple[Download, ...]
    next: str | None
    """The id to go on after; with `sort` there is none."""
    total: int | None = None
    """Rows of the whole list; with `sort`."""
    count: int | None = None
    """Downloads of the whole list, also those under closed heads; with `sort`."""
    heads: tuple[BatchHead, ...] = ()
    """The heads among these rows, and one before them whose rows they are; with `folded`. The downloads fill
    the places between."""
    again: float | None = None
    """Seconds after which to ask again: something has changed that is not in this answer yet."""


class Counts(Struct, frozen=True):
    states: dict[str, int]
    types: dict[str, int]


class ManyActions(Body, frozen=True):
    """The same for many downloads at once."""

    ids: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=20_000)]
    action: Literal[
        "pause", "resume", "cancel", "retry", "remove", "top", "up", "down", "bottom", "before"
    ]
    before: Short | None = None
    """The waiting download that `before` moves them in front of."""


class ActionResult(Struct, frozen=True, omit_defaults=True):
    id: str
    error: Fault | None = None


class ActionResults(Struct, frozen=True):
    results: tuple[ActionResult, ...]


class Showing(Body, frozen=True):
    what: Literal["file", "folder"] = "file"


class FolderWish(Body, frozen=True):
    folder: Annotated[str, Meta(min_length=1, max_length=4096)]
    """Absolute, or inside the downloads folder."""


class Folder(Body, frozen=True):
    folder: Literal["downloads", "drop", "library"]


class SessionStart(Body, frozen=True):
    on: bool
    """Whether the session starts trayagent."""


class PageAddress(Body, frozen=True):
    url: Annotated[str, Meta(min_length=1, max_length=65536)]


class FilePart(Struct, frozen=True):
    start: int
    at: int
    """The first byte that is not here."""
    busy: bool = False
    """Whether a connection is at work there."""


class FileParts(Struct, frozen=True):
    parts: tuple[FilePart, ...]
    size: int | None


class RemoveQuery(Body, frozen=True):
    files: bool = False
    """Also put the file into the trash."""


class Pause(Body, frozen=True):
    minutes: Annotated[float, Meta(ge=1, le=525600)] | None = None
    """At most a year; None: until resumed."""


class Clear(Body, frozen=True):
    failed: bool = False
    """Those that failed, instead of those that are completed or cancelled."""


class Removed(Struct, frozen=True):
    removed: int


class Health(Struct, frozen=True):
    app: Literal["trayagent"] = "trayagent"
    api: Literal[1] = 1


class PageQuery(Body, frozen=True):
    limit: Limit = 50
    after: Short | None = None


class BatchPage(Struct, frozen=True):
    batches: tuple[Batch, ...]
    next: str | None


class EntriesQuery(Body, frozen=True):
    limit: Limit = 1000
    # JavaScript's numbers are exact up to 2**53.
    after: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    """The line to go on after."""


class BatchReport(Batch, frozen=True):
    """A batch with a page of its report."""

    lines: tuple[Entry, ...] = ()
    files: tuple[str, ...] = ()
    """Where the files of these lines are."""
    report: str | None = None
    """The report beside a list that is filed."""
    next: int | None = None
    """The line to go on after; None: these were the last."""


class Engines(Struct, frozen=True):
    engines: tuple[EngineInfo, ...]


class Sources(Struct, frozen=True):
    sources: tuple[SourceInfo, ...]


class ItemsQuery(Body, frozen=True):
    state: Literal["missing", "present", "gone", "failed", "ignored"] | None = None
    limit: Limit = 100
    after: Annotated[str, Meta(max_length=2048)] | None = None
    new: bool = False
    """Only what arrived since the last sync began."""


class ItemPage(Struct, frozen=True):
    items: tuple[LibraryItem, ...]
    next: str | None


class SyncWish(Body, frozen=True):
    list_only: bool = False


class Run(Struct, frozen=True):
    run: str


class Fetch(Body, frozen=True):
    names: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=10000)]
    folder: Annotated[str, Meta(max_length=1024)] | None = None
    """Relative to the source's folder."""


class Fetching(Struct, frozen=True):
    batch: str | None
    unknown: tuple[str, ...]


class FolderStart(Body, frozen=True):
    start: Annotated[str, Meta(max_length=4096)] = ""
    """What is chosen so far; a relative one is inside the downloads folder."""


class ChosenFolder(Struct, frozen=True):
    folder: str | None
    """None: the person chose none."""


class WhenDoneWish(Body, frozen=True):
    plan: Plan


class SpeedWish(Body, frozen=True):
    mode: SpeedMode


class ItemNames(Body, frozen=True):
    names: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=1000)]


class Trashed(Struct, frozen=True):
    trashed: int


class ChangedSource(Body, frozen=True):
    """Keys of the source's table in the settings; null takes one out."""

    changes: dict[str, Any]


class ExampleWish(Body, frozen=True):
    """A json source as far as it is known, to see what its address answers."""

    source: dict[str, Any]
    secret: Annotated[str, Meta(max_length=131072)] = ""

    def __repr__(self) -> str:
        return f"<ExampleWish {self.source.get('name')}>"


class Example(Struct, frozen=True):
    """The answer, its lists and texts cut short; or why there is none."""

    answer: Any = None
    error: dict[str, str] | None = None


class NewSource(Body, frozen=True):
    source: dict[str, Any]
    """As in the settings."""
    secret: Annotated[str, Meta(max_length=131072)] = ""
    save: bool = False

    # Made by hand, as for `Secret`: a repr may end up in a log.
    def __repr__(self) -> str:
        return f"<NewSource {self.source.get('name')}>"


class Trial(Struct, frozen=True):
    """What a source answered when it was tried."""

    account: str | None
    items: tuple[LibraryItem, ...]
    error: dict[str, str] | None = None


class Secret(Body, frozen=True):
    secret: Annotated[str, Meta(min_length=1, max_length=131072)]

    def __repr__(self) -> str:
        return "<Secret>"


class Extension(Struct, frozen=True):
    """Where the browser extension lies."""

    folder: str
    chromium: str
    """The folder for “Load unpacked”."""
    zip: str
    xpi: str
    version: str


class HandedCookie(Body, frozen=True):
    """A cookie as browsers tell it; a domain with a leading dot: subdomains, too."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    value: Annotated[str, Meta(max_length=16384)]
    domain: Annotated[str, Meta(min_length=1, max_length=255)]

    def __repr__(self) -> str:
        return f"<HandedCookie {self.name}>"


class HandedOver(Body, frozen=True):
    """The cookies of one source's site."""

    cookies: Annotated[tuple[HandedCookie, ...], Meta(min_length=1, max_length=64)]


class SignIn(Struct, frozen=True):
    """A source that a browser can sign in."""

    source: str
    site: str
    cookies: tuple[str, ...]
    """Names; a long cookie may come in parts, `name.0` and so on."""
    signed_in: bool


class SignIns(Struct, frozen=True):
    sign_ins: tuple[SignIn, ...]


class VerifyWish(Body, frozen=True):
    repair: bool = False


class Confirm(Body, frozen=True):
    """What the confirm page sends when its button is pressed."""

    url: Annotated[str, Meta(min_length=1, max_length=65536)]
    nonce: Annotated[str, Meta(max_length=200)] = ""
    title: Annotated[str, Meta(max_length=65536)] = ""


class Pairing(Body, frozen=True):
    # No code is a wrong code: it is told the same, and counted among the wrong ones.
    code: Short = ""
    name: Annotated[str, Meta(max_length=200)] = ""


class Hello(Body, frozen=True):
    client: Short
    nonce: Annotated[str, Meta(min_length=8, max_length=256)]


class Proof(Struct, frozen=True):
    proof: str
    """HMAC-SHA256 of `127.0.0.1:<port>`, a line feed and the nonce, with the client's token as the key,
    all as UTF-8; lower-case hex. The port is the one that we listen on."""


class CodeWish(Body, frozen=True):
    file: bool = False
    """Also make a file that leads there, for a browser that is started with it."""
    view: Short = ""
    """What the dashboard shows first."""


class NewConnection(Body, frozen=True):
    kind: ForeignKind
    name: Annotated[str, Meta(max_length=60)] = ""
    """Your word for the program; each name has a secret of its own."""


class SessionCode(Body, frozen=True):
    code: Short = ""


class Session(Struct, frozen=True):
    token: str


class ClientList(Struct, frozen=True):
    clients: tuple[Client, ...]


class Done(Struct, frozen=True):
    done: bool = True


class Fault(Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    action: str = ""


class ErrorBody(Struct, frozen=True):
    error: Fault
