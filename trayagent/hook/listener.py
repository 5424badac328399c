"""The listening sockets: loopback only, bound early in a start, accepted from at its end."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from typing import Final

from msgspec import Struct

from trayagent.model.errors import TrayagentError

PORTS_TRIED: Final = 10
"""So many ports in a row are tried before we give up."""
# Clients that come while we start, or in a rush, wait in the kernel; the system may cap this.
BACKLOG: Final = 1024
_NO_IPV6: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})


class PortTakenError(TrayagentError):
    """No port of the range is free."""


class Listener(Struct, frozen=True):
    """Sockets that listen on 127.0.0.1, and on ::1 where the machine has it.

    The kernel queues clients until `HookServer.serve` accepts them.
    """

    port: int
    sockets: tuple[socket.socket, ...]

    @property
    def host_names(self) -> frozenset[str]:
        """The values that a Host header may have, in lower case."""
        hosts = ["127.0.0.1", "localhost", "localhost."]
        if any(sock.family == socket.AF_INET6 for sock in self.sockets):
            hosts.append("[::1]")
        return frozenset(f"{host}:{self.port}" for host in hosts)

    @property
    def url(self) -> str:
        """The address that our own programs, bookmarklets and browsers use."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Free the port; closing twice is harmless."""
        for sock in self.sockets:
            sock.close()

    def __repr__(self) -> str:
        return f"<Listener at {self.url}>"


def bind(port: int, last: int | None = None) -> Listener:
    """Listen on `port`, or on the first free one of the nine after it; 0 means any free port.

    `last` is the port of the run before. Bookmarklets name it, so it is tried first when it is one
    of the ten. Raises PortTakenError when all are taken.
    """
    ports = [number for number in range(port, port + PORTS_TRIED) if number < 65536]
    if last in ports:
        ports = [last, *(number for number in ports if number != last)]
    if port == 0:
        # A port that is free on IPv4 may be taken on IPv6, so one try is not enough.
        ports = [0] * PORTS_TRIED
    for candidate in ports:
        with contextlib.suppress(OSError):
            first = _listen(socket.AF_INET, "127.0.0.1", candidate)
            chosen = first.getsockname()[1]
            sockets = [first]
            # A stranger's [::1]:PORT would be "localhost" to a browser: then this port is not ours, and
            # the next one is tried. A machine without IPv6 has no such stranger.
            try:
                if socket.has_ipv6:
                    sockets.append(_listen(socket.AF_INET6, "::1", chosen))
            except OSError as error:
                if error.errno not in _NO_IPV6:
                    first.close()
                    raise
            return Listener(chosen, tuple(sockets))
    raise PortTakenError(
        "port_taken",
        f"The ports {port} to {port + PORTS_TRIED - 1} are all taken by other programs.",
        "Set another one with: trayagent config set hook.port 0",
    )


def _listen(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # Windows lets another program bind the same port, and take our clients, unless told not to.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # After a restart, connections of the run before keep the port busy for a minute (TIME_WAIT).
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
