"""Keeps the board: the status of the agent, folded from events."""

from __future__ import annotations

from trayagent.agent.bus import Bus
from trayagent.model.events import Event
from trayagent.model.status import Board, Status, fold


class Keeper:
    """Starts from the store's counts; from then on events are enough."""

    def __init__(self, bus: Bus, start: Status) -> None:
        self.board = Board(start)
        self._place = bus.subscribe(self._hear)

    @property
    def status(self) -> Status:
        """The status now."""
        return self.board.status

    def _hear(self, event: Event) -> None:
        self.board = fold(self.board, event)

    def close(self) -> None:
        """Stop listening."""
        self._place.close()
