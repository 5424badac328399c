"""The heartbeat of a running transfer: it tells progress and brings what is here to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from trayagent.transfer.executor import undisturbed

PERIOD: Final = 0.25
"""Seconds between beats."""
SAVES: Final = 4
"""Beats between saves."""


class Pulse:
    """Calls `tell` on every beat and runs `save` in the executor about once a second, one at a time.

    One timer instead of work for every chunk; a transfer that ends at once only cancels it. `save`
    returns None while there is nothing to do.
    """

    def __init__(
        self, tell: Callable[[], None], save: Callable[[], Callable[[], None] | None]
    ) -> None:
        self._tell = tell
        self._save = save
        self._loop = asyncio.get_running_loop()
        self._saving: asyncio.Future[None] | None = None
        self._beats = 0
        self._handle = self._loop.call_later(PERIOD, self._beat)

    def _beat(self) -> None:
        self._handle = self._loop.call_later(PERIOD, self._beat)
        self._beats += 1
        self._tell()
        if self._beats % SAVES == 0 and (self._saving is None or self._saving.done()):
            act = self._save()
            self._saving = self._loop.run_in_executor(None, act) if act is not None else None

    async def stop(self) -> None:
        """No more beats; returns once a save under way is over. Raises what that raised."""
        self._handle.cancel()
        if self._saving is not None:
            await undisturbed(self._saving)
