"""The records beside finished files go once the rows are durable: many at a time, a moment later.

A record is what tells after a kill that a file is finished although its row does not say so yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from trayagent.model.errors import TrayagentError

log = logging.getLogger(__name__)

SPAN: Final = 0.25
"""Seconds that a record waits for others."""
MANY: Final = 64
"""So many wait for no more."""


class Record(NamedTuple):
    """Whose it is, and beside which file it lies."""

    n: int
    path: Path
    owner: str


class SettledRecords:
    """Hands records over in batches; `remove` gets them once each."""

    def __init__(self, remove: Callable[[Sequence[Record]], Awaitable[None]]) -> None:
        self._remove = remove
        self._waiting: list[Record] = []
        self._some = asyncio.Event()
        self._many = asyncio.Event()

    def add(self, record: Record) -> None:
        """The row of its download says by now that the file is here."""
        self._waiting.append(record)
        self._some.set()
        if len(self._waiting) >= MANY:
            self._many.set()

    async def run(self) -> None:
        """Remove until cancelled, then what is left."""
        try:
            while True:
                await self._some.wait()
                try:
                    async with asyncio.timeout(SPAN):
                        await self._many.wait()
                except TimeoutError:
                    pass
                await self._flush()
        finally:
            await self._flush()

    async def _flush(self) -> None:
        self._some.clear()
        self._many.clear()
        records, self._waiting = self._waiting, []
        if not records:
            return
        try:
            await self._remove(records)
        except (TrayagentError, OSError) as error:  # the next start removes them
            log.warning("The records of %d finished files stay for now: %s", len(records), error)

    def __repr__(self) -> str:
        return f"<SettledRecords: {len(self._waiting)} wait>"
