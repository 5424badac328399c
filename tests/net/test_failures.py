"""What goes wrong on the wire is told in plain words, never in those of an exception."""

from __future__ import annotations

import errno
import socket

import pytest
from aiohttp import ClientConnectorError, ClientOSError
from aiohttp.client_reqrep import ConnectionKey
from trayagent.net.client import Client
from trayagent.net.failures import translate

from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request

WORDS = {
    errno.ECONNREFUSED: "the server refused the connection",
    errno.ECONNRESET: "the server closed the connection",
    errno.EPIPE: "the server closed the connection",
    errno.EHOSTUNREACH: "no way leads to the server from here",
    errno.ENETUNREACH: "no way leads to the server from here",
    errno.ENETDOWN: "the network is down",
    errno.EADDRNOTAVAIL: "this machine has no address to connect from",
    errno.EACCES: "this machine does not allow the connection",
    errno.EMFILE: "too many connections are open here",
}
KEY = ConnectionKey("h", 1, False, True, None, None, None)


@pytest.mark.parametrize("number", WORDS)
def test_an_error_of_the_system_has_plain_words(number: int) -> None:
    raw = OSError(number, "Connect call failed ('127.0.0.1', 1)")
    for error in (raw, ClientConnectorError(KEY, raw), ClientOSError(*raw.args)):
        found = translate(error)
        assert (found.code, found.detail) == ("network", WORDS[number])


def test_another_error_of_the_system_is_named_by_it_alone() -> None:
    found = translate(OSError(errno.EPROTO, "Connect call failed ('127.0.0.1', 1)"))
    assert found.code == "network"
    assert "127.0.0.1" not in found.message
    assert found.detail == found.detail.lower()


def test_a_connection_that_the_system_gave_up_is_late() -> None:
    raw = OSError(errno.ETIMEDOUT, "Connect call failed ('127.0.0.1', 1)")
    assert translate(ClientConnectorError(KEY, raw)).code == "timeout"


async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        pair = f"127.0.0.1:{closed.getsockname()[1]}"
        async with Client() as client:
            with pytest.raises(DownloadError) as failed:
                await client.open(Request(f"http://{pair}/a", named=frozenset({pair})))
    assert failed.value.message == "The connection failed (the server refused the connection)."
