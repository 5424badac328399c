"""Whose process is at the other end of a connection on this machine.

A loopback port is open to every account of the machine. The kernel knows which user owns the socket
at the other end, so it is asked as soon as a connection is there, before a byte of it is looked at.

| system | asked | takes |
|---|---|---|
| Linux | `sock_diag(7)`: one question about exactly this pair of addresses | 0.1 ms |
| Linux without it | `/proc/net/tcp`, `/proc/net/tcp6`, read through | 2 ms |
| macOS | the `net.inet.tcp.pcblist_n` sysctl, read through | not measured |
| Windows | `GetExtendedTcpTable`, then the user of the process | not measured |

Each is a `Table`: it is given the two addresses as the other end sees them and answers with the
owner. A system that has none of them says UNKNOWN, and then the token alone decides, as before.
"""

from __future__ import annotations

import socket
from functools import cache
from typing import Protocol

from trayagent.net.peer_tables import TABLES, Ends, Owner, Table, say_unknown


class SocketEnd(Protocol):
    """What is needed of a socket; asyncio's own wrapper of one has it too."""

    @property
    def family(self) -> int: ...
    def getsockname(self) -> tuple[object, ...]: ...
    def getpeername(self) -> tuple[object, ...]: ...


def is_another_users(sock: SocketEnd, table: Table | None = None) -> bool:
    """Whether a connection comes from a process of another user, or from none that is left.

    Root may do anything here anyway, so root is let in. False where the system cannot say.
    """
    ends = ends_of(sock)
    if ends is None:
        return True  # it ended before we could ask
    return (table or table_of_system())(ends) in (Owner.ANOTHER, Owner.GONE)


def ends_of(sock: SocketEnd) -> Ends | None:
    """Both addresses of a TCP connection; None when it has ended."""
    try:
        ours, own = sock.getsockname(), sock.getpeername()
        return Ends(int(sock.family), _address_bytes(own), _address_bytes(ours))
    except OSError:
        return None


def can_tell(table: Table | None = None) -> bool:
    """Whether this system says who is at the other end: tried out on a connection of our own."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()),
    ):
        near, _ = listening.accept()
        with near:
            ends = ends_of(near)
            found = (table or table_of_system())(ends) if ends else Owner.GONE
    return found in (Owner.US, Owner.SYSTEM)


@cache
def table_of_system() -> Table:
    """The quickest way to ask that works here."""
    return next((table for table in TABLES if can_tell(table)), say_unknown)


def _address_bytes(name: tuple[object, ...]) -> tuple[bytes, int]:
    """An address of `getsockname` as bytes; an IPv4 address in IPv6's clothes is one of IPv4."""
    host, port = str(name[0]).partition("%")[0], name[1]
    assert isinstance(port, int)
    if ":" not in host:
        return socket.inet_aton(host), port
    packed = socket.inet_pton(socket.AF_INET6, host)
    return (packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed), port
