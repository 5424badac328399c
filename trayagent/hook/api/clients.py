"""Who may come in: pairing, proof, sessions, revocation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from trayagent.agent.clients import PAIRING, SESSION_CODE
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
    return Reply(200, words.Proof(call.agent.clients.prove(asked.client, asked.nonce, call.origin)))


async def session(call: Call) -> Reply:
    """The dashboard exchanges its one-time code for a token that only its memory holds."""
    token = call.agent.clients.begin_session(call.json(words.SessionCode).code)
    call.house.ring.look()
    return Reply(200, words.Session(token))


async def pairing_code(call: Call) -> Reply:
    """A code for one browser."""
    decode(call.body or b"{}", words.Empty)
    code = call.agent.clients.pairing_code()
    return Reply(200, Code(code, f"{call.house.url}/pair#code={code}", _end(PAIRING)))


async def session_code(call: Call) -> Reply:
    """A code for one dashboard."""
    decode(call.body or b"{}", words.Empty)
    code = call.agent.clients.session_code()
    return Reply(200, Code(code, f"{call.house.url}/#code={code}", _end(SESSION_CODE)))


async def listing(call: Call) -> Reply:
    """The paired clients."""
    return Reply(200, words.ClientList(await call.agent.clients.listing()))


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
        "/api/v1/sessions/codes",
        session_code,
        "owner",
        "A one-time code that opens a dashboard.",
        takes=words.Empty,
        bare=True,
        gives={200: Code},
    ),
    Route(
        "GET", "/api/v1/clients", listing, "owner", "Paired clients.", gives={200: words.ClientList}
    ),
    Route(
        "POST",
        "/api/v1/clients/codes",
        pairing_code,
        "owner",
        "A one-time code that pairs a browser.",
        takes=words.Empty,
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
