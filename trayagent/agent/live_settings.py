"""The settings while the agent runs: the current value, and changes that take effect at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from trayagent.model.settings import Config


class LiveSettings:
    """A change is written to config.toml first, then given to the parts that follow the settings."""

    def __init__(self, config: Config, write: Callable[[Mapping[str, Any]], Config]) -> None:
        self._config = config
        self._write = write
        self._followers: list[Callable[[Config], None]] = []
        self._turn = asyncio.Lock()

    @property
    def config(self) -> Config:
        """The settings now."""
        return self._config

    def follow(self, apply: Callable[[Config], None]) -> None:
        """Call `apply` with the new settings after every change."""
        self._followers.append(apply)

    async def change(self, changes: Mapping[str, Any]) -> Config:
        """Write nested changes (`{"downloads": {"workers": 2}}`); raises ConfigError and changes nothing then."""
        return await self.revise(lambda _config: changes)

    async def revise(self, changes: Callable[[Config], Mapping[str, Any]]) -> Config:
        """Write what `changes` makes of the settings as they are when its turn comes; raises as `change` does."""
        async with self._turn:  # two writers of one file would each undo the other's change
            # The file first: a change that cannot be written, or makes no sense, changes nothing.
            written = changes(self._config)
            self._config = await asyncio.to_thread(self._write, written)
            for apply in self._followers:
                apply(self._config)
            return self._config
