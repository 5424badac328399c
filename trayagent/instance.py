"""One agent per home: the lock that the system frees when a process dies, and where to find the one that runs."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from filelock import FileLock, Timeout

from trayagent import __version__
from trayagent.files import remove_shared, write_private
from trayagent.model.errors import TrayagentError
from trayagent.settings import Home

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
"""What flock(2) says on shares, and on file systems of programs, that have none."""


class AlreadyRunningError(TrayagentError):
    """Another process has this home."""


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the home; raises AlreadyRunningError when somebody else does."""
    lock = FileLock(home.lock, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunningError(
            "already_running", "trayagent is running already.", "Use it through: trayagent status"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise TrayagentError(
            "no_locks",
            f"The disk of {home.lock.parent} knows no locks, so nothing keeps a second agent away.",
            "Use a folder on another disk: trayagent run --home DIR",
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def runtime_file(home: Home, port: int) -> Iterator[None]:
    """runtime.json (0600) says where we are, for as long as we are."""
    facts = {
        "url": f"http://127.0.0.1:{port}",
        "port": port,
        "pid": os.getpid(),
        "version": __version__,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    write_private(home.runtime, json.dumps(facts).encode())
    try:
        yield
    finally:
        # Whoever holds it open keeps it; the process that it names will not be there.
        with suppress(OSError):
            remove_shared(home.runtime)
