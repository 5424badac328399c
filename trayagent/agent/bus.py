"""The way up: whoever does something publishes an event, and listeners hear of it.

Listeners are called at once, in the order in which they came, and must not wait for anything: they
note what they heard and wake their own task. One that fails hurts neither the publisher nor others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from trayagent.model.events import Event

log = logging.getLogger(__name__)


class Subscription:
    """One listener's; close it, or use it as a context manager, to hear nothing more."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def close(self) -> None:
        """Hear nothing more; harmless when done twice."""
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
    """For the front loop only, and not durable: the store is the truth."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[Event], None]] = {}

    def subscribe(self, listener: Callable[[Event], None]) -> Subscription:
        """Call `listener` with every event from now on."""
        # A key of its own: one function may listen twice, and a bound method equals itself.
        key = object()
        self._listeners[key] = listener

        def leave() -> None:
            self._listeners.pop(key, None)

        return Subscription(leave)

    def publish(self, event: Event) -> None:
        """Call every listener. The error of one is logged and does not reach the publisher."""
        # A copy: listeners come and go while they are called.
        for listener in tuple(self._listeners.values()):
            try:
                listener(event)
            except Exception:
                log.exception("A listener failed at %s", event.name)

    def __repr__(self) -> str:
        return f"<Bus with {len(self._listeners)} listeners>"
