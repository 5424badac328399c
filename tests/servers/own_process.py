"""A server that is a process of its own: a port for it, and the wait until it answers there."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.patience import patience

PORTS: Final = range(15_000, 30_000)
"""No system gives these away by itself, so none is another's before our server has taken it.

Linux gives 32768 and up to connections and to who asks for any port, Windows and macOS 49152 and up.
"""
LONGEST_WAIT_SECONDS: Final = 40.0
"""Less than the 60 of the test runner, which ends a test without a word of what it waited for."""


def unused_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_for_answer(
    process: subprocess.Popen[bytes],
    ask: Callable[[], object],
    errors: Path,
    within: float = 20.0,
) -> None:
    """Ask until it answers, which is until no OSError is raised.

    By the clock, never by a number of tries: a port where nobody listens yet refuses at once. A server
    that has ended by itself is not waited for; what it wrote to `errors` is the failure.
    """
    end = time.monotonic() + min(patience(within), LONGEST_WAIT_SECONDS)
    while (refusal := _refusal(ask)) is not None:
        said = errors.read_text(errors="replace")[-2000:]
        status = process.poll()
        assert status is None, f"{process.args!r} has ended ({status}): {said}"
        assert time.monotonic() < end, f"not within {within} s: {process.args!r}: {refusal} {said}"
        time.sleep(0.02)


def _refusal(ask: Callable[[], object]) -> OSError | None:
    try:
        ask()
    except OSError as error:
        return error
    return None


def connect(port: int) -> None:
    """Open a connection, and close it. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), 5):
        pass
