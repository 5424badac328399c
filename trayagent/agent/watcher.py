"""Hints that something changed in a folder. The scan is the truth; a lost hint costs seconds only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)


class _Hints(FileSystemEventHandler):
    """Runs on watchdog's thread; touches nothing but the door into the loop."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("created", "modified", "moved", "deleted", "closed"):
            self._ring()


class Watcher:
    """Watches one folder, not its sub-folders; call from one thread at a time, it blocks a little."""

    def __init__(self, folder: Path, ring: Callable[[], None], *, poll: bool) -> None:
        self._folder = folder
        self._hints = _Hints(ring)
        self._poll = poll
        self._observer: BaseObserver | None = None
        self._inode = 0

    def ensure(self) -> bool:
        """Watch the folder that is there now: it may have been replaced, or have been away.

        True: this folder is watched only from now on, so what came just before gave no hint.
        """
        try:
            inode = self._folder.stat().st_ino
        except OSError:
            inode = 0
        if (
            inode
            and inode == self._inode
            and self._observer is not None
            and self._observer.is_alive()
        ):
            return False
        self.stop()
        another = inode not in (0, self._inode)
        if inode:
            self._start()
            self._inode = inode
        return another

    def stop(self) -> None:
        """Let go of the folder."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
            self._observer = None

    def _start(self) -> None:
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver

        observer = PollingObserver(timeout=1) if self._poll else Observer()
        try:
            observer.schedule(self._hints, str(self._folder))
            observer.start()
        except OSError as error:
            # No watches are left, or there is no such service: the scan still finds everything.
            log.warning("Changes of the drop folder are found by looking only (%s)", error)
            return
        self._observer = observer


@contextmanager
def into_loop(bell: asyncio.Event) -> Iterator[Callable[[], None]]:
    """A way to ring a bell of this loop from any thread; silent once the loop has gone."""
    loop = asyncio.get_running_loop()

    def ring() -> None:
        try:
            loop.call_soon_threadsafe(bell.set)
        except RuntimeError:
            return

    yield ring
