"""Recorded conversations of aria2's and MeTube's clients, said again to a running agent.

`recordings/` holds what each client sends, and the shape of what aria2c 1.36 (or MeTube) answered: its
keys and types, the code of its error, and its gids. `Replay` puts our secret, our gids and our file server
in the place of those, and tells what is not alike. What differs on purpose is in `DIFFERENCES`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

RECORDINGS: Final = Path(__file__).parent / "recordings"
PAGE: Final = "http://127.0.0.1:8090"
"""The page that AriaNg was opened from; the agent of the replay has it listed."""

UNTOLD: Final = {
    "bitfield": "which pieces are here is told by our own interface; it would need a look at a file",
    "belongsTo": "BitTorrent's",
}
"""Keys that aria2 tells and we do not."""
TABLES: Final = ("allow-overwrite", "async-dns")
"""Two options by which the tables of all options are known: we tell only those that mean something here."""
DIFFERENCES: Final[dict[tuple[str, str], str]] = {
    # Refused, and why.
    ("reference", "GET"): "a GET would put the secret into the address",
    ("reference", "GET JSONP"): "a script of any page could read it",
    ("reference", "addUri bad scheme"): "refused when it is added, not when it is fetched",
    ("reference", "addUri out outside dir"): "files stay in our folder",
    ("reference", "shutdown"): "other programs and people use the agent, too",
    # What follows from that.
    ("reference", "tellStatus error"): "its download was refused above",
    ("reference", "getOption of stopped"): "its download was refused above",
    # Done, and aria2 does not.
    ("reference", "saveSession without file"): "everything is saved already",
    ("ariang-http", "aria2.saveSession"): "everything is saved already",
    ("ariang-ws", "aria2.saveSession"): "everything is saved already",
    ("aria2p-cli", "aria2.removeDownloadResult"): "a removed download has stopped when we answer",
    (
        "reference",
        "tellStatus gid prefix",
    ): "our gids begin alike; the beginning must still be unique",
    ("reference", "tellStatus of removed waiting"): "it is gone",
    ("ariang-file", "*"): "Origin null is every sandboxed frame",
    ("ariang-get-and-header", "GET"): "a GET would put the secret into the address",
    ("xmlrpc", "*"): "no client in use speaks XML-RPC",
}
"""(recording, name or method of a message) -> why it is answered in another way."""

STATES: Final = {
    "aria2.changePosition": "paused",
    "aria2.unpause": "paused",
    "aria2.removeDownloadResult": "removed",
    "aria2.changeOption": "active",
    "aria2.getUris": "active",
    "aria2.getFiles": "active",
    "aria2.getServers": "active",
    "aria2.pause": "active",
    "aria2.forcePause": "active",
    "aria2.remove": "active",
    "aria2.forceRemove": "active",
    "aria2.tellStatus": "active",
}
"""The state in which a download must be for a message to succeed."""
EARLY: Final = ("aria2.removeDownloadResult", "aria2.changePosition")
"""Asked again while the download has not yet stopped, or not yet started, as it had in the recording."""


class Replay:
    """Says recordings to one agent; `problems` are the answers that are not alike."""

    def __init__(self, agent_url: str, secret: str, folder: Path, files: str) -> None:
        self._url = agent_url
        self._secret = secret
        self._folder = folder
        self._files = files
        self._gids: dict[str, str] = {}
        self.problems: list[str] = []
        self.used: set[tuple[str, str]] = set()

    async def play(self, name: str) -> None:
        """Say one recording, in order."""
        recording = json.loads((RECORDINGS / f"{name}.json").read_text())
        async with aiohttp.ClientSession() as session, self._socket(session, recording) as socket:
            for pair in recording["pairs"]:
                await self._say(name, pair, session, socket)

    @asynccontextmanager
    async def _socket(
        self, session: aiohttp.ClientSession, recording: dict[str, Any]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse | None]:
        uses = any(pair.get("over") == "socket" for pair in recording["pairs"])
        origin = recording.get("origin")
        if not uses or origin == "null":
            yield None
            return
        headers = {} if origin is None else {"Origin": origin.replace(":6800", self._url[16:])}
        async with session.ws_connect(f"{self._url}/jsonrpc", headers=headers) as socket:
            yield socket

    async def _say(
        self,
        name: str,
        pair: dict[str, Any],
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse | None,
    ) -> None:
        await self._stand_in(pair, session)
        known = self._difference(name, pair)
        wanted = _status_told(pair["answer"]) if known is None else None
        status, answer = None, None
        for _ in range(60):
            status, answer = await self._send(pair, session, socket)
            # A download needs a moment to get as far as it was when aria2 was asked.
            is_early = (
                known is None
                and _name(pair) in EARLY
                and ("error" in str(answer)) != ("error" in str(pair["answer"]))
            )
            if wanted == f"state:{_status_told(answer)}" or (wanted is None and not is_early):
                break
            await asyncio.sleep(0.05)
        self._learn(pair["answer"], answer)
        alike = (None, pair.get("status"), 204 if pair.get("method") == "OPTIONS" else None)
        found = [] if status in alike else [f"{status} for {pair['status']}"]
        found += list(unlike(pair["answer"], answer))
        if found and known is None:
            self.problems.append(f"{name}: {_name(pair)}: {'; '.join(found)}")
        elif found and known is not None:
            self.used.add(known)

    async def _send(
        self,
        pair: dict[str, Any],
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse | None,
    ) -> tuple[int | None, Any]:
        body = pair.get("body")
        text = self._ours(body if isinstance(body, str) else json.dumps(body)) if body else ""
        if pair.get("over") == "socket":
            if socket is None:
                return None, {"error": "no socket"}
            await socket.send_str(text)
            while "method" in (told := await socket.receive_json(timeout=10)):
                pass  # a notification
            return None, _told(told)
        async with session.request(
            pair.get("method", "POST"),
            f"{self._url}{pair.get('path', '/jsonrpc')}",
            data=text.encode() or None,
            headers=pair.get("headers"),
            skip_auto_headers=("Content-Type",),
        ) as response:
            said = await response.read()
        try:
            return response.status, _told(json.loads(said))
        except ValueError:
            return response.status, None

    async def _stand_in(self, pair: dict[str, Any], session: aiohttp.ClientSession) -> None:
        """Add what a message is about, where the recording does not tell how it came to be."""
        body = pair.get("body")
        params = body.get("params", []) if isinstance(body, dict) else []
        state = STATES.get(str(body.get("method"))) if isinstance(body, dict) else None
        gid = params[1] if len(params) > 1 and isinstance(params[1], str) else ""
        if state is None or len(gid) != 16 or gid in self._gids or "error" in str(pair["answer"]):
            return
        address = f"{self._files}/{gid}?size=9000000&rate=524288"
        options = {"gid": gid, "pause": str(state == "paused").lower()}
        add = {"id": 1, "method": "aria2.addUri", "params": ["token:SECRET", [address], options]}
        await self._send({"body": add}, session, None)
        self._gids[gid] = gid
        if state == "removed":
            await self._wait_until(gid, "active", session)
            remove = {"id": 1, "method": "aria2.remove", "params": ["token:SECRET", gid]}
            await self._send({"body": remove}, session, None)
        await self._wait_until(gid, state, session)

    async def _wait_until(self, gid: str, state: str, session: aiohttp.ClientSession) -> None:
        told = None
        ask = {"id": 1, "method": "aria2.tellStatus", "params": ["token:SECRET", gid]}
        for _ in range(60):
            _, told = await self._send({"body": ask}, session, None)
            if _status_told(told) == state:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{gid} is not {state}: {told}")

    def _ours(self, text: str) -> str:
        for theirs, ours in self._gids.items():
            text = text.replace(theirs, ours)
        text = text.replace("SECRET", self._secret)
        # Inside a JSON string: a backslash of Windows is written twice there.
        text = text.replace('"/downloads', json.dumps(str(self._folder))[:-1])
        text = re.sub(
            r"http://127\.0\.0\.1:8088/404/(\w+[\w.]*)", rf"{self._files}/\1?status=404", text
        )
        text = re.sub(
            r"http://127\.0\.0\.1:8088/slow/([^\"]*)", rf"{self._files}/\1&rate=524288", text
        )
        return text.replace("http://127.0.0.1:8088/fast/", f"{self._files}/")

    def _learn(self, theirs: Any, ours: Any) -> None:
        """Note which of our gids stands for which of theirs."""
        if isinstance(theirs, str) and theirs.startswith("gid:") and isinstance(ours, str):
            self._gids.setdefault(theirs[4:], ours)
        elif isinstance(theirs, dict) and isinstance(ours, dict):
            for key in theirs.keys() & ours.keys():
                self._learn(theirs[key], ours[key])
        elif isinstance(theirs, list) and isinstance(ours, list):
            for one, other in zip(theirs, ours, strict=False):
                self._learn(one, other)

    def _difference(self, name: str, pair: dict[str, Any]) -> tuple[str, str] | None:
        for key in ((name, _name(pair)), (name, "*")):
            if key in DIFFERENCES:
                return key
        return None


def unlike(theirs: Any, ours: Any, where: str = "") -> list[str]:
    """What an answer lacks of the shape that was recorded."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return [f"{where or 'answer'} is {ours!r}"[:200]]
        found: list[str] = []
        is_table = all(option in theirs for option in TABLES)
        for key, shape in theirs.items():
            if key in ours:
                found += unlike(shape, ours[key], f"{where}.{key}")
            elif key not in UNTOLD and not is_table:
                found.append(f"no {where}.{key}")
        return found
    if isinstance(theirs, list):
        if not isinstance(ours, list):
            return [f"{where} is {ours!r}"[:200]]
        # A list of another moment may be longer or shorter; what is in it has the same shape.
        return [
            each
            for one, other in zip(theirs, ours, strict=False)
            for each in unlike(one, other, f"{where}[]")
        ]
    if isinstance(theirs, str):
        kinds: dict[str, tuple[type, ...]] = {"number": (int, float), "boolean": (bool,)}
        kind = kinds.get(theirs, (str,))
        return [] if isinstance(ours, kind) else [f"{where} is {ours!r}"[:200]]
    # Nothing was recorded but the status.
    return [] if theirs in (None, ours) else [f"{where} is {ours!r} for {theirs!r}"[:200]]


def _told(answer: Any) -> Any:
    """What counts of an answer: its result, or the code of its error."""
    if isinstance(answer, list):
        return [_told(one) for one in answer]
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        return {"error": answer["error"].get("code")}
    return {"result": answer["result"]} if isinstance(answer, dict) and "result" in answer else None


def _status_told(answer: Any) -> Any:
    result = answer.get("result") if isinstance(answer, dict) else None
    return result.get("status") if isinstance(result, dict) else None


def _name(pair: dict[str, Any]) -> str:
    body = pair.get("body")
    called = body.get("method") if isinstance(body, dict) else None
    return str(pair.get("name") or called or pair.get("method", "POST"))
