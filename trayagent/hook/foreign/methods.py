"""The methods of aria2 by name, each over the same parts of the agent that the dashboard uses.

Source: aria2 manual, "Methods". What differs on purpose stands in docs/clients.md: one address is on its
way once, no file is replaced, everything stays in our folder, and nobody ends us from here.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from msgspec.structs import replace

from trayagent.agent.intake import candidate_of
from trayagent.hook.foreign import options
from trayagent.hook.foreign.rpc import CALLS_PER_TURN, Call, Method, RpcError
from trayagent.hook.foreign.values import TaskView, describe, files_of, servers_of, uris_of
from trayagent.lists import START
from trayagent.model.downloads import SETTLED, Download, Item, Patch, State, Via
from trayagent.model.errors import NotFoundError, WrongStateError
from trayagent.model.jobs import New
from trayagent.store.admission import Candidate
from trayagent.store.tasks import Task, may_choose

VERSION: Final = "1.37.0"
"""The aria2 that we speak like; clients ask for 1.36 at least."""
MOST_FILES: Final = 1000
"""Files of one Metalink."""
AT_ONCE: Final = 100
"""Downloads that are paused or resumed side by side: their rows share a write to the disk."""
_WAITING: Final = (State.QUEUED, State.PAUSED)

METHODS: Final[dict[str, Method]] = {}
"""Filled by `method` below, in the order in which aria2 lists them."""
NOTIFICATIONS: Final = {
    "started": "aria2.onDownloadStart",
    "paused": "aria2.onDownloadPause",
    "cancelled": "aria2.onDownloadStop",
    "completed": "aria2.onDownloadComplete",
    "failed": "aria2.onDownloadError",
}
"""What of our events is told, and how; `aria2.onBtDownloadComplete` never comes."""


def method(*names: str, room: str = "aria2") -> Callable[[Method], Method]:
    """Declare the method below under these names."""

    def declare(handler: Method) -> Method:
        METHODS.update(dict.fromkeys((f"{room}.{name}" for name in names), handler))
        return handler

    return declare


# -- adding


@method("addUri")
async def add_uri(call: Call) -> str:
    """Queue one file, of which several addresses may be given; answers with its gid."""
    uris = [uri.strip() for uri in call.texts(0) if uri.strip()]
    if not uris:
        raise RpcError("URI is not provided.")
    wish = options.read_wish(uris, call.options(1), call.agent.live_settings.config)
    position = call.number(2) if len(call.params) > 2 else None
    if position is not None and position < 0:
        raise RpcError("Position must be greater than or equal to 0.")
    # Judged before anything enters: a download under another gid would be there, and its client
    # would never find it.
    if wish.gid is not None:
        if not may_choose(wish.gid):
            raise RpcError(f"Invalid GID {wish.gid[:40]}")
        if await call.agent.queries.is_gid_taken(wish.gid):
            raise RpcError(f"GID {wish.gid} is in use already.")
    item = replace(wish.item, next=position == 0)
    candidate = prepare(item, is_from_page=call.session.is_from_browser)
    if isinstance(candidate, New):
        candidate = replace(candidate, gid=wish.gid, warning=wish.warning)
    task = (await _enter(call, [candidate]))[0]
    if position is not None and task.state in _WAITING:
        with suppress(WrongStateError):  # a slot was free, and took it
            await call.agent.queue.place(task.id, position, "POS_SET")
    return task.gid


@method("addTorrent")
async def add_torrent(call: Call) -> str:
    """Refuse a torrent."""
    call.text(0)
    raise RpcError("BitTorrent is not supported here.")


@method("getPeers")
async def get_peers(call: Call) -> list[Any]:
    """Nobody: that is BitTorrent's."""
    await call.agent.queries.task(call.text(0))
    return []


@method("addMetalink")
async def add_metalink(call: Call) -> list[str]:
    """Queue every file of a Metalink; answers with their gids."""
    from trayagent.lists import metalink  # with its parser for XML: few programs ever call this

    try:
        data = base64.b64decode(call.text(0), validate=False)
    except ValueError as error:  # no base64, or no ASCII at all
        raise RpcError("The parameter at 0 is no base64.") from error
    # Its options are the same for all files, so only their folder and pause make sense.
    wish = options.read_wish(
        ["http://unused.invalid/"], call.options(1), call.agent.live_settings.config
    )
    read = metalink.read
    entries = await asyncio.to_thread(
        lambda: list(islice(read(io.BytesIO(data), START), MOST_FILES))
    )
    items = [
        replace(
            entry.item,
            folder=entry.item.folder or wish.item.folder,
            paused=entry.item.paused or wish.item.paused,
        )
        for entry in entries
        if entry.item is not None
    ]
    if not items:
        raise RpcError("Could not parse Metalink XML document.")
    from_page = call.session.is_from_browser
    tasks = await _enter(call, [prepare(item, is_from_page=from_page) for item in items])
    return [task.gid for task in tasks]


def prepare(item: Item, *, is_from_page: bool) -> Candidate:
    """The item made ready. A page may stand behind what a browser sends: its host is the referer's."""
    candidate = candidate_of(0, replace(item, page_url=item.referer) if is_from_page else item)
    if is_from_page and isinstance(candidate, New):
        candidate = replace(candidate, order=replace(candidate.order, from_page=True))
    return candidate


async def _enter(call: Call, candidates: list[Candidate], via: Via = "aria2") -> list[Task]:
    """Queue what may enter. Raises RpcError when nothing may."""
    entered = await call.agent.intake.enter(candidates, via=via)
    if not entered.receipt.downloads:
        raise RpcError(entered.receipt.rejected[0].message)
    # Of an address that is on its way already, or here, this is the gid it has.
    return [await call.agent.queries.task_of(one.id) for one in entered.receipt.downloads]


# -- steering


@method("remove", "forceRemove")
async def remove(call: Call) -> str:
    """Give a download up: an active one is told as removed, one that waits is gone at once."""
    task = await call.agent.queries.task(call.text(0))
    if task.state in SETTLED:
        raise RpcError(f"Active Download not found for GID#{task.gid}")
    if task.state in _WAITING:
        await call.agent.queue.remove(task.id)
    else:
        await call.agent.queue.cancel(task.id)
    return task.gid


@method("pause", "forcePause")
async def pause(call: Call) -> str:
    """Pause one download. To pause what is paused is an error here, unlike for our own buttons."""
    task = await call.agent.queries.task(call.text(0))
    await _steer(task, (State.QUEUED, State.ACTIVE), call.agent.queue.pause, "paused")
    return task.gid


@method("pauseAll", "forcePauseAll")
async def pause_all(call: Call) -> str:
    """Pause each download; what is added later starts."""
    # Those that wait come first: else they would start in the slots of those that are stopped.
    for state in (State.QUEUED, State.ACTIVE, State.QUEUED):
        await _steer_all(await call.agent.queries.ids_in(state), call.agent.queue.pause)
    return "OK"


@method("unpause")
async def unpause(call: Call) -> str:
    """Let a paused download go on."""
    task = await call.agent.queries.task(call.text(0))
    await _steer(task, (State.PAUSED,), call.agent.queue.resume, "unpaused")
    return task.gid


@method("unpauseAll")
async def unpause_all(call: Call) -> str:
    """Let all that are paused go on."""
    await _steer_all(await call.agent.queries.ids_in(State.PAUSED), call.agent.queue.resume)
    return "OK"


async def _steer(
    task: Task,
    states: tuple[State, ...],
    command: Callable[[str], Awaitable[Download]],
    participle: str,
) -> None:
    cannot = RpcError(f"GID#{task.gid} cannot be {participle} now")
    if task.state not in states:
        raise cannot
    try:
        await command(task.id)
    except WrongStateError as error:  # it ended in this very moment
        raise cannot from error


async def _steer_all(ids: list[str], command: Callable[[str], Awaitable[Download]]) -> None:
    async def steer(id: str) -> None:
        # One that has just ended needs no steering, and keeps no other from it.
        with suppress(WrongStateError, NotFoundError):
            await command(id)

    for first in range(0, len(ids), AT_ONCE):
        async with asyncio.TaskGroup() as group:
            for id in ids[first : first + AT_ONCE]:
                group.create_task(steer(id), name=f"steer {id}")


@method("changePosition")
async def change_position(call: Call) -> int:
    """Move a waiting download in line; answers with its new place."""
    task = await call.agent.queries.task(call.text(0))
    position, origin = call.number(1), call.text(2)
    if origin not in ("POS_SET", "POS_CUR", "POS_END"):
        raise RpcError("Illegal argument.")
    if task.state not in _WAITING:
        raise RpcError(f"GID#{task.gid} not found in the waiting queue.")
    return await call.agent.queue.place(task.id, position, origin)


@method("changeUri")
async def change_uri(call: Call) -> list[int]:
    """Take addresses of a download away and add others; answers with how many of each."""
    task = await call.agent.queries.task(call.text(0))
    if call.number(1) != 1:  # of the file; there is only one
        raise RpcError("fileIndex is out of range")
    unwanted, wanted = call.texts(2), call.texts(3)
    addresses = _view(call, task).addresses
    kept = list(addresses)
    for address in unwanted:
        if address in kept:
            kept.remove(address)
    deleted = len(addresses) - len(kept)
    # First what goes, then what comes: the place counts in the list that is left (aria2 manual).
    place = call.number(4) if len(call.params) > 4 else len(kept)
    kept[max(0, place) : max(0, place)] = wanted
    if not kept:
        raise RpcError("A download needs an address.")
    await call.agent.queue.change(task.id, Patch(url=kept[0], mirrors=tuple(kept[1:])))
    return [deleted, len(wanted)]


# -- looking


@method("tellStatus")
async def tell_status(call: Call) -> dict[str, Any]:
    """One download."""
    task = await call.agent.queries.task(call.text(0))
    return describe(_view(call, task), call.keys(1))


@method("getUris")
async def get_uris(call: Call) -> list[dict[str, str]]:
    """The addresses of one download."""
    return uris_of(_view(call, await call.agent.queries.task(call.text(0))))


@method("getFiles")
async def get_files(call: Call) -> list[dict[str, Any]]:
    """The file of one download."""
    return files_of(_view(call, await call.agent.queries.task(call.text(0))))


@method("getServers")
async def get_servers(call: Call) -> list[dict[str, Any]]:
    """The server of an active download."""
    task = await call.agent.queries.task(call.text(0))
    if task.state != State.ACTIVE:
        raise RpcError(f"No active download for GID#{task.gid}")
    return servers_of(_view(call, task))


@method("tellActive")
async def tell_active(call: Call) -> list[dict[str, Any]]:
    """What is at work."""
    return await _describe_all(call, await call.agent.queries.active_tasks(), call.keys(0))


@method("tellWaiting")
async def tell_waiting(call: Call) -> list[dict[str, Any]]:
    """What waits or is paused, in line."""
    offset, limit = call.number(0), _limit(call)
    tasks = await call.agent.queries.waiting_tasks(offset, limit)
    return await _describe_all(call, tasks, call.keys(2))


@method("tellStopped")
async def tell_stopped(call: Call) -> list[dict[str, Any]]:
    """What has ended; from the oldest, or with a negative offset from the newest."""
    offset, limit = call.number(0), _limit(call)
    tasks = await call.agent.queries.stopped_tasks(offset, limit)
    return await _describe_all(call, tasks, call.keys(2))


def _limit(call: Call) -> int:
    limit = call.number(1)
    if limit < 0:
        raise RpcError(
            "The integer parameter at 1 has invalid value: the value must be greater than or equal to 0."
        )
    # One more than may be told: then `take_rows` refuses, and no list is cut short in silence.
    return min(limit, call.session.rows_left + 1)


async def _describe_all(
    call: Call, tasks: list[Task], keys: Iterable[str] | None
) -> list[dict[str, Any]]:
    call.session.take_rows(len(tasks))
    told: list[dict[str, Any]] = []
    for task in tasks:
        told.append(describe(_view(call, task), keys))
        if len(told) % CALLS_PER_TURN == 0:
            await asyncio.sleep(0)
    return told


def _view(call: Call, task: Task) -> TaskView:
    live = call.agent.queries.running().get(task.id) if task.state == State.ACTIVE else None
    return TaskView(task, live, call.agent.live_settings.config.downloads.folder)


@method("getGlobalStat")
async def get_global_stat(call: Call) -> dict[str, str]:
    """Counts and speed."""
    waiting, stopped = await call.agent.queries.task_counts()
    status = call.agent.queries.status()
    return {
        "downloadSpeed": str(status.speed),
        "uploadSpeed": "0",
        "numActive": str(status.active),
        "numWaiting": str(waiting),
        "numStopped": str(stopped),
        "numStoppedTotal": str(max(stopped, status.completed + status.failed)),
    }


# -- options


@method("getOption")
async def get_option(call: Call) -> dict[str, str]:
    """The options of one download."""
    return options.tell_options(_view(call, await call.agent.queries.task(call.text(0))))


@method("changeOption")
async def change_option(call: Call) -> str:
    """Change options of a download that has not ended."""
    task = await call.agent.queries.task(call.text(0))
    if task.state in SETTLED:
        raise RpcError(f"Cannot change option for GID#{task.gid}")
    config = call.agent.live_settings.config
    patch = options.read_patch(call.changes(1), config, may_move=task.state in _WAITING)
    if patch != Patch():
        await call.agent.queue.change(task.id, patch)
    return "OK"


@method("getGlobalOption")
async def get_global_option(call: Call) -> dict[str, str]:
    """The options of all downloads."""
    return options.tell_settings(call.agent.live_settings.config)


@method("changeGlobalOption")
async def change_global_option(call: Call) -> str:
    """Change how many downloads run, and how fast; the other settings are not a foreign program's."""
    changes = options.read_settings(call.changes(0))
    if changes:
        await call.agent.live_settings.change(changes)
    return "OK"


# -- forgetting, and the program itself


@method("purgeDownloadResult")
async def purge(call: Call) -> str:
    """Forget all that has ended; files stay."""
    await call.agent.queue.clear()
    await call.agent.queue.clear(failed=True)
    return "OK"


@method("removeDownloadResult")
async def remove_result(call: Call) -> str:
    """Forget one download that has ended; its file stays."""
    task = await call.agent.queries.task(call.text(0))
    if task.state not in SETTLED:
        raise RpcError(f"Could not remove download result of GID#{task.gid}")
    await call.agent.queue.remove(task.id)
    return "OK"


@method("getVersion")
async def get_version(_: Call) -> dict[str, Any]:
    """What we can do, in aria2's words."""
    features = ["Async DNS", "GZip", "HTTPS", "Message Digest", "Metalink"]
    return {"version": VERSION, "enabledFeatures": features}


@method("getSessionInfo")
async def get_session_info(call: Call) -> dict[str, str]:
    """What tells one run from another."""
    return {"sessionId": call.session.run_id}


@method("shutdown", "forceShutdown")
async def shut_down(_: Call) -> str:
    """Refuse: other programs and people use the agent, too."""
    raise RpcError("trayagent is ended from its tray, or with: trayagent quit")


@method("saveSession")
async def save_session(_: Call) -> str:
    """Everything is saved already."""
    return "OK"


@method("multicall", room="system")
async def multicall(_: Call) -> Any:
    """Only listed: `rpc` answers it, since each call inside shows its own token."""
    raise RpcError("Recursive system.multicall forbidden.")


@method("listMethods", room="system")
async def list_methods(_: Call) -> list[str]:
    """The names of all methods."""
    return list(METHODS)


@method("listNotifications", room="system")
async def list_notifications(_: Call) -> list[str]:
    """The names of all notifications that aria2 knows."""
    return [*NOTIFICATIONS.values(), "aria2.onBtDownloadComplete"]
