"""Whom the engine waits for, whatever the system offers for that."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator

import pytest

from trayagent.net.sockets import LEAVE, SelectorSockets, Sockets, waiting

READ, WRITE = 1, 2


@pytest.fixture(params=[waiting, SelectorSockets])
def sockets(request: pytest.FixtureRequest) -> Iterator[Sockets]:
    """With one that is always waited for, as the engine has; Windows cannot wait for none."""
    make: Callable[[], Sockets] = request.param
    made = make()
    waker, other = socket.socketpair()
    with waker, other:
        made.watch(READ, waker.fileno())
        yield made
        made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_only_what_was_asked_for_is_told(
    sockets: Sockets, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = pair
    sockets.watch(READ, one.fileno())
    assert sockets.wait(0) == []
    sockets.watch(READ | WRITE, one.fileno())
    assert sockets.wait(0) == [(one.fileno(), WRITE)]
    other.send(b"!")
    assert sockets.wait(0) == [(one.fileno(), READ | WRITE)]
    sockets.watch(READ, one.fileno())
    assert sockets.wait(0) == [(one.fileno(), READ)]


def test_what_comes_for_one_that_was_left_wakes_nobody(
    sockets: Sockets, pair: tuple[socket.socket, socket.socket]
) -> None:
    one, other = pair
    sockets.watch(READ, one.fileno())
    sockets.watch(LEAVE, one.fileno())
    other.send(b"!")
    assert [sockets.wait(0), sockets.wait(0)] == [[], []]
    sockets.watch(READ, one.fileno())
    assert sockets.wait(0) == [(one.fileno(), READ)]


@pytest.mark.skipif(sys.platform == "win32", reason="its numbers are not used again at once")
def test_the_number_of_one_that_was_closed_may_belong_to_another(sockets: Sockets) -> None:
    """libcurl closes a connection it had left, and says nothing of it."""
    first, its_peer = socket.socketpair()
    number = first.fileno()
    sockets.watch(READ, number)
    sockets.watch(LEAVE, number)
    first.close()
    second, peer = socket.socketpair()
    with its_peer, peer, second:
        assert second.fileno() == number
        sockets.watch(READ, number)
        peer.send(b"!")
        assert sockets.wait(0) == [(number, READ)]
