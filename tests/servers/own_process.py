"""A server that is a program of its own: its port, its start, the wait until it answers, and its end."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.patience import patience

PORTS: Final = range(15_000, 30_000)
"""No system gives these away by itself, so none is another's before our server has taken it.

Linux gives 32768 and up to connections and to who asks for any port, Windows and macOS 49152 and up.
"""
LONGEST_WAIT_SECONDS: Final = 40.0
"""Less than the 60 of the test runner, which ends a test without a word of what it waited for."""


class OwnProcess:
    """A context manager: the program answers inside it, and has ended after it.

    A subclass gives the `command`, and may say what counts as an answer (`ask`) and how it ends (`end`).
    """

    start_seconds = 20.0
    """How long its start may take on a machine of our own."""

    def __init__(self, folder: Path) -> None:
        """Its files are in this folder, also what it says: `stderr`."""
        self.folder = folder
        self.port = unused_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The program and its words."""
        raise NotImplementedError

    def ask(self) -> None:
        """Raises OSError as long as it does not answer."""
        connect(self.port)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self) -> None:
        """Start it, also once more at the same port, and wait until it answers."""
        errors = self.folder / "stderr"
        with errors.open("wb") as said:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        try:
            wait_for_answer(self._process, self.ask, errors, self.start_seconds)
        except BaseException:  # nobody else would end it: the block is never entered
            self.kill()
            raise

    def end(self) -> None:
        """End it at the end of the block; most programs have nothing to put in order."""
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would; nothing happens where it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


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
