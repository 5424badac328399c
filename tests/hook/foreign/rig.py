"""A running hook, and an aria2 client that knows its secret: by POST and over a WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

from tests.hook.rig import Answer, Rig
from trayagent.model.access import Connection

EXTENSION = "chrome-extension://abcdefghijklmnop"
ADDRESS = "http://example.com/film.mp4"


@dataclass
class ForeignRig:
    """The hook and the client."""

    rig: Rig
    connection: Connection

    @classmethod
    async def of(cls, rig: Rig) -> Self:
        """A new client of a running hook."""
        return cls(rig, await rig.agent.clients.connect("aria2", "", rig.origin))

    @property
    def token(self) -> str:
        return f"token:{self.connection.secret}"

    def message(self, method: str, *params: Any, token: str | None = "own") -> dict[str, Any]:
        """A call; `token="own"` is the client's, None is none."""
        shown = [self.token if token == "own" else token] if token is not None else []
        name = method if "." in method else f"aria2.{method}"
        return {"jsonrpc": "2.0", "id": "1", "method": name, "params": [*shown, *params]}

    async def post(self, body: Any, **headers: str | None) -> Answer:
        """What a POST of a JSON value, or of bytes, is answered."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given: Mapping[str, str | None] = {"Content-Type": None, **headers}
        return await self.rig.ask("POST", "/jsonrpc", raw=raw, token=None, headers=given)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of a call that must not fail."""
        answer = await self.post(self.message(method, *params))
        assert answer.status == 200, answer.json()
        return answer.json()["result"]

    async def call_raw(self, calls: list[dict[str, Any]]) -> Any:
        """The results of a multicall."""
        answer = await self.post({"id": 1, "method": "system.multicall", "params": [calls]})
        return answer.json()["result"]

    async def fail(self, method: str, *params: Any) -> str:
        """The message of a call that must fail in aria2's way."""
        answer = await self.post(self.message(method, *params))
        assert (answer.status, answer.json()["error"]["code"]) == (400, 1), answer.json()
        return str(answer.json()["error"]["message"])

    async def add(self, url: str = ADDRESS, options: Any = None, *rest: Any) -> str:
        """The gid of a new download."""
        return str(await self.call("addUri", [url], options or {}, *rest))

    @asynccontextmanager
    async def socket(self, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """An open WebSocket."""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.rig.origin}/jsonrpc", headers=headers) as socket,
        ):
            yield socket
