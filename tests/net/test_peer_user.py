"""Another user's connection is told from ours before a byte is read; where nobody can say, so is that."""

from __future__ import annotations

import os
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.wine import WINE
from trayagent.net import peer_tables, peer_user
from trayagent.net.peer_tables import Ends, Owner
from trayagent.net.peer_user import ends_of, is_another_users

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user"
)
NOBODY = 65534
TABLES = [peer_tables.ask_sock_diag, peer_tables.read_proc]

CLIENT = """
import encodings.idna, os, socket, sys
host, port, uid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if uid: os.setgroups([]), os.setgid(uid), os.setuid(uid)
conn = socket.create_connection((host, port))
print("there", flush=True)
for line in sys.stdin:
    if line == "half\\n": conn.shutdown(socket.SHUT_WR)
    if line == "close\\n": conn.close()
    print("done", flush=True)
"""


class Client:
    """A process of some user with a connection to us."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def tell(self, what: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@contextmanager
def connected(uid: int = 0, host: str = "127.0.0.1") -> Iterator[tuple[socket.socket, Client]]:
    """Our end of a connection, and the process that made it; uid 0 is the one that runs this."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        listening.settimeout(20)
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, host, str(port), str(uid)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            near, _ = listening.accept()
            with near:
                assert process.stdout is not None
                assert process.stdout.readline() == "there\n"
                yield near, Client(process)
        finally:
            process.kill()
            process.communicate()


def asked(sock: socket.socket) -> Ends:
    ends = ends_of(sock)
    assert ends is not None
    return ends


@LINUX
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_our_own_process_is_ours(table: peer_tables.Table, host: str) -> None:
    with connected(host=host) as (near, _):
        assert table(asked(near)) is Owner.US
        assert not is_another_users(near, table)


@LINUX
@ROOT
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_another_users_process_is_not(table: peer_tables.Table, host: str) -> None:
    with connected(NOBODY, host) as (near, _):
        assert table(asked(near)) is Owner.ANOTHER
        assert is_another_users(near, table)


@LINUX
@ROOT
@pytest.mark.parametrize("table", TABLES)
def test_a_half_closed_connection_keeps_its_owner(table: peer_tables.Table) -> None:
    with connected(NOBODY) as (near, client):
        client.tell("half")
        assert table(asked(near)) is Owner.ANOTHER


@LINUX
@ROOT
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("closed", [False, True], ids=["waiting", "closed by both"])
def test_a_closed_socket_is_nobodys_and_never_roots(table: peer_tables.Table, closed: bool) -> None:
    # Linux calls a socket without a process root's: who closes at once would come in as root.
    with connected(NOBODY) as (near, client):
        ends = asked(near)
        client.tell("close")
        if closed:
            near.shutdown(socket.SHUT_WR)
        assert table(ends) is Owner.GONE


@LINUX
def test_a_listener_on_the_port_of_a_gone_connection_is_not_taken_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        gone = Ends(socket.AF_INET, (b"\x7f\0\0\1", port), (b"\x7f\0\0\1", 9))
        assert peer_tables.ask_sock_diag(gone) is Owner.GONE
        assert peer_tables.read_proc(gone) is Owner.GONE


@LINUX
def test_the_question_is_quick() -> None:
    with connected() as (near, _):
        seconds = []
        for _ in range(2000):
            began = time.perf_counter()
            is_another_users(near, peer_tables.ask_sock_diag)
            seconds.append(time.perf_counter() - began)
    assert statistics.median(seconds) < 0.0003


@LINUX
def test_this_system_can_tell_and_asks_the_quick_way() -> None:
    assert peer_user.can_tell()
    assert peer_user.table_of_system() is peer_tables.ask_sock_diag


def test_where_nobody_can_say_the_token_alone_decides() -> None:
    assert not peer_user.can_tell(peer_tables.say_unknown)
    with connected() as (near, _):
        assert not is_another_users(near, peer_tables.say_unknown)


def test_a_connection_that_ended_before_it_was_asked_about_is_nobodys() -> None:
    with connected() as (near, _):
        near.close()
        assert is_another_users(near, peer_tables.say_unknown)


def test_odd_answers_of_the_kernel_say_nothing() -> None:
    ends = Ends(socket.AF_INET, (b"\x7f\0\0\1", 1), (b"\x7f\0\0\1", 2))
    assert peer_tables.owner_in_answer(b"", ends) is Owner.UNKNOWN
    refused = struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -13)
    assert peer_tables.owner_in_answer(refused, ends) is Owner.UNKNOWN


# -- tables of other systems, made for the test

V4 = Ends(socket.AF_INET, (b"\x7f\0\0\1", 51000), (b"\x7f\0\0\1", 17830))
V6 = Ends(socket.AF_INET6, (b"\0" * 15 + b"\1", 51000), (b"\0" * 15 + b"\1", 17830))
EACH = pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
STRANGER = Ends(socket.AF_INET, (b"\x7f\0\0\1", 51001), (b"\x7f\0\0\1", 17830))


def darwin(ends: Ends, uid: int) -> bytes:
    """The two records of a connection, as xnu writes them, with one between that is skipped."""
    (own, own_port), (ours, our_port) = ends.own, ends.ours
    pcb = bytearray(104)
    struct.pack_into("=II", pcb, 0, 104, 0x010)
    struct.pack_into("!HH", pcb, 16, our_port, own_port)
    pcb[44] = 1 if len(own) == 4 else 2
    pcb[48:64], pcb[64:80] = ours.rjust(16, b"\0"), own.rjust(16, b"\0")
    sock, skipped = bytearray(100), struct.pack("=II", 30, 0x020) + bytes(24)
    struct.pack_into("=II", sock, 0, 100, 0x001)
    struct.pack_into("=I", sock, 64, uid)
    return bytes(pcb) + bytes(sock) + bytes(4) + skipped


@pytest.mark.skipif(sys.platform == "win32", reason="its users have no numbers")
@EACH
@pytest.mark.parametrize(
    ("uid", "owner"),
    [(os.getpid() + 1, Owner.ANOTHER), (0, Owner.SYSTEM), (7, Owner.US)],
    ids=["another's", "the system's", "ours"],
)
def test_the_table_of_macos(
    ends: Ends, uid: int, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 7, raising=False)
    head = struct.pack("=I", 24) + bytes(20)
    table = head + darwin(STRANGER, 99) + darwin(ends, uid) + head
    assert peer_tables.owner_in_pcblist(table, ends) is owner
    assert peer_tables.owner_in_pcblist(head + darwin(STRANGER, 99) + head, ends) is Owner.GONE
    assert peer_tables.owner_in_pcblist(table[:150], ends) is Owner.GONE


def windows(ends: Ends, pid: int) -> bytes:
    """A row of a connection, as Windows writes it."""
    (own, own_port), (ours, our_port) = ends.own, ends.ours
    ports = [struct.pack("!H2x", port) for port in (own_port, our_port)]
    if len(own) == 4:
        return struct.pack("<I", 5) + own + ports[0] + ours + ports[1] + struct.pack("<I", pid)
    scope = bytes(4)
    return own + scope + ports[0] + ours + scope + ports[1] + struct.pack("<II", 5, pid)


@EACH
def test_the_table_of_windows(ends: Ends) -> None:
    other = Ends(ends.family, (ends.own[0], 51001), ends.ours)
    table = struct.pack("<I", 2) + windows(other, 11) + windows(ends, 12)
    assert peer_tables.pid_in_table(table, ends) == 12
    gone = struct.pack("<I", 1) + windows(ends, 0)  # a connection in TIME_WAIT
    assert peer_tables.pid_in_table(gone, ends) == 0
    assert peer_tables.pid_in_table(struct.pack("<I", 1) + windows(other, 11), ends) is None
    assert peer_tables.pid_in_table(table[:-3], ends) is None


@pytest.mark.parametrize(
    ("pid", "sid", "owner"),
    [
        (12, b"me", Owner.US),
        (12, b"he", Owner.ANOTHER),
        (12, None, Owner.ANOTHER),
        (4, None, Owner.SYSTEM),
        (12, bytes.fromhex("010100000000000512000000"), Owner.SYSTEM),
        (None, b"me", Owner.GONE),
        (0, b"me", Owner.GONE),
    ],
)
def test_the_owner_of_a_process(pid: int | None, sid: bytes | None, owner: Owner) -> None:
    users = {1: b"me", 12: sid, 4: None}
    assert peer_tables.owner_of_process(pid, users.__getitem__, own=1) is owner


def growing_table(*sizes: int) -> Callable[[Any, Any], int]:
    """What Windows does when there are more connections at each question."""
    left = iter(sizes)

    def ask(table: Any, pointer: Any) -> int:
        room, pointer._obj.value = pointer._obj.value, next(left)
        if pointer._obj.value > room:
            return 122
        table[0:4] = b"rows"
        return 0

    return ask


def test_a_table_that_grows_while_it_is_asked_for_is_still_read() -> None:
    """Else a rush of connections would hide whose they are."""
    table = peer_tables.whole_table(growing_table(70_000, 300_000, 900_000, 900_000))
    assert table is not None
    assert table[:4] == b"rows"


def test_a_table_that_is_refused_or_has_no_end_is_none() -> None:
    assert peer_tables.whole_table(lambda table, size: 5) is None
    assert peer_tables.whole_table(growing_table(*(1 << power for power in range(17, 40)))) is None


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_windows_has_our_connection_in_its_table(host: str) -> None:
    with connected(host=host) as (near, client):
        ends = asked(near)
        stranger = Ends(ends.family, (ends.own[0], 1), ends.ours)
        table = peer_tables.fetch_tcp_table(six=":" in host)
        found = None if table is None else peer_tables.pid_in_table(table, ends)
        if WINE:
            # Wine reads Linux' table while it changes, and learns a process only when that has sent
            # something. So it can refuse, miss the row, or say 0: never another process.
            assert found in {None, 0, client.pid}
        else:
            assert found == client.pid
            assert peer_tables.read_tcp_table(ends) is Owner.US
            assert peer_tables.read_tcp_table(stranger) is Owner.GONE
        assert not is_another_users(near), "who is this user is not taken for another"


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
def test_windows_says_whose_a_process_is() -> None:
    with connected() as (_, client):
        ours = peer_tables.user_of_process(os.getpid())
        assert ours is not None
        assert ours.startswith(b"\x01"), "a security identifier begins with its revision"
        assert peer_tables.owner_of_process(client.pid, peer_tables.user_of_process) is Owner.US
    assert peer_tables.user_of_process(0xFFFF_FFF0) is None


def test_a_process_that_does_not_know_itself_says_nothing() -> None:
    assert peer_tables.owner_of_process(12, lambda pid: None, own=1) is Owner.UNKNOWN
