"""What goes wrong on the wire is told in plain words, never in libcurl's, OpenSSL's or the system's."""

from __future__ import annotations

import errno
import socket

import pycurl
import pytest

from tests.net.asking import asking
from tests.servers.lying import Exchange, Lying, replying, saying
from trayagent.net.api_client import explain_failure
from trayagent.net.refusals import (
    PROXY_UNUSABLE,
    is_bare_end,
    refuse_connection,
    refuse_status,
    refuse_transfer,
)

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
    # Windows' sockets; for these Python's errno has another number there, or none.
    10013: "this machine does not allow the connection",
    10024: "too many connections are open here",
    10050: "the network is down",
    10053: "the server closed the connection",
    10054: "the server closed the connection",
    10061: "the server refused the connection",
    10064: "no way leads to the server from here",
    10065: "no way leads to the server from here",
}


@pytest.mark.parametrize("number", WORDS)
def test_an_error_of_the_system_has_plain_words(number: int) -> None:
    found = refuse_transfer(pycurl.E_COULDNT_CONNECT, "Failed to connect to h", number, "h")
    assert (found.code, found.detail) == ("network", WORDS[number])
    assert (found.code, found.detail) == (
        refuse_connection(number).code,
        refuse_connection(number).detail,
    )


def test_another_error_of_the_system_is_named_by_it_alone() -> None:
    found = refuse_transfer(
        pycurl.E_COULDNT_CONNECT, "Failed to connect to 127.0.0.1", errno.EPROTO, "h"
    )
    assert found.code == "network"
    assert "127.0.0.1" not in found.message
    assert found.detail == found.detail.lower()


def test_a_connection_that_the_system_gave_up_is_late() -> None:
    assert refuse_connection(errno.ETIMEDOUT).code == "timeout"
    assert refuse_connection(0).code == "network"


def asyncios_error(kind: type[OSError], number: int | None) -> OSError:
    """What Windows' loop raises: of the class that fits or the plain one, with EINVAL for an errno."""
    error = kind(errno.EINVAL, "The parameter is incorrect")
    if number is not None:
        error.winerror = number  # type: ignore[attr-defined,unused-ignore]
    return error


@pytest.mark.parametrize(
    ("kind", "number", "message"),
    [
        (ConnectionRefusedError, 1225, "the server refused the connection"),
        (ConnectionRefusedError, None, "the server refused the connection"),
        (ConnectionResetError, None, "the server closed the connection"),
        (OSError, 64, "the server closed the connection"),
        (OSError, 1236, "the server closed the connection"),
        (OSError, 1231, "no way leads to the server from here"),
        (OSError, 1232, "no way leads to the server from here"),
        (OSError, 121, "did not answer in time"),
        (OSError, None, "The connection failed."),
    ],
)
def test_windows_loop_tells_by_class_or_by_windows_number(
    kind: type[OSError], number: int | None, message: str
) -> None:
    found = explain_failure(asyncios_error(kind, number))
    assert message in found.message
    assert "argument" not in found.message


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (pycurl.E_COULDNT_RESOLVE_HOST, "Could not resolve", ("network", "no address was found")),
        (pycurl.E_OPERATION_TIMEDOUT, "", ("timeout", "")),
        (pycurl.E_GOT_NOTHING, "Empty reply", ("network", "the server closed")),
        (pycurl.E_RECV_ERROR, "Recv failure", ("network", "the server closed")),
        (pycurl.E_PARTIAL_FILE, "transfer closed", ("truncated", "closed early")),
        (pycurl.E_URL_MALFORMAT, "", ("bad_url", "")),
        (8, "Weird", ("server_error", "not proper HTTP")),
        (92, "HTTP/2 stream 1 was not closed cleanly", ("network", "the server closed")),
        (
            pycurl.E_SSL_CONNECT_ERROR,
            "error:0A000:SSL routines",
            ("tls", "could not be set up"),
        ),
        (12345, "CANARY", ("network", "")),
    ],
)
def test_libcurls_codes_are_told_in_our_words(
    code: int, words: str, expected: tuple[str, str]
) -> None:
    found = refuse_transfer(code, f"{words} CANARY", 0, "h.example")
    assert found.code == expected[0]
    assert expected[1] in found.detail
    assert "CANARY" not in found.message


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("SSL certificate problem: certificate has expired", "certificate has expired"),
        (
            "SSL certificate OpenSSL verify result: self-signed certificate (18)",
            "self-signed certificate",
        ),
        (
            "SSL: no alternative certificate subject name matches target host name 'h.example'",
            "the certificate is not valid for 'h.example'",
        ),
        (
            "SSL: certificate subject name 'x.example' does not match target hostname 'h.example'",
            "the certificate is not valid for 'h.example'",
        ),
        (
            "schannel: CertGetNameString() failed to match connection hostname (h.example)",
            "the certificate is not valid for 'h.example'",
        ),
        (
            "schannel: the certificate or certificate chain is based on an untrusted root",
            "nobody whom this machine trusts has signed the certificate",
        ),
    ],
)
def test_a_certificate_is_refused_for_a_reason(words: str, reason: str) -> None:
    found = refuse_transfer(pycurl.E_PEER_FAILED_VERIFICATION, words, 0, "h.example")
    assert (found.code, found.detail) == ("tls", reason)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("SEC_E_CERT_EXPIRED (0x80090328)", "certificate has expired"),
        ("SEC_E_WRONG_PRINCIPAL (0x80090322)", "the certificate is not valid for 'h.example'"),
        ("CRYPT_E_REVOKED (0x80092010)", "the certificate was withdrawn"),
        ("SEC_E_ILLEGAL_MESSAGE (0x80090326)", "the secure connection could not be set up"),
    ],
)
def test_windows_says_in_numbers_why_a_handshake_fails(number: str, reason: str) -> None:
    words = f"schannel: next InitializeSecurityContext failed: {number} - Words in any language."
    found = refuse_transfer(pycurl.E_SSL_CONNECT_ERROR, words, 0, "h.example")
    assert (found.code, found.detail) == ("tls", reason)


def test_what_a_proxy_does_not_do_is_its_own_fault() -> None:
    for code, words in (
        (pycurl.E_COULDNT_CONNECT, "Failed to connect to 127.0.0.1 port 9"),
        (pycurl.E_RECV_ERROR, "CONNECT tunnel failed, response 403"),
        (97, "cannot complete SOCKS5 connection"),
        (pycurl.E_COULDNT_RESOLVE_PROXY, "Could not resolve proxy"),
    ):
        found = refuse_transfer(code, words, errno.ECONNREFUSED, "h", proxied=True)
        assert (found.code, found.detail) == ("network", PROXY_UNUSABLE)


def test_only_a_missing_goodbye_is_a_bare_end() -> None:
    said = "OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof while reading, errno 0"
    assert is_bare_end(pycurl.E_RECV_ERROR, said)
    assert not is_bare_end(pycurl.E_RECV_ERROR, "Recv failure: Connection reset by peer")
    assert not is_bare_end(pycurl.E_SSL_CONNECT_ERROR, said)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (202, "server_error"),
        (204, "not_found"),
        (205, "not_found"),
        (206, "server_error"),
        (226, "server_error"),
        (304, "server_error"),
        (400, "forbidden"),
        (401, "needs_login"),
        (403, "forbidden"),
        (404, "not_found"),
        (407, "network"),
        (408, "timeout"),
        (410, "not_found"),
        (425, "timeout"),
        (451, "forbidden"),
        (500, "server_error"),
        (599, "server_error"),
    ],
)
def test_every_status_says_why_there_is_no_file(status: int, code: str) -> None:
    found = refuse_status(status, "http://h.example/f?CANARY")
    assert found.code == code
    assert str(status) in found.message
    assert "CANARY" not in found.message


def test_a_servers_wish_goes_with_what_time_may_cure() -> None:
    assert refuse_status(503, "http://h/", 7).retry_after == 7
    assert refuse_status(408, "http://h/", 7).retry_after == 7
    assert refuse_status(404, "http://h/", 7).retry_after is None


async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        pair = f"127.0.0.1:{closed.getsockname()[1]}"
        with asking(pair) as asker:
            found = await asker.fail(f"http://{pair}/a?CANARY")
    assert found.message == "The connection failed (the server refused the connection)."


async def test_a_name_that_nobody_knows_says_so() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError(host, port)

    with asking(resolve=resolve) as asker:
        assert (await asker.fail("http://nobody.example/a")).code == "network"


@pytest.mark.parametrize("end", ["closed", "reset"])
async def test_who_hangs_up_without_a_word_is_trouble_of_the_network(end: str) -> None:
    async def behave(exchange: Exchange) -> None:
        exchange.close = True
        if end == "reset":
            exchange.reset()

    async with Lying() as server:
        with asking(server.authority) as asker:
            found = await asker.fail(server.at("/a", behave))
    assert found.message == "The connection failed (the server closed the connection)."


@pytest.mark.parametrize(
    "said", [b"220 ftp ready\r\n", b"nonsense\r\n\r\n", b"SSH-2.0-x\r\n", b"\x00" * 300]
)
async def test_what_is_no_http_is_refused(said: bytes) -> None:
    """HTTP/0.9, which knows no heads, is none."""
    async with Lying() as server:
        with asking(server.authority) as asker:
            found = await asker.fail(server.at("/a", saying(said)))
    assert (found.code, found.detail) == ("server_error", "its answer is not proper HTTP")


async def test_the_engine_serves_on_after_every_failure() -> None:
    async with Lying() as server:
        good = server.at("/good", replying("200 OK", b"good"))
        with asking(server.authority) as asker:
            for number in range(5):
                await asker.fail(server.at(f"/{number}", saying(b"nonsense\r\n\r\n")))
                assert await asker.get(good) == b"good"
