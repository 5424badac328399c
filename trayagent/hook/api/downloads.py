"""Downloads: add, look, change, remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from trayagent.agent.intake import Candidate, Entered, check, shown
from trayagent.hook import words
from trayagent.hook.call import Call, Reply, SchemaError, decode, decode_loosely
from trayagent.hook.routes import Route
from trayagent.model import foreign_json
from trayagent.model.download import Download, Item, Patch, Receipt, Rejected, State
from trayagent.model.errors import DownloadError, NotFoundError, StoreUnavailableError

_PATH: Final = "/api/v1/downloads"
MOST: Final = 15_000
"""More than fit into a body if each is one: then it is no list of items at all."""
_VERBS: Final = ("pause", "resume", "cancel", "retry")


async def add(call: Call) -> Reply:
    """One item, or several as a batch; answered only after the rows are on the disk."""
    wanted, title = _asked(call.body)
    entered = await call.agent.intake.enter(wanted, via=call.via, title=title, key=call.idempotency)
    return received(call, entered)


def received(call: Call, entered: Entered) -> Reply:
    """202 for what is new or on its way, 200 for an answer given before, 422 for nothing accepted."""
    if not entered.receipt.downloads:
        return Reply(422, entered.receipt)
    downloads = tuple(map(call.agent.queries.live, entered.receipt.downloads))
    receipt = replace(entered.receipt, downloads=downloads)
    return Reply(200 if entered.repeated else 202, receipt)


async def confirm(call: Call) -> Reply:
    """The button of our own confirm page: the URL is the user's own word."""
    asked = call.json(words.Confirm)
    if not call.house.nonces.spend(asked.nonce):
        return Reply(403, _SPENT)
    item = Item(asked.url, title=asked.title[:1024] or None)
    try:
        entered = await call.agent.intake.add([item], via="page")
    except StoreUnavailableError:
        call.house.nonces.give_back(asked.nonce)
        raise
    return received(call, entered)


async def listing(call: Call) -> Reply:
    """A page of downloads, newest first."""
    asked = call.query(words.DownloadsQuery)
    if call.is_extension:
        return Reply(200, await _own_page(call, asked))
    page, more = await call.agent.queries.downloads(
        states=_states(asked.state),
        batch=asked.batch,
        q=asked.q,
        limit=asked.limit,
        after=asked.after,
    )
    return Reply(200, words.DownloadPage(tuple(page), more))


async def one(call: Call) -> Reply:
    """One download."""
    await _check_own(call)
    return Reply(200, await call.agent.queries.download(call.params["id"]))


async def remove(call: Call) -> Reply:
    """Forget it; with `files` the file goes to the trash."""
    asked = call.query(words.RemoveQuery)
    await _check_own(call)
    if asked.files and call.is_extension:
        return Reply(403, _FILES_STAY)
    return Reply(200, await call.agent.queue.remove(call.params["id"], files=asked.files))


async def change(call: Call) -> Reply:
    """A fresh link, other cookies, another name… for the same file."""
    await _check_own(call)
    patch = call.json(Patch)
    if patch == Patch():
        raise SchemaError("bad_request", "Object names nothing to change.")
    download = await call.agent.queue.change(call.params["id"], patch)
    return Reply(200, call.agent.queries.live(download))


async def ask(call: Call) -> Reply:
    """Pause, resume, cancel or retry one download."""
    decode(call.body or b"{}", words.Empty)
    await _check_own(call)
    verb = call.route.pattern.rpartition("/")[2]
    queue = call.agent.queue
    verbs = {
        "pause": queue.pause,
        "resume": queue.resume,
        "cancel": queue.cancel,
        "retry": queue.retry,
    }
    return Reply(200, call.agent.queries.live(await verbs[verb](call.params["id"])))


async def _check_own(call: Call) -> None:
    """Raise NotFoundError for an extension that did not send this download, as if there were none."""
    if not call.is_extension:
        return
    assert call.caller is not None
    id = call.params["id"]
    if id not in await call.agent.queries.ids_sent_by(call.caller.id):
        raise NotFoundError("not_found", f"There is no download {id[:40]}.")


async def _own_page(call: Call, asked: words.DownloadsQuery) -> words.DownloadPage:
    """What an extension sent itself in the last day; the history is the owner's."""
    assert call.caller is not None
    ids = await call.agent.queries.ids_sent_by(call.caller.id)
    if asked.after in ids:
        ids = ids[ids.index(asked.after) + 1 :]
    states, found = _states(asked.state), list[Download]()
    for id in ids:
        with suppress(NotFoundError):  # removed since
            download = await call.agent.queries.download(id)
            if (not states or download.state in states) and asked.batch in (None, download.batch):
                found.append(download)
        if len(found) == asked.limit:
            return words.DownloadPage(tuple(found), id if id != ids[-1] else None)
    return words.DownloadPage(tuple(found), None)


def _asked(body: bytes) -> tuple[Sequence[Candidate], str | None]:
    shape = decode_loosely(body, dict[str, msgspec.Raw])
    if "items" not in shape:
        return (check(0, decode(body, Item)),), None
    try:
        items = decode(body, words.Several).items
        wanted = [check(index, item) for index, item in enumerate(items)]
    except SchemaError:
        wanted = _one_by_one(body, shape)
        if not wanted:
            raise
    return wanted, "1 download" if len(wanted) == 1 else f"{len(wanted)} downloads"


def _one_by_one(body: bytes, shape: Mapping[str, msgspec.Raw]) -> list[Candidate]:
    """Each item for itself, so that none blocks another; nothing where it is not the items that are wrong."""
    elements = decode_loosely(shape["items"], list[msgspec.Raw])
    around = body.replace(bytes(shape["items"]), b"[]")
    if len(shape) > 1 or len(elements) > MOST or foreign_json.repeated_key(around) is not None:
        return []
    return [_candidate(index, element) for index, element in enumerate(elements)]


def _candidate(index: int, element: msgspec.Raw) -> Candidate:
    try:
        return check(index, decode(element, Item))
    except SchemaError as error:
        said = decode_loosely(element, Any)
        url = said.get("url") if isinstance(said, dict) else None
        code, message = "bad_item", error.message
        if "`$.url`" in message:
            code, message = "bad_url", DownloadError("bad_url").message
        return Rejected(index, shown(url) if isinstance(url, str) else "", code, message)


def _states(text: str | None) -> tuple[str, ...]:
    states = tuple(filter(None, (text or "").split(",")))
    known = {str(state) for state in State}
    if not known.issuperset(states):
        raise SchemaError("bad_query", f"`state` is one of: {', '.join(sorted(known))}.")
    return states


_SPENT: Final = words.ErrorBody(
    words.Fault("bad_nonce", "This page is too old, or was used already.", "Send the video again.")
)

_FILES_STAY: Final = words.ErrorBody(
    words.Fault("owner_only", "Only this computer's own programs may delete files.")
)

ROUTES: Final = (
    Route(
        "POST",
        _PATH,
        add,
        "caller",
        "Add one item, or several as a batch.",
        takes=Item | words.Several,
        gives={202: Receipt, 200: Receipt, 422: Receipt},
    ),
    Route(
        "GET",
        _PATH,
        listing,
        "caller",
        "List downloads, newest first.",
        query=words.DownloadsQuery,
        gives={200: words.DownloadPage},
    ),
    Route("GET", f"{_PATH}/{{id}}", one, "caller", "One download.", gives={200: Download}),
    Route(
        "DELETE",
        f"{_PATH}/{{id}}",
        remove,
        "caller",
        "Forget a download; its file stays, or goes to the trash.",
        query=words.RemoveQuery,
        gives={200: Download},
    ),
    Route(
        "PATCH",
        f"{_PATH}/{{id}}",
        change,
        "caller",
        "A fresh link or other words for the same file; kept bytes are kept.",
        takes=Patch,
        gives={200: Download},
    ),
    *(
        Route(
            "POST",
            f"{_PATH}/{{id}}/{verb}",
            ask,
            "caller",
            f"{verb.capitalize()} a download.",
            takes=words.Empty,
            bare=True,
            gives={200: Download},
        )
        for verb in _VERBS
    ),
    Route(
        "POST",
        "/api/v1/confirm",
        confirm,
        "page",
        "The confirm page's button.",
        takes=words.Confirm,
        gives={202: Receipt, 422: Receipt},
    ),
)
