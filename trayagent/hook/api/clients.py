"""Who may come in: pairing, proof, sessions, revocation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from trayagent.agent.access import PAIRING, SESSION_CODE
from trayagent.hook import words
from trayagent.hook.call import Call, Reply, decode
from trayagent.hook.routes import Route
from trayagent.model.client import Code, Paired


async def pair(call: Call) -> Reply:
    """An extension exchanges the one-time code for a token of its own."""
    asked = call.json(words.Pairing)
    return Reply(200, await call.agent.clients.pair(asked.code, asked.name, call.origin or ""))


async def hello(call: Call) -> Reply:
    """A paired client checks that it talks to us, before it sends its token."""
    asked = call.json(words.Hello)
    clients, port = call.agent.clients, call.house.port
    return Reply(200, words.Proof(clients.prove(asked.client, asked.nonce, port, call.origin)))


async def session(call: Call) -> Reply:
    """The dashboard exchanges its one-time code for a token that only its tab holds."""
    token = await call.agent.clients.begin_session(call.json(words.SessionCode).code)
    call.house.ring.look()
    return Reply(200, words.Session(token))


async def ask(call: Call) -> Reply:
    """A locked page asks a person to open it; the answer says nothing."""
    decode(call.body or b"{}", words.Empty)
    call.agent.clients.ask_to_open()
    return Reply(202, words.Done())


async def pairing_code(call: Call) -> Reply:
    """A code for one browser."""
    wish = decode(call.body or b"{}", words.CodeWish)
    code = call.agent.clients.pairing_code()
    return await _code(call, code, f"{call.house.url}/pair#code={code}", PAIRING, wish)


async def session_code(call: Call) -> Reply:
    """A code for one dashboard."""
    wish = decode(call.body or b"{}", words.CodeWish)
    code = call.agent.clients.session_code()
    view = f"&view={quote(wish.view, safe='')}" if wish.view else ""
    return await _code(call, code, f"{call.house.url}/#code={code}{view}", SESSION_CODE, wish)


async def _code(call: Call, code: str, url: str, seconds: float, wish: words.CodeWish) -> Reply:
    file = str(await call.agent.clients.page_for(code, url)) if wish.file else None
    return Reply(200, Code(code, url, _end(seconds), file))


async def listing(call: Call) -> Reply:
    """The paired clients, and the open dashboards."""
    own = call.caller.id if call.caller else ""
    clients = [
        replace(client, name="This dashboard") if client.id == own else client
        for client in await call.agent.clients.listing()
    ]
    return Reply(200, words.ClientList(tuple(clients)))


async def revoke(call: Call) -> Reply:
    """Its token is worth nothing from now on."""
    await call.agent.clients.revoke(call.params["id"])
    call.house.ring.look()
    return Reply(200, words.Done())


async def rotate(call: Call) -> Reply:
    """A new token for this machine's own programs; all dashboards have to be opened again."""
    decode(call.body or b"{}", words.Empty)
    await call.agent.clients.rotate()
    call.house.ring.look()
    return Reply(200, words.Done())


def _end(seconds: float) -> str:
    return (
        (datetime.now(UTC) + timedelta(seconds=seconds))
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z")
    )


ROUTES: Final = (
    Route(
        "POST",
        "/api/v1/pair",
        pair,
        "extension",
        "Exchange a one-time code for a token bound to your origin.",
        takes=words.Pairing,
        gives={200: Paired},
    ),
    Route(
        "POST",
        "/api/v1/hello",
        hello,
        "anyone",
        "Ask for a proof that this is the agent you were paired with.",
        takes=words.Hello,
        gives={200: words.Proof},
    ),
    Route(
        "POST",
        "/api/v1/sessions",
        session,
        "anyone",
        "Exchange the dashboard's one-time code for a token.",
        takes=words.SessionCode,
        gives={200: words.Session},
    ),
    Route(
        "POST",
        "/api/v1/sessions/ask",
        ask,
        "page",
        "A locked page asks a person to open the dashboard.",
        takes=words.Empty,
        bare=True,
        gives={202: words.Done},
    ),
    Route(
        "POST",
        "/api/v1/sessions/codes",
        session_code,
        "owner",
        "A one-time code that opens a dashboard.",
        takes=words.CodeWish,
        bare=True,
        gives={200: Code},
    ),
    Route(
        "GET",
        "/api/v1/clients",
        listing,
        "owner",
        "Paired clients and open dashboards.",
        gives={200: words.ClientList},
    ),
    Route(
        "POST",
        "/api/v1/clients/codes",
        pairing_code,
        "owner",
        "A one-time code that pairs a browser.",
        takes=words.CodeWish,
        bare=True,
        gives={200: Code},
    ),
    Route(
        "DELETE",
        "/api/v1/clients/{id}",
        revoke,
        "owner",
        "Revoke a client.",
        gives={200: words.Done},
    ),
    Route(
        "POST",
        "/api/v1/token",
        rotate,
        "owner",
        "A new token for this machine's own programs.",
        takes=words.Empty,
        bare=True,
        gives={200: words.Done},
    ),
)
