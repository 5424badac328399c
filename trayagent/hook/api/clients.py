"""Who may use the interface: pairing a browser, opening a dashboard, connecting a foreign program, revoking.

pair      a code of `clients/codes`, shown on our own page, becomes an extension's token
hello     before the extension sends that token, we prove that we know it, too
sessions  a code of `sessions/codes`, in the address that we open, becomes a dashboard's token
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from msgspec.structs import replace

from trayagent.agent.access import PAIRING_SECONDS, SESSION_CODE_SECONDS
from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.access import Code, Connection, Paired

routes = Routes()


@routes.add("POST", "/api/v1/pair", who="extension", body=schemas.Pairing, answers={200: Paired})
async def pair_extension(request: HookRequest) -> Reply:
    """Exchange a one-time code for a token bound to your origin."""
    body = request.json(schemas.Pairing)
    # The gate lets nobody but extensions in here; without an origin nothing is paired.
    origin = request.facts.origin or ""
    return Reply(200, await request.agent.clients.pair(body.code, body.name, origin))


@routes.add("POST", "/api/v1/hello", who="anyone", body=schemas.Hello, answers={200: schemas.Proof})
async def prove_identity(request: HookRequest) -> Reply:
    """Ask for a proof that this is the agent you were paired with."""
    # While the agent is not running, any program may listen on its port and collect tokens.
    body = request.json(schemas.Hello)
    proof = request.agent.clients.prove(
        body.client, body.nonce, request.context.port, request.facts.origin
    )
    return Reply(200, schemas.Proof(proof))


@routes.add(
    "POST",
    "/api/v1/sessions",
    who="anyone",
    body=schemas.SessionCode,
    answers={200: schemas.Session},
)
async def begin_session(request: HookRequest) -> Reply:
    """Exchange the dashboard's one-time code for a token."""
    code = request.json(schemas.SessionCode).code
    # There may be only so many sessions: a new one can end the oldest, and the streams it opened.
    with request.context.ending_revoked():
        token = await request.agent.clients.begin_session(code)
    return Reply(200, schemas.Session(token))


@routes.add(
    "POST",
    "/api/v1/sessions/ask",
    who="page",
    body=schemas.Empty,
    is_body_optional=True,
    answers={202: schemas.Done},
)
async def ask_to_open(request: HookRequest) -> Reply:
    """A locked page asks a person to open the dashboard."""
    request.json(schemas.Empty)
    # The page learns nothing: a person who did not mean it leaves the notification alone.
    request.agent.clients.ask_to_open()
    return Reply(202, schemas.Done())


@routes.add(
    "POST",
    "/api/v1/sessions/codes",
    who="owner",
    body=schemas.CodeWish,
    is_body_optional=True,
    answers={200: Code},
)
async def make_session_code(request: HookRequest) -> Reply:
    """A one-time code that opens a dashboard."""
    body = request.json(schemas.CodeWish)
    code = request.agent.clients.issue_session_code()
    # Behind the #: a browser sends that part to no server, and it stays out of logs.
    view = f"&view={quote(body.view, safe='')}" if body.view else ""
    url = f"{request.context.url}/#code={code}{view}"
    return await _reply_with_code(request, code, url, SESSION_CODE_SECONDS, in_file=body.file)


@routes.add("GET", "/api/v1/clients", who="owner", answers={200: schemas.ClientList})
async def list_clients(request: HookRequest) -> Reply:
    """Paired browsers, foreign programs and open dashboards."""
    # Marked, so that nobody revokes the very page they are looking at by mistake.
    own = request.caller.id if request.caller else ""
    clients = [
        replace(client, name="This dashboard") if client.id == own else client
        for client in await request.agent.clients.all_clients()
    ]
    return Reply(200, schemas.ClientList(tuple(clients)))


@routes.add(
    "POST",
    "/api/v1/clients/codes",
    who="owner",
    body=schemas.CodeWish,
    is_body_optional=True,
    answers={200: Code},
)
async def make_pairing_code(request: HookRequest) -> Reply:
    """A one-time code that pairs a browser."""
    body = request.json(schemas.CodeWish)
    code = request.agent.clients.issue_pairing_code()
    url = f"{request.context.url}/pair#code={code}"
    return await _reply_with_code(request, code, url, PAIRING_SECONDS, in_file=body.file)


@routes.add(
    "POST", "/api/v1/clients", who="owner", body=schemas.NewConnection, answers={200: Connection}
)
async def connect_program(request: HookRequest) -> Reply:
    """The address and secret for an aria2 or a MeTube client; the same again for the same name."""
    body = request.json(schemas.NewConnection)
    # One that was made with a lost key is replaced: what it had open ends.
    with request.context.ending_revoked():
        connection = await request.agent.clients.connect(body.kind, body.name, request.context.url)
    return Reply(200, connection)


@routes.add("DELETE", "/api/v1/clients/{id}", who="owner", answers={200: schemas.Done})
async def revoke_client(request: HookRequest) -> Reply:
    """Revoke a client."""
    with request.context.ending_revoked():
        await request.agent.clients.revoke(request.params["id"])
    return Reply(200, schemas.Done())


@routes.add(
    "POST",
    "/api/v1/token",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: schemas.Done},
)
async def rotate_token(request: HookRequest) -> Reply:
    """A new token for this machine's own programs."""
    request.json(schemas.Empty)
    with request.context.ending_revoked():
        await request.agent.clients.rotate()
    return Reply(200, schemas.Done())


async def _reply_with_code(
    request: HookRequest, code: str, url: str, seconds: float, *, in_file: bool
) -> Reply:
    """A code, the address that leads to its page, and when it ends.

    A browser that is started with the address would show the code in the list of processes; it is
    started with a private file instead, which leads there.
    """
    file = str(await request.agent.clients.page_for(code, url)) if in_file else None
    end = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")
    return Reply(200, Code(code, url, end.replace("+00:00", "Z"), file))
