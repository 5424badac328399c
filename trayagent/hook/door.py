"""The listening sockets: loopback only, bound early, accepted late."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from trayagent.model.errors import TrayagentError

TRIES: Final = 10
"""A taken port means the next of so many."""
BACKLOG: Final = 1024
_NO_IPV6: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})


class PortTakenError(TrayagentError):
    """No port of the range is free."""


@dataclass(frozen=True, slots=True)
class Door:
    """Bound and listening on 127.0.0.1, and on ::1 where there is one; nobody is let in before `Hook.serve`."""

    port: int
    sockets: tuple[socket.socket, ...]

    @property
    def names(self) -> frozenset[str]:
        """What a Host header may say, in lower case."""
        hosts = ["127.0.0.1", "localhost", "localhost."]
        if any(sock.family == socket.AF_INET6 for sock in self.sockets):
            hosts.append("[::1]")
        return frozenset(f"{host}:{self.port}" for host in hosts)

    @property
    def url(self) -> str:
        """Where clients find us."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Let go of the port; harmless when done twice."""
        for sock in self.sockets:
            sock.close()

    def __repr__(self) -> str:
        return f"<Door at {self.url}>"


def bind(port: int, last: int | None = None) -> Door:
    """Take `port`, or the next of ten; 0 means any free one.

    `last` is the port of the time before: bookmarklets name it, so it is tried first when it is one
    of the ten. Raises PortTakenError when all are taken.
    """
    for candidate in _candidates(port, last):
        with contextlib.suppress(OSError):
            return _bind_both(candidate)
    raise PortTakenError(
        "port_taken",
        f"The ports {port} to {port + TRIES - 1} are all taken by other programs.",
        "Set another one with: trayagent config set hook.port 0",
    )


def _candidates(port: int, last: int | None) -> Iterator[int]:
    if port == 0:
        yield from [0] * TRIES
        return
    ten = [number for number in range(port, port + TRIES) if number < 65536]
    if last in ten:
        yield last
    yield from (number for number in ten if number != last)


def _bind_both(port: int) -> Door:
    first = _listen(socket.AF_INET, "127.0.0.1", port)
    chosen = first.getsockname()[1]
    try:
        return Door(chosen, (first, *_ipv6(chosen)))
    except OSError:
        first.close()
        raise


def _ipv6(port: int) -> Iterable[socket.socket]:
    # Somebody else's ::1:PORT would be "localhost" to a browser: then this port is not ours.
    if not socket.has_ipv6:
        return ()
    try:
        return (_listen(socket.AF_INET6, "::1", port),)
    except OSError as error:
        if error.errno in _NO_IPV6:
            return ()
        raise


def _listen(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
