"""`/metube/<secret>/`: what MeTube's browser extensions, apps and bots ask of it.

Most of them have a place for an address and none for a token, so the secret is a part of the address. Both
forms of a request are read, the one before and the one since `download_type`; what they say
beside that is ignored, as MeTube itself does.

Source: MeTube, app/main.py, and its clients; every answer is JSON that is called plain text.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from trayagent.hook.foreign.methods import prepare
from trayagent.hook.foreign.rpc import WRONG_TOKEN_SECONDS
from trayagent.hook.foreign.values import TaskView
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.downloads import Item, State
from trayagent.model.errors import NotFoundError, WrongStateError
from trayagent.store.tasks import Task

MOST_ROWS: Final = 1000
"""Downloads that `history` tells of each sort."""
_AUDIO: Final = frozenset({"mp3", "m4a", "opus", "wav", "flac"})
_HEIGHT: Final = re.compile(r"(\d{3,4})p?")
_STATUS: Final[Mapping[str, str]] = {
    State.QUEUED: "pending",
    State.PAUSED: "pending",
    State.ACTIVE: "downloading",
    State.COMPLETED: "finished",
    State.FAILED: "error",
}
"""Our state -> MeTube's, which forgets what was given up."""

routes = Routes()


@routes.add("POST", "/metube/{secret}/add", who="foreign")
async def add(request: HookRequest) -> Reply:
    """Queue a video, as MeTube's clients ask for it."""
    await _check_secret(request)
    try:
        asked = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refuse("the body is no JSON")
    url = asked.get("url") if isinstance(asked, dict) else None
    if not isinstance(url, str) or not url.strip():
        return _refuse("there is no url")
    facts = request.facts
    is_from_page = facts.origin not in (None, facts.own_origin)
    try:
        # There and back: only a conversion checks the bounds of an item's texts.
        item = msgspec.convert(msgspec.to_builtins(item_of(asked)), Item)
    except msgspec.ValidationError:
        return _refuse("a value is too long")
    candidate = prepare(item, is_from_page=is_from_page)
    receipt = (await request.agent.intake.enter([candidate], via="metube")).receipt
    if receipt.rejected:
        return _tell({"status": "error", "msg": receipt.rejected[0].message})
    if receipt.downloads[0].duplicate_of is not None:
        return _tell({"status": "ok", "msg": "It was downloaded already."})
    return _tell({"status": "ok"})


@routes.add("GET", "/metube/{secret}/history", who="foreign")
async def get_history(request: HookRequest) -> Reply:
    """What is done, what is on its way, and what waits for a start."""
    await _check_secret(request)
    queries = request.agent.queries
    done = await queries.stopped_tasks(0, MOST_ROWS)
    on_the_way = [*await queries.active_tasks(), *await queries.waiting_tasks(0, MOST_ROWS)]
    return _tell(
        {
            "done": [_entry(request, each) for each in done if each.state in _STATUS],
            "queue": [_entry(request, each) for each in on_the_way if each.state != State.PAUSED],
            "pending": [_entry(request, each) for each in on_the_way if each.state == State.PAUSED],
        }
    )


@routes.add("POST", "/metube/{secret}/start", who="foreign")
async def start(request: HookRequest) -> Reply:
    """Let downloads go on that were added with `auto_start: false`, or paused."""
    await _check_secret(request)
    asked = _read_ids(request.body)
    if asked is None:
        return _refuse("ids must be addresses")
    for task in await request.agent.queries.waiting_tasks(0, MOST_ROWS):
        if task.url in asked.ids and task.state == State.PAUSED:
            with suppress(WrongStateError, NotFoundError):  # another was quicker
                await request.agent.queue.resume(task.id)
    return _tell({"status": "ok"})


@routes.add("POST", "/metube/{secret}/delete", who="foreign")
async def delete(request: HookRequest) -> Reply:
    """Give up what is on its way (`where: queue`), or forget what has ended (`done`); files stay."""
    await _check_secret(request)
    asked = _read_ids(request.body)
    if asked is None or asked.where not in ("queue", "done"):
        return _refuse("where must be queue or done, and ids addresses")
    queries, queue = request.agent.queries, request.agent.queue
    has_ended = asked.where == "done"
    if has_ended:
        tasks = await queries.stopped_tasks(0, MOST_ROWS)
    else:
        tasks = [*await queries.active_tasks(), *await queries.waiting_tasks(0, MOST_ROWS)]
    for task in tasks:
        if task.url in asked.ids:
            with suppress(WrongStateError, NotFoundError):  # another was quicker
                await (queue.remove(task.id) if has_ended else queue.cancel(task.id))
    return _tell({"status": "ok"})


@routes.add("GET", "/metube/{secret}/version", who="foreign")
async def get_version(request: HookRequest) -> Reply:
    """The versions of yt-dlp and of ours."""
    await _check_secret(request)
    page_engine = ""
    from importlib import metadata  # a megabyte that few will ever need

    with suppress(metadata.PackageNotFoundError):
        page_engine = await asyncio.to_thread(metadata.version, "yt-dlp")
    return _tell({"yt-dlp": page_engine, "version": request.agent.version})


def item_of(asked: Mapping[str, Any]) -> Item:
    """The item that a request means."""
    # 1. The sound alone, in the words of either form.
    # 2. A height, `1080` or `1080p`.
    # 3. The worst there is.
    # 4. Whatever else is said: the best. A client that asks in vain would not ask otherwise.
    quality = str(asked.get("quality") or "best").lower()
    wants_audio = asked.get("download_type") == "audio" or str(asked.get("format")) in _AUDIO
    if wants_audio or quality == "audio":
        quality = "audio"
    elif (height := _HEIGHT.fullmatch(quality)) is not None:
        quality = height[1]
    elif quality != "worst":
        quality = "best"
    folder = asked.get("folder")
    return Item(
        asked["url"].strip(),
        folder=folder if isinstance(folder, str) and folder else None,
        quality=quality,
        paused=asked.get("auto_start") is False,
    )


class _Named(msgspec.Struct, frozen=True):
    """Downloads as MeTube's clients name them: an id is an address."""

    ids: frozenset[str]
    where: str = ""


def _read_ids(body: bytes) -> _Named | None:
    try:
        return msgspec.json.decode(body, type=_Named)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _entry(request: HookRequest, task: Task) -> dict[str, Any]:
    live = request.agent.queries.running().get(task.id) if task.state == State.ACTIVE else None
    view = TaskView(task, live, request.agent.live_settings.config.downloads.folder)
    name = re.split(r"[/\\]", view.file)[-1]
    left = (view.size - view.received) / view.speed if view.size and view.speed else None
    return {
        # Some keys mean nothing here; they are there all the same, for clients that rely on them.
        "id": task.url,  # MeTube's clients know a download by its address
        "title": name or task.url,
        "url": task.url,
        "quality": view.order.quality or "best",
        "download_type": "audio" if view.order.quality == "audio" else "video",
        "codec": "auto",
        "format": "any",
        "folder": view.order.folder or "",
        "custom_name_prefix": "",
        "msg": task.message,
        "percent": 100 * view.received / view.size if view.size else None,
        "speed": view.speed or None,
        "eta": left,
        "status": _STATUS[task.state],
        "size": view.size or None,
        "error": task.message,
        "filename": name or None,
    }


async def _check_secret(request: HookRequest) -> None:
    """Raise NotFoundError, after a delay, for a secret that is nobody's."""
    clients = request.agent.clients
    caller = clients.recognise_foreign("metube", request.params["secret"])
    # Counted and slowed down like a wrong token: this secret is all that keeps strangers out.
    if caller is None:
        clients.guesses.note_wrong()
        await asyncio.sleep(WRONG_TOKEN_SECONDS)
        raise NotFoundError("not_found", "There is nothing at this address.")
    await request.context.note_seen(caller)


def _tell(content: Any) -> Reply:
    return Reply(200, msgspec.json.encode(content), "text/plain; charset=utf-8")


def _refuse(reason: str) -> Reply:
    return Reply(400, f"400: {reason}".encode(), "text/plain; charset=utf-8")
