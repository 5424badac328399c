"""Facts go up as events: one publisher's side, many listeners, none of whom can hurt it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from trayagent.model.events import Event

log = logging.getLogger(__name__)


class Subscription:
    """A place on the bus; close it, or use it as a context manager, to leave."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def close(self) -> None:
        """Leave the bus; harmless when done twice."""
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Bus:
    """Synchronous, for the loop's thread only, and not durable: the store is the truth."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[Event], None]] = {}

    def subscribe(self, listener: Callable[[Event], None]) -> Subscription:
        """Call `listener` with every event from now on."""
        place = object()
        self._listeners[place] = listener

        def leave() -> None:
            self._listeners.pop(place, None)

        return Subscription(leave)

    def publish(self, event: Event) -> None:
        """Tell everyone. A listener that fails is logged and does not reach the publisher."""
        for listener in tuple(self._listeners.values()):
            try:
                listener(event)
            except Exception:
                log.exception("A listener failed at %s", event.name)

    def __repr__(self) -> str:
        return f"<Bus with {len(self._listeners)} listeners>"
