"""Blocking work in the executor that a cancellation waits for, instead of leaving it behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Stop:
    """Tells work in another thread, which looks at it now and then, that nobody wants it any more."""

    __slots__ = ("asked",)

    def __init__(self) -> None:
        self.asked = False


async def in_executor(act: Callable[[], T], stop: Stop | None = None) -> T:
    """Run `act` in the loop's executor; a cancellation sets `stop` and takes effect once it is over."""
    return await undisturbed(asyncio.get_running_loop().run_in_executor(None, act), stop)


async def undisturbed(future: asyncio.Future[T], stop: Stop | None = None) -> T:
    """Wait for a future to its end, then let a cancellation that came meanwhile take effect.

    It sets `stop` at once, for work that looks at it.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError as error:
            cancelled = error
            if stop is not None:
                stop.asked = True
    if cancelled is not None:
        if not future.cancelled():
            future.exception()
        raise cancelled
    return future.result()
