"""A request's body, with the two limits that only show while it arrives: its size and its time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from trayagent.hook.connections import BODY
from trayagent.hook.gate import MAX_BODY, TOO_LARGE
from trayagent.hook.knock import Refusal

_TOO_SLOW = Refusal(408, "too_slow", "The body took too long.")
_BROKEN = Refusal(400, "bad_request", "The body is not framed as HTTP asks.")


async def read_body(
    request: web.BaseRequest, *, limit: int = MAX_BODY, seconds: float = BODY
) -> bytes | Refusal:
    """The whole body; refused at the byte that is too much, or when time is up.

    Raises ConnectionError when the client is gone.
    """
    if not request.can_read_body:
        return b""
    pieces = bytearray()
    try:
        async with asyncio.timeout(seconds):
            if request.headers.get("Expect", "").lower() == "100-continue":
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
            while piece := await request.content.readany():
                pieces += piece
                if len(pieces) > limit:
                    return TOO_LARGE
    except TimeoutError:
        return _TOO_SLOW
    except web.RequestPayloadError:
        return _BROKEN
    return bytes(pieces)
