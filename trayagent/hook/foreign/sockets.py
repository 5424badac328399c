"""Open WebSockets of aria2's clients, and the notifications that each of them hears.

    state    a socket that                             hears        ends
    -------  ----------------------------------------  -----------  ---------------------------------
    mute     has shown no valid token                  nothing      after a minute, or to make room
    welcome  has shown one                             what occurs  when its client is revoked

One that reads too slowly is cut off: what it does not take would fill our memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from trayagent.hook.connections import WRITE_SECONDS, connection_of
from trayagent.hook.foreign.methods import NOTIFICATIONS
from trayagent.model.events import DownloadEvent, Event

if TYPE_CHECKING:
    from trayagent.agent.access import Clients
    from trayagent.model.access import Caller

# Of one kind of client a person has a few open; each costs us a task and a queue of notes.
MOST_SOCKETS: Final = 32
MOST_NOTES: Final = 1000
"""Notifications that wait for one socket."""
MUTE_SECONDS: Final = 60.0
"""A socket may be open so long without a valid token."""
PING_SECONDS: Final = 30.0
"""Between two pings: they show both sides that the other lives."""


class RpcSocket:
    """One socket: it answers messages one after the other, and tells notes in between.

    An answer comes before the notes of what it did, because a client knows a gid only from the answer.
    """

    def __init__(
        self,
        http: web.BaseRequest,
        response: web.WebSocketResponse,
        find_gid: Callable[[str], Awaitable[str]],
    ) -> None:
        """`find_gid` tells the gid of a download by its id."""
        self._connection = connection_of(http)
        self._response = response
        self._find_gid = find_gid
        self._notes: deque[DownloadEvent] = deque()
        self._has_news = asyncio.Event()
        self._is_answering = False
        self.clients: set[str] = set()
        """The ids of the clients whose tokens it has shown."""

    async def serve(self, answer: Callable[[str], Awaitable[Any]]) -> None:
        """Answer until either side ends; `answer` makes the answer to one message."""
        async with asyncio.TaskGroup() as group:
            tell = group.create_task(self._tell_notes(), name="notifications of a socket")
            mute = group.create_task(self._end_mute(), name="patience with a socket")
            # One message at a time: a client that sends and does not read waits, and we keep nothing.
            async for message in self._response:
                if message.type is not web.WSMsgType.TEXT:
                    break
                self._is_answering = True
                await self._send(await answer(message.data))
                self._is_answering = False
                self._has_news.set()
            # The client has closed it, or it was cut off: nobody is left to tell anything.
            tell.cancel()
            mute.cancel()

    def welcome(self, caller: Caller) -> None:
        """It has shown the token of this client, and hears what occurs."""
        self.clients.add(caller.id)

    def hear(self, event: DownloadEvent) -> None:
        """Note what occurred."""
        # Nothing that goes on here is told to somebody who has shown no token.
        if not self.clients:
            return
        if len(self._notes) >= MOST_NOTES:
            self.end()
            return
        self._notes.append(event)
        self._has_news.set()

    def end(self) -> None:
        """Cut it off at once."""
        self.clients.clear()
        self._notes.clear()
        self._connection.abort()

    async def _tell_notes(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._notes and not self._is_answering:
                event = self._notes.popleft()
                gid = await self._find_gid(event.download.id)
                method = NOTIFICATIONS[event.what]
                await self._send({"jsonrpc": "2.0", "method": method, "params": [{"gid": gid}]})

    async def _end_mute(self) -> None:
        await asyncio.sleep(MUTE_SECONDS)
        if not self.clients:
            self.end()

    async def _send(self, content: Any) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._response.send_str(msgspec.json.encode(content).decode())
        except TimeoutError:
            self.end()
        except ConnectionError:
            pass  # the client is gone; reading says so, too

    def __repr__(self) -> str:
        return (
            f"<RpcSocket of {', '.join(self.clients) or 'nobody'}, {len(self._notes)} notes wait>"
        )


class RpcSockets:
    """All open sockets."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._open: dict[RpcSocket, None] = {}
        self.run_id = secrets.token_hex(20)
        """A new one for each start; clients see by it that their gids may be others."""

    @contextlib.contextmanager
    def keeping(self, socket: RpcSocket) -> Iterator[None]:
        """Count a socket as open inside. The oldest mute one makes room, else the oldest of all."""
        while len(self._open) >= MOST_SOCKETS:
            mute = [one for one in self._open if not one.clients]
            oldest = next(iter(mute or self._open))
            # Taken out here, not when its task ends: that may wait for a client that reads slowly.
            self._open.pop(oldest)
            oldest.end()
        self._open[socket] = None
        try:
            yield
        finally:
            # `None`: it may have made room for another one already.
            self._open.pop(socket, None)

    def hear(self, event: Event) -> None:
        """Pass on an event of the bus to those that may hear it."""
        if isinstance(event, DownloadEvent) and event.what in NOTIFICATIONS:
            for socket in tuple(self._open):
                socket.hear(event)

    def end_revoked(self) -> None:
        """End the sockets of clients that are no more."""
        for socket in tuple(self._open):
            if any(not self._clients.is_known(id) for id in socket.clients):
                socket.end()

    def close(self) -> None:
        """End all."""
        for socket in tuple(self._open):
            socket.end()

    def __repr__(self) -> str:
        return f"<RpcSockets: {len(self._open)} open>"
