"""Protocols of other download managers, so that programs made for them work with us unchanged.

    jsonrpc   the routes of aria2's interface: POST and WebSocket at `/jsonrpc`
    rpc       its envelope: calls, batches, multicalls, and the token in each
    methods   its methods by name
    options   its options, as items, changes and settings
    values    a download in its words
    sockets   open WebSockets, and the notifications they hear
    metube    MeTube's `add`, `start`, `delete`, `history` and `version`, below an address with the secret in it

Nothing here is open until a person has made a secret (`agent.access.Clients.connect`). The gate judges
every request as it does all others, but for the token: that stands in the body or in the path, and is
judged here. A foreign program may add, see, pause, resume, cancel and forget downloads, and say
how many run and how fast. It gets no cookies or headers back, and changes nothing else. `options` and
`values` have one caller each: the words of a foreign manual, to be compared with it line by line.
"""

from __future__ import annotations

from typing import Final

from trayagent.hook.foreign import jsonrpc, metube
from trayagent.hook.routing import Route

FOREIGN: Final[tuple[Route, ...]] = (*jsonrpc.routes, *metube.routes)
