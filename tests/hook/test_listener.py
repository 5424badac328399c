"""Sockets listen on loopback only, on the port asked for or the next of ten."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from trayagent.hook.listener import PORTS_TRIED, PortTakenError, bind


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def take_port(stack: ExitStack, port: int = 0, family: int = socket.AF_INET) -> int:
    sock = stack.enter_context(socket.socket(family))
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", port))
    sock.listen()
    return int(sock.getsockname()[1])


def free_run(stack: ExitStack, count: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(21000, 60000, count):
        with ExitStack() as attempt:
            try:
                for port in range(first, first + count):
                    take_port(attempt, port)
            except OSError:
                continue
            return first
    raise AssertionError("no free run of ports")


def test_any_free_port_on_both_loopback_addresses_and_nowhere_else() -> None:
    found = bind(0)
    try:
        addresses = {sock.getsockname()[0] for sock in found.sockets}
        ports = {sock.getsockname()[1] for sock in found.sockets}
        assert "127.0.0.1" in addresses
        assert addresses <= {"127.0.0.1", "::1"}
        assert ports == {found.port}
        assert repr(found) == f"<Listener at http://127.0.0.1:{found.port}>"
        assert (f"[::1]:{found.port}" in found.host_names) == ("::1" in addresses)
    finally:
        found.close()


def test_a_taken_port_means_the_next(stack: ExitStack) -> None:
    first = free_run(stack, PORTS_TRIED)
    take_port(stack, first)
    take_port(stack, first + 1)

    found = bind(first)
    stack.callback(found.close)

    assert found.port == first + 2


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_a_port_that_a_stranger_has_on_ipv6_is_not_ours(stack: ExitStack) -> None:
    first = free_run(stack, PORTS_TRIED)
    try:
        take_port(stack, first, socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")

    found = bind(first)
    stack.callback(found.close)

    assert found.port == first + 1


def test_without_ipv6_it_still_listens(monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
    monkeypatch.setattr(socket, "has_ipv6", False)
    found = bind(0)
    stack.callback(found.close)

    assert [sock.getsockname()[0] for sock in found.sockets] == ["127.0.0.1"]
    assert f"[::1]:{found.port}" not in found.host_names


def test_the_last_port_is_tried_first_when_it_is_one_of_the_ten(stack: ExitStack) -> None:
    first = free_run(stack, PORTS_TRIED)
    one = bind(first, last=first + 4)
    stack.callback(one.close)
    two = bind(first, last=first + 40)
    stack.callback(two.close)

    assert (one.port, two.port) == (first + 4, first)


def test_ten_taken_ports_are_an_error_that_says_what_to_do(stack: ExitStack) -> None:
    first = free_run(stack, PORTS_TRIED)
    for port in range(first, first + PORTS_TRIED):
        take_port(stack, port)

    with pytest.raises(PortTakenError) as caught:
        bind(first)

    assert f"{first} to {first + PORTS_TRIED - 1}" in caught.value.message
    assert "hook.port" in caught.value.action


def test_ports_end_at_65535(stack: ExitStack) -> None:
    for port in range(65530, 65536):
        with suppress(OSError):  # somebody else has it
            take_port(stack, port)

    with pytest.raises(PortTakenError):
        bind(65530)
