"""Popups: show a notice, tell which button was clicked; never in the way of a download."""

from __future__ import annotations

from typing import Protocol

from trayagent.model.events import Notice


class Notifier(Protocol):
    """Shows notices. Whether and when one is worth showing is decided by the announcer."""

    async def show(self, notice: Notice) -> None:
        """Show it, or quietly do nothing; never raises."""

    async def close(self) -> None:
        """Take back what is still on the screen."""


class NullNotifier:
    """The desktop without popups."""

    async def show(self, notice: Notice) -> None:
        pass

    async def close(self) -> None:
        pass
