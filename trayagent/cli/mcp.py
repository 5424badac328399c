"""`mcp`: an assistant adds downloads and looks at them, over the Model Context Protocol on stdio.

Source: the protocol's revision 2025-06-18, "Lifecycle" and "Tools": JSON-RPC 2.0, a message a line. The
protocol is small enough to be spoken here; its own library would bring 28 packages.

An assistant reads pages that others wrote, and may do what they say. So it can add and look, and no more:
it stops, deletes and changes nothing, and an address in the user's own network is refused, because here it is not the
user who names it.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import click

from trayagent import __version__
from trayagent.cli.client import AgentClient, path_segment
from trayagent.cli.exits import Exit
from trayagent.cli.options import agent
from trayagent.model import addresses, urls
from trayagent.model.errors import TrayagentError

# Whatever revision a client asks for, it is told this one; one that cannot speak it hangs up.
PROTOCOL: Final = "2025-06-18"
MOST_LINE_LETTERS: Final = 1 << 20
"""A longer message is none of ours."""
MOST_LISTED: Final = 100

_TEXT: Final = {"type": "string"}
_STATES: Final = ["queued", "active", "paused", "completed", "failed", "cancelled"]
TOOLS: Final[tuple[dict[str, Any], ...]] = (
    {
        "name": "add_download",
        "description": "Download a file, or the video of a page, to this computer.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "url": {**_TEXT, "description": "http:// or https://"},
                "filename": _TEXT,
                "folder": {**_TEXT, "description": "inside the downloads folder"},
                "quality": {**_TEXT, "description": "best, worst, audio, or a height like 1080"},
            },
            "required": ["url"],
            "additionalProperties": False,
        },
    },
    {
        "name": "list_downloads",
        "description": "The downloads, newest first.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "state": {"enum": _STATES},
                "search": {**_TEXT, "description": "a part of the name or address"},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST_LISTED},
            },
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "get_download",
        "description": "One download: where its file is, how far it is, why it failed.",
        "inputSchema": {
            "type": "object",
            "properties": {"id": _TEXT},
            "required": ["id"],
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "get_status",
        "description": "How many downloads wait, run and failed, and how fast it goes.",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
        "annotations": {"readOnlyHint": True},
    },
)


@click.command()
def mcp() -> int:
    """Let an assistant add downloads and look at them (MCP over stdin and stdout).

    Name `trayagent mcp` as the command of a server in its settings. It can stop, delete and change nothing.
    """
    # The protocol is UTF-8 whatever this system's own coding is. What is none costs its message, not the conversation.
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    with agent() as running:
        serve(running, sys.stdin, sys.stdout)
    return Exit.OK


def serve(running: AgentClient, incoming: TextIO, outgoing: TextIO) -> None:
    """Answer messages until there are no more."""
    while line := incoming.readline(MOST_LINE_LETTERS):
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        told = _answer(running, message)
        if told is not None:
            outgoing.write(json.dumps(told) + "\n")
            outgoing.flush()


def _answer(running: AgentClient, message: Any) -> dict[str, Any] | None:
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        # -32700: no JSON; -32600: JSON, but no request (JSON-RPC 2.0 §5.1).
        return _error(None, -32700 if message is None else -32600, "This is no message.")
    if "id" not in message:  # a notification: nobody waits for an answer
        return None
    given = message.get("params")
    params: Mapping[str, Any] = given if isinstance(given, dict) else {}
    match message["method"]:
        case "initialize":
            result: dict[str, Any] = {
                "protocolVersion": PROTOCOL,
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "trayagent", "version": __version__},
            }
        case "ping":
            result = {}
        case "tools/list":
            result = {"tools": list(TOOLS)}
        case "tools/call":
            handler = _HANDLERS.get(str(params.get("name")))
            if handler is None:
                return _error(message["id"], -32602, "There is no such tool.")
            result = _call(handler, running, params.get("arguments"))
        case _:
            return _error(message["id"], -32601, "There is no such method.")
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _call(handler: _Handler, running: AgentClient, arguments: Any) -> dict[str, Any]:
    """What a tool says. A refusal is a result, too: the assistant is to read it."""
    try:
        said = handler(running, arguments if isinstance(arguments, dict) else {})
    except TrayagentError as error:
        text = " ".join(filter(None, (error.message, error.action)))
        return {"content": [{"type": "text", "text": text}], "isError": True}
    return {"content": [{"type": "text", "text": json.dumps(said, ensure_ascii=False)}]}


def _add(running: AgentClient, arguments: Mapping[str, Any]) -> Any:
    known = ("url", "filename", "folder", "quality")
    item = {name: str(arguments[name]) for name in known if arguments.get(name)}
    url = urls.check(item.get("url", ""))
    # A page that the assistant reads may name the router or the file server of this user.
    if addresses.names_private(urls.authority(url).rpartition(":")[0]):
        raise TrayagentError(
            "blocked_address",
            "An assistant may not add an address in your own network.",
            "The user can add it: trayagent add URL",
        )
    receipt = running.add(item)
    for refused in receipt["rejected"]:
        raise TrayagentError(refused["code"], refused["message"])
    return [_short(download) for download in receipt["downloads"]]


def _list(running: AgentClient, arguments: Mapping[str, Any]) -> Any:
    limit = arguments.get("limit")
    # An assistant may send anything: what is no number is the usual one, and none is too large.
    limit = min(max(limit, 1), MOST_LISTED) if isinstance(limit, int) else 20
    state, search = (
        str(arguments[key]) if arguments.get(key) else None for key in ("state", "search")
    )
    found = running.get("downloads", state=state, q=search, limit=limit)
    return [_short(download) for download in found["downloads"]]


def _get(running: AgentClient, arguments: Mapping[str, Any]) -> Any:
    return _short(running.get(f"downloads/{path_segment(str(arguments.get('id', '')) or '-')}"))


def _short(download: Mapping[str, Any]) -> dict[str, Any]:
    """What an assistant needs of a download; a query may open somebody's account, so it stays here."""
    keys = ("id", "state", "filename", "path", "size", "received", "error", "warning", "created_at")
    told = {key: download[key] for key in keys if download.get(key) is not None}
    return {**told, "url": urls.redact(download["url"])}


def _error(id: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}


_Handler = Callable[[AgentClient, Mapping[str, Any]], Any]
_HANDLERS: Final[dict[str, _Handler]] = {
    "add_download": _add,
    "list_downloads": _list,
    "get_download": _get,
    "get_status": lambda running, _arguments: running.get("status"),
}
