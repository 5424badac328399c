"""aiohttp's handler of a connection, which also tells whoever reads a body what went wrong."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

import aiohttp
from aiohttp.client_proto import ResponseHandler


class Handler(ResponseHandler):
    """A fault in the framing that its parser finds late ends the body at once.

    aiohttp keeps such an error for whoever waits for the next answer. The body's reader would wait
    for bytes that cannot come any more, until its patience is over.
    """

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """The connection is of no further use; nor is a body that had not ended."""
        if exc_cause is None:
            super().set_exception(exc)
        else:
            super().set_exception(exc, exc_cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(exc)

    def connection_lost(self, exc: BaseException | None) -> None:
        """A connection that broke ends no body, not even one that only its close could end.

        aiohttp asks its parser alone whether such a body is over, and that does not know of the break.
        """
        body = self._payload
        if exc is not None and body is not None and not body.is_eof() and body.exception() is None:
            args = exc.args if isinstance(exc, OSError) else ()
            body.set_exception(aiohttp.ClientOSError(*args))
        super().connection_lost(exc)


def handled(connector: aiohttp.BaseConnector) -> aiohttp.BaseConnector:
    """The connector, whose connections get this handler; to be called on the loop."""
    loop = asyncio.get_running_loop()
    make: Callable[..., ResponseHandler] = Handler
    connector._factory = functools.partial(make, loop=loop)  # noqa: SLF001
    return connector
