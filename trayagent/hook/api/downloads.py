"""Downloads: add, look, change, remove. An extension sees and changes only what it sent itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import msgspec
from msgspec.structs import replace

from trayagent.agent.intake import candidate_of, title_of, without_password
from trayagent.agent.listings import Wanted
from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply, SchemaError, decode, decode_loosely
from trayagent.hook.routing import Handler, Routes
from trayagent.model import lenient_json
from trayagent.model.downloads import Download, Item, Patch, Receipt, Rejected, State
from trayagent.model.errors import DownloadError, NotFoundError, StoreUnavailableError
from trayagent.store import batches
from trayagent.store.admission import Candidate, Entered
from trayagent.store.folding import ByHand
from trayagent.store.listing import Chosen, Sort

MOST_ITEMS: Final = 15_000
"""A body of the largest size holds fewer items: a longer list is no list of items at all."""

routes = Routes()


def _declare_command(name: str) -> Callable[[Handler], Handler]:
    """Declare a route that does one thing to one download, and answers it as it is afterwards."""
    # A body says nothing here, but a program may send `{}`: what has keys in it was meant for
    # another route.
    return routes.add(
        "POST",
        f"/api/v1/downloads/{{id}}/{name}",
        who="caller",
        body=schemas.Empty,
        is_body_optional=True,
        answers={200: Download},
    )


@routes.add(
    "POST",
    "/api/v1/downloads",
    who="caller",
    body=Item | schemas.Several,
    answers={202: Receipt, 200: Receipt, 422: Receipt},
)
async def add_downloads(request: HookRequest) -> Reply:
    """Add one item, or several as a batch.

    Answered after the rows are on the disk. Each item is judged for itself, so that a bad one does
    not block the others.
    """
    # 1. One item: it enters or is refused as a whole.
    # 2. Several, all well formed: decoded at once, which is quick.
    # 3. Several, some of them malformed: each is decoded for itself, and the bad ones are in the
    #    receipt's `rejected`, where a bad URL would be, too.
    # 4. Something else: the error says what.
    shape = decode_loosely(request.body, dict[str, msgspec.Raw])
    candidates: Sequence[Candidate]
    title = None
    if "items" not in shape:
        candidates = (candidate_of(0, decode(request.body, Item)),)
    else:
        try:
            items = decode(request.body, schemas.Several).items
            candidates = [candidate_of(index, item) for index, item in enumerate(items)]
        except SchemaError:
            candidates = _check_singly(request.body, shape)
            if not candidates:
                raise
        title = title_of(candidates)
    entered = await request.agent.intake.enter(
        candidates, via=request.via, title=title, key=request.idempotency_key()
    )
    return _reply_with_receipt(request, entered)


@routes.add(
    "GET",
    "/api/v1/downloads",
    who="caller",
    query=schemas.DownloadsQuery,
    answers={200: schemas.DownloadPage},
)
async def list_downloads(request: HookRequest) -> Reply:
    """List downloads, newest first; with `sort`, a window of the sorted list.

    A sorted list is meant to be scrolled: `offset` is a place in it, `total` how long it is.
    """
    query = request.query(schemas.DownloadsQuery)
    states = tuple(filter(None, (query.state or "").split(",")))
    known = {str(state) for state in State}
    if not known.issuperset(states):
        raise SchemaError("bad_query", f"`state` is one of: {', '.join(sorted(known))}.")
    if request.is_from_extension:
        return Reply(200, await _own_downloads(request, query, states))
    # Two ways through the list: by `after`, which no new download upsets, for programs; and by
    # `offset` of a sorted list, for a person who scrolls.
    if query.sort is not None:
        chosen = Chosen(states, query.type, query.batch, query.q)
        sort = cast(Sort, query.sort.removeprefix("-"))
        folds = ByHand(_batches_in(query.opened), _batches_in(query.closed))
        wanted = Wanted(
            chosen, sort, down=query.sort.startswith("-"), folds=folds if query.folded else None
        )
        window = await request.agent.listings.window(wanted, query.offset, query.limit)
        page = schemas.DownloadPage(
            tuple(window.downloads),
            None,
            window.total,
            window.count,
            tuple(window.heads),
            window.again,
        )
        return Reply(200, page)
    found, more = await request.agent.queries.downloads(
        states=states, batch=query.batch, q=query.q, limit=query.limit, after=query.after
    )
    return Reply(200, schemas.DownloadPage(tuple(found), more))


@routes.add("GET", "/api/v1/downloads/{id}", who="caller", answers={200: Download})
async def get_download(request: HookRequest) -> Reply:
    """One download."""
    await _check_own(request)
    return Reply(200, await request.agent.queries.download(request.params["id"]))


@routes.add(
    "DELETE",
    "/api/v1/downloads/{id}",
    who="caller",
    query=schemas.RemoveQuery,
    answers={200: Download},
)
async def remove_download(request: HookRequest) -> Reply:
    """Forget a download; its file stays, or goes to the trash."""
    files = request.query(schemas.RemoveQuery).files
    await _check_own(request)
    # Forgetting can be repaired by sending again; a file in the trash may be one that was there before.
    if files and request.is_from_extension:
        error = schemas.Fault("owner_only", "Only this computer's own programs may delete files.")
        return Reply(403, schemas.ErrorBody(error))
    return Reply(200, await request.agent.queue.remove(request.params["id"], files=files))


@routes.add("PATCH", "/api/v1/downloads/{id}", who="caller", body=Patch, answers={200: Download})
async def change_download(request: HookRequest) -> Reply:
    """A fresh link or other words for the same file; kept bytes are kept."""
    await _check_own(request)
    patch = request.json(Patch)
    if patch == Patch():
        raise SchemaError("bad_request", "Object names nothing to change.")
    download = await request.agent.queue.change(request.params["id"], patch)
    return Reply(200, request.agent.queries.live(download))


@_declare_command("pause")
async def pause_download(request: HookRequest) -> Reply:
    """Pause a download."""
    return await _command(request, request.agent.queue.pause)


@_declare_command("resume")
async def resume_download(request: HookRequest) -> Reply:
    """Resume a download."""
    return await _command(request, request.agent.queue.resume)


@_declare_command("cancel")
async def cancel_download(request: HookRequest) -> Reply:
    """Cancel a download."""
    return await _command(request, request.agent.queue.cancel)


@_declare_command("retry")
async def retry_download(request: HookRequest) -> Reply:
    """Retry a download."""
    return await _command(request, request.agent.queue.retry)


@routes.add(
    "POST",
    "/api/v1/confirm",
    who="page",
    body=schemas.Confirm,
    answers={202: Receipt, 422: Receipt},
)
async def confirm_download(request: HookRequest) -> Reply:
    """The confirm page's button.

    A link on any site can open the confirm page; only the nonce shows that its button was pressed.
    """
    body = request.json(schemas.Confirm)
    nonces = request.context.nonces
    # Spent before anything is done: two clicks, or two tabs, are one download.
    if not nonces.spend(body.nonce):
        error = schemas.Fault(
            "bad_nonce", "This page is too old, or was used already.", "Send the video again."
        )
        return Reply(403, schemas.ErrorBody(error))
    item = Item(body.url, title=body.title[:1024] or None)
    try:
        entered = await request.agent.intake.add([item], via="page")
    except StoreUnavailableError:
        nonces.give_back(body.nonce)
        raise
    return _reply_with_receipt(request, entered)


def _batches_in(ids: str) -> frozenset[int]:
    """The numbers of batches named with commas. Raises NotFoundError for what cannot be one."""
    return frozenset(batches.number(id) for id in ids.split(",") if id)


def _reply_with_receipt(request: HookRequest, entered: Entered) -> Reply:
    """422: nothing was accepted; 200: this key had its answer before; 202: new or on its way."""
    if not entered.receipt.downloads:
        return Reply(422, entered.receipt)
    downloads = tuple(map(request.agent.queries.live, entered.receipt.downloads))
    receipt = replace(entered.receipt, downloads=downloads)
    return Reply(200 if entered.repeated else 202, receipt)


async def _command(request: HookRequest, command: Callable[[str], Awaitable[Download]]) -> Reply:
    request.json(schemas.Empty)
    await _check_own(request)
    return Reply(200, request.agent.queries.live(await command(request.params["id"])))


async def _check_own(request: HookRequest) -> None:
    """Raise NotFoundError for an extension that did not send this download, as if there were none."""
    if not request.is_from_extension:
        return
    assert request.caller is not None
    id = request.params["id"]
    if id not in await request.agent.queries.ids_sent_by(request.caller.id):
        raise NotFoundError("not_found", f"There is no download {id[:40]}.")


async def _own_downloads(
    request: HookRequest, query: schemas.DownloadsQuery, states: Sequence[str]
) -> schemas.DownloadPage:
    """The downloads that an extension sent in the last day; the history is the owner's."""
    assert request.caller is not None
    # A day has few of them: they are looked up one by one, from the place to go on after.
    ids = await request.agent.queries.ids_sent_by(request.caller.id)
    if query.after in ids:
        ids = ids[ids.index(query.after) + 1 :]
    found: list[Download] = []
    for id in ids:
        with suppress(NotFoundError):  # removed since
            download = await request.agent.queries.download(id)
            if (not states or download.state in states) and query.batch in (None, download.batch):
                found.append(download)
        if len(found) == query.limit:
            return schemas.DownloadPage(tuple(found), id if id != ids[-1] else None)
    return schemas.DownloadPage(tuple(found), None)


def _check_singly(body: bytes, shape: Mapping[str, msgspec.Raw]) -> list[Candidate]:
    """Each item decoded for itself; empty where the items are not all that is wrong.

    That is: other keys beside `items`, more elements than a body can hold items, or a key given twice
    around the list.
    """
    elements = decode_loosely(shape["items"], list[msgspec.Raw])
    around = body.replace(bytes(shape["items"]), b"[]")
    if (
        len(shape) > 1
        or len(elements) > MOST_ITEMS
        or lenient_json.repeated_key(around) is not None
    ):
        return []
    candidates: list[Candidate] = []
    for index, element in enumerate(elements):
        try:
            candidates.append(candidate_of(index, decode(element, Item)))
        except SchemaError as error:
            loose = decode_loosely(element, Any)
            url = loose.get("url") if isinstance(loose, dict) else None
            shown = without_password(url) if isinstance(url, str) else ""
            code, message = "bad_item", error.message
            if "`$.url`" in message:  # msgspec names the place: a URL that is too long, or no text
                code, message = "bad_url", DownloadError("bad_url").message
            candidates.append(Rejected(index, shown, code, message))
    return candidates
