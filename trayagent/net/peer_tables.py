"""What each system says about whose process has a connection (see `peer_user`).

Linux answers one question; macOS and Windows give the whole table of connections. Reading the bytes
is pure and is tested with tables made for it; the calls that fetch them run on their systems only.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final


class Owner(Enum):
    """Who owns the other end.

    GONE: nobody does any more. A socket whose process has closed it has no owner that could be
    trusted (Linux calls it root's), and nobody would read an answer.
    """

    US = "this user"
    SYSTEM = "root or the system"
    ANOTHER = "another user"
    GONE = "nobody"
    UNKNOWN = "the system cannot say"


@dataclass(frozen=True, slots=True)
class Ends:
    """A connection as its other end sees it: `own` is the other end's address, `ours` is our own."""

    family: int
    own: tuple[bytes, int]
    """Packed address, port."""
    ours: tuple[bytes, int]


Table = Callable[[Ends], Owner]


def say_unknown(ends: Ends) -> Owner:
    """For a system that has no way to ask."""
    del ends
    return Owner.UNKNOWN


def owner_of_uid(uid: int) -> Owner:
    """The owner that a user number stands for."""
    if sys.platform == "win32":
        return Owner.UNKNOWN  # users have no numbers there
    if uid == os.geteuid():
        return Owner.US
    return Owner.SYSTEM if uid == 0 else Owner.ANOTHER


# -- Linux

_NETLINK_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
"""SOCK_DIAG_BY_FAMILY (linux/sock_diag.h), the type of question and answer."""
_LISTEN: Final = 10
"""TCP_LISTEN (net/tcp_states.h)."""
_HEAD: Final = 16
"""Bytes of a netlink header."""
_ENOENT: Final = -2
_ANY: Final = 0xFFFFFFFF
"""Any state; and INET_DIAG_NOCOOKIE, half of it."""


def ask_sock_diag(ends: Ends) -> Owner:
    """One netlink question (sock_diag(7)); the kernel answers while it is sent, so nothing waits."""
    if sys.platform != "linux":
        return Owner.UNKNOWN
    # struct inet_diag_req_v2 (linux/inet_diag.h): the socket whose source is the other end.
    (own, own_port), (ours, our_port) = ends.own, ends.ours
    family = socket.AF_INET6 if len(own) == 16 else socket.AF_INET
    question = struct.pack("=IHHII", _HEAD + 56, _BY_FAMILY, 1, 1, 0) + (
        struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ANY)
        + struct.pack("!HH", own_port, our_port)
        + own.ljust(16, b"\0")
        + ours.ljust(16, b"\0")
        + struct.pack("=III", 0, _ANY, _ANY)
    )
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
            netlink.setblocking(False)
            netlink.send(question)
            return owner_in_answer(netlink.recv(8192), ends)
    except OSError:
        return Owner.UNKNOWN


def owner_in_answer(answer: bytes, ends: Ends) -> Owner:
    """What struct inet_diag_msg says, behind the netlink header.

    Two answers are not what they look like: where the connection is gone, the kernel offers a
    listener on the same port instead; and a socket without an inode belongs to no process.
    """
    if len(answer) < _HEAD + 72 or struct.unpack_from("=H", answer, 4)[0] != _BY_FAMILY:
        code = struct.unpack_from("=i", answer, _HEAD)[0] if len(answer) >= _HEAD + 4 else 0
        return Owner.GONE if code == _ENOENT else Owner.UNKNOWN
    _, state = struct.unpack_from("=BB", answer, _HEAD)
    ports = struct.unpack_from("!HH", answer, _HEAD + 4)
    uid, inode = struct.unpack_from("=II", answer, _HEAD + 64)
    if state == _LISTEN or inode == 0 or ports != (ends.own[1], ends.ours[1]):
        return Owner.GONE
    return owner_of_uid(uid)


def read_proc(ends: Ends) -> Owner:
    """The kernel's text tables (proc(5)): addresses in words of the machine's byte order, hexadecimal."""
    try:
        for name in ("tcp", "tcp6"):
            with Path(f"/proc/net/{name}").open(encoding="ascii") as table:
                found = owner_in_proc(table, ends, six=name == "tcp6")
            if found is not Owner.GONE:
                return found
    except OSError:
        return Owner.UNKNOWN
    return Owner.GONE


def owner_in_proc(lines: Iterable[str], ends: Ends, *, six: bool) -> Owner:
    """The owner in one of these tables; GONE where the connection is not in it."""
    own, ours = (_hexadecimal(end, six=six) for end in (ends.own, ends.ours))
    for line in lines:
        words = line.split()
        if len(words) > 9 and words[1] == own and words[2] == ours:
            return owner_of_uid(int(words[7])) if words[9] != "0" else Owner.GONE
    return Owner.GONE


def _hexadecimal(end: tuple[bytes, int], *, six: bool) -> str:
    address, port = end
    if six and len(address) == 4:
        address = b"\0" * 10 + b"\xff\xff" + address
    words = struct.unpack(f"={len(address) // 4}I", address)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


# -- macOS

_SOCKET: Final = 0x001
_INPCB: Final = 0x010
"""XSO_SOCKET and XSO_INPCB (xnu, bsd/sys/socketvar.h)."""
_XINPGEN: Final = 24
"""Bytes of the header of the table."""
_V4: Final = 0x1


def read_pcblist(ends: Ends) -> Owner:
    """Every TCP connection of the machine with the user of its socket."""
    libc = ctypes.CDLL(None, use_errno=True)
    name, size = b"net.inet.tcp.pcblist_n", ctypes.c_size_t(0)
    if libc.sysctlbyname(name, None, ctypes.byref(size), None, 0):
        return Owner.UNKNOWN
    size.value += size.value // 8  # connections may come between the two calls
    table = ctypes.create_string_buffer(size.value)
    if libc.sysctlbyname(name, table, ctypes.byref(size), None, 0):
        return Owner.UNKNOWN
    return owner_in_pcblist(table.raw[: size.value], ends)


def owner_in_pcblist(table: bytes, ends: Ends) -> Owner:
    """The owner in the table: for each connection a record of its addresses, then one of its socket."""
    wanted = False
    for kind, record in _records(table):
        if kind == _INPCB:
            wanted = len(record) >= 80 and _ends_in(record) == (ends.own, ends.ours)
        elif kind == _SOCKET and wanted and len(record) >= 68:
            return owner_of_uid(struct.unpack_from("=I", record, 64)[0])
    return Owner.GONE


def _records(table: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each record; each begins at a multiple of eight and tells its length."""
    at = _XINPGEN
    while at + 8 <= len(table):
        length, kind = struct.unpack_from("=II", table, at)
        if length <= _XINPGEN:  # the end of the table is its header again
            return
        yield kind, table[at : at + length]
        at += (length + 7) & ~7


def _ends_in(record: bytes) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    """Local and foreign end of struct xinpcb_n (xnu, bsd/netinet/in_pcb.h)."""
    foreign_port, local_port = struct.unpack_from("!HH", record, 16)
    begin = 12 if record[44] & _V4 else 0
    return (record[64 + begin : 80], local_port), (record[48 + begin : 64], foreign_port)


# -- Windows

_OWNER_PID_CONNECTIONS: Final = 4
"""TCP_TABLE_OWNER_PID_CONNECTIONS."""
_AF_INET: Final = 2
_AF_INET6: Final = 23
_INSUFFICIENT_BUFFER: Final = 122
"""ERROR_INSUFFICIENT_BUFFER (winerror.h)."""
_TABLE_BYTES: Final = 1 << 16
"""Room for 2,700 connections over IPv4, or 1,170 over IPv6: more than most machines have."""
_MOST_TABLE_BYTES: Final = 1 << 24
"""Room for 300,000 connections over IPv6, four times as many as there are ports."""
_SYSTEM: Final = 4
"""The process of the kernel itself."""
SidOf = Callable[[int], bytes | None]
"""The security identifier of the user of a process; None where it is not for us to see."""
_LOCAL_SYSTEM: Final = bytes.fromhex("010100000000000512000000")
"""S-1-5-18."""


def read_tcp_table(ends: Ends) -> Owner:
    """The connections of the machine with their processes, then the user of the process."""
    table = fetch_tcp_table(six=len(ends.own[0]) == 16)
    if table is None:
        return Owner.UNKNOWN
    return owner_of_process(pid_in_table(table, ends), user_of_process)


def pid_in_table(table: bytes, ends: Ends) -> int | None:
    """The process in a MIB_TCPTABLE_OWNER_PID or MIB_TCP6TABLE_OWNER_PID.

    None: the connection is in it no more. 0: no process has it, as in TIME_WAIT.
    """
    (count,) = struct.unpack_from("<I", table)
    six = len(ends.own[0]) == 16
    # Both ports are in network order, in the first two bytes of four.
    row = struct.Struct("<16s4x2s2x16s4x2s2xII" if six else "<I4s2s2x4s2s2xI")
    for index in range(count):
        if 4 + (index + 1) * row.size > len(table):
            return None
        fields = row.unpack_from(table, 4 + index * row.size)
        local, local_port, remote, remote_port = fields[:4] if six else fields[1:5]
        own, ours = (
            (address, int.from_bytes(port, "big"))
            for address, port in ((local, local_port), (remote, remote_port))
        )
        if (own, ours) == (ends.own, ends.ours):
            return int(fields[-1])
    return None


def owner_of_process(pid: int | None, sid_of: SidOf, own: int | None = None) -> Owner:
    """The owner that a process stands for; one that we may not look at is another user's."""
    if not pid:
        return Owner.GONE
    mine, theirs = sid_of(os.getpid() if own is None else own), sid_of(pid)
    if mine is None:
        return Owner.UNKNOWN
    if theirs == mine:
        return Owner.US
    return Owner.SYSTEM if pid == _SYSTEM or theirs == _LOCAL_SYSTEM else Owner.ANOTHER


def fetch_tcp_table(*, six: bool) -> bytes | None:
    """GetExtendedTcpTable (iphlpapi.h): all connections over IPv4, or over IPv6; no listeners."""
    if sys.platform != "win32":
        return None
    ask: Any = ctypes.windll.iphlpapi.GetExtendedTcpTable
    family = _AF_INET6 if six else _AF_INET
    return whole_table(
        lambda table, size: ask(table, size, False, family, _OWNER_PID_CONNECTIONS, 0)
    )


def whole_table(ask: Callable[[Any, Any], int]) -> bytes | None:
    """What `ask(buffer, pointer to its size)` writes; None when it fails.

    A table that outgrew its buffer is asked for again with more room. To give up at the first time
    would let another user in: they only had to connect between the question for the size and the
    next, and then the system could not say whose the connection is.
    """
    room = _TABLE_BYTES
    while room <= _MOST_TABLE_BYTES:
        table, size = ctypes.create_string_buffer(room), ctypes.c_ulong(room)
        code = ask(table, ctypes.byref(size))
        if code != _INSUFFICIENT_BUFFER:
            return None if code else table.raw
        room = max(2 * room, size.value)
    return None


def user_of_process(pid: int) -> bytes | None:
    """The user's security identifier, from the token of the process."""
    if sys.platform != "win32":
        return None
    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)
    advapi: Any = ctypes.WinDLL("advapi32", use_last_error=True)
    for call in (kernel.OpenProcess, kernel.GetCurrentProcess):
        call.restype = ctypes.c_void_p
    query_limited, token_query, token_user = 0x1000, 0x0008, 1
    process = kernel.OpenProcess(query_limited, False, pid)
    if not process:
        return None
    token = ctypes.c_void_p()
    try:
        if not advapi.OpenProcessToken(ctypes.c_void_p(process), token_query, ctypes.byref(token)):
            return None
        size, said = ctypes.c_ulong(0), ctypes.create_string_buffer(256)
        if not advapi.GetTokenInformation(token, token_user, said, 256, ctypes.byref(size)):
            return None
        sid = ctypes.c_void_p.from_buffer(said)
        length: int = advapi.GetLengthSid(sid)
        return ctypes.string_at(sid.value or 0, length)
    finally:
        for value in filter(None, (token.value, process)):
            kernel.CloseHandle(ctypes.c_void_p(value))


_BY_SYSTEM: Final[dict[str, tuple[Table, ...]]] = {
    "linux": (ask_sock_diag, read_proc),
    "darwin": (read_pcblist,),
    "win32": (read_tcp_table,),
}
TABLES: Final = _BY_SYSTEM.get(sys.platform, ())
"""What can be asked here, the quickest first."""
