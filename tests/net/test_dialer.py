"""A connection through a proxy leads where it was meant to, or fails as a refused one, never anywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.servers.http_proxy import HttpProxy
from tests.servers.listening import Answering, Listening
from tests.servers.socks_proxy import SocksProxy
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings
from trayagent.net.address_policy import AddressPolicy
from trayagent.net.dialer import Dialer

NAME = "media.example.com"  # looking it up would fail the test: the proxy has to do that
ACCEPTED = b"\5\0"


class EchoServer(Listening):
    """Says back what it hears."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line."""
        writer.write(await reader.readline())
        await writer.drain()


class ScriptedProxy(Listening):
    """A proxy that says one thing after each thing it hears, whatever that is."""

    def __init__(self, *answers: bytes) -> None:
        super().__init__()
        self.answers = answers
        self.heard: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear, answer, and hang up when there is no more to say."""
        for answer in self.answers:
            self.heard.append(await reader.read(1000))
            writer.write(answer)
            await writer.drain()


def dialer(proxy: str, **more: Any) -> Dialer:
    return Dialer(AddressPolicy(NetworkSettings(proxy=proxy)), patience=5, **more)


async def echoed(dialer: Dialer, host: str, port: int, line: bytes = b"hello\n") -> bytes:
    """What comes back of a line said at the other end."""
    reader, writer = await dialer.connect(host, port, {f"{host}:{port}"}, tunnel=True)
    writer.write(line)
    try:
        return await reader.readline()
    finally:
        writer.close()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
@pytest.mark.parametrize(
    ("host", "kind"), [(NAME, "name"), ("93.184.216.34", "address"), ("2606:4700::1111", "address")]
)
async def test_a_socks_proxy_is_told_names_as_names(scheme: str, host: str, kind: str) -> None:
    async with EchoServer() as echo, SocksProxy() as proxy:
        proxy.leads = {f"{host}:{echo.port}": echo.authority}
        url = proxy.url.replace("socks5", scheme)
        assert await echoed(dialer(url), host, echo.port) == b"hello\n"
        if scheme == "socks4" and ":" in host:
            kind = "name"  # version 4 knows no such addresses
        assert proxy.asked == [(kind, host, echo.port)]


@pytest.mark.parametrize(("user", "password"), [("me", "p@ss:w/rd"), ("ü", "é" * 100), ("me", "")])
async def test_user_and_password_are_told(user: str, password: str) -> None:
    async with EchoServer() as echo, SocksProxy(user=user, password=password) as proxy:
        assert await echoed(dialer(proxy.url), NAME, echo.port) == b"hello\n"


@pytest.mark.parametrize(("user", "password"), [("", ""), ("me", "wrong"), ("me", "w" * 300)])
async def test_a_stranger_is_refused(user: str, password: str) -> None:
    async with SocksProxy(user="me", password="right") as proxy:
        with pytest.raises(ConnectionRefusedError):
            await echoed(dialer(proxy.url_of(user, password)), NAME, 443)
        assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
@pytest.mark.parametrize("code", range(1, 9))
async def test_a_refusal_is_one(scheme: str, code: int) -> None:
    """All reply codes of RFC 1928 §6."""
    async with SocksProxy() as proxy:
        proxy.refusal = code
        with pytest.raises(ConnectionRefusedError):
            await echoed(dialer(proxy.url.replace("socks5", scheme)), NAME, 443)


@pytest.mark.parametrize(
    "bound", [b"\1" + bytes(4), b"\4" + bytes(16), b"\3\5a.com"], ids=["v4", "v6", "name"]
)
async def test_what_the_proxy_binds_is_not_taken_for_the_servers_words(bound: bytes) -> None:
    async with ScriptedProxy(ACCEPTED, b"\5\0\0" + bound + b"\0\1first\n") as proxy:
        dial = dialer(f"socks5://{proxy.authority}")
        reader, writer = await dial.connect(NAME, 443, (), tunnel=True)
        assert await reader.readline() == b"first\n"
        writer.close()
        assert proxy.heard == [b"\5\1\0", b"\5\1\0\3\x11media.example.com\x01\xbb"]


@pytest.mark.parametrize(
    ("scheme", "answers"),
    [
        ("socks5", ()),
        ("socks5", (b"\5",)),
        ("socks5", (b"\5\xff",)),
        ("socks5", (b"\4\0",)),
        ("socks5", (b"\5\2",)),  # asks for a password that nobody offered
        ("socks5", (ACCEPTED, b"\5\0\0")),
        ("socks5", (ACCEPTED, b"\5\0\0\7" + bytes(30))),
        ("socks5", (ACCEPTED, b"\4\0\0\1" + bytes(6))),
        ("socks5", (b"HTTP/1.1 400 Bad Request\r\n\r\n",)),
        ("socks4", ()),
        ("socks4", (b"\0\x5a",)),
        ("socks4", (b"\4\x5a" + bytes(6),)),
        ("socks4", (b"HTTP/1.1 400 Bad Request\r\n\r\n",)),
    ],
)
async def test_what_is_no_socks_proxy_is_refused(scheme: str, answers: Sequence[bytes]) -> None:
    async with ScriptedProxy(*answers) as proxy:
        with pytest.raises(ConnectionError):
            await echoed(dialer(f"{scheme}://{proxy.authority}"), NAME, 443)


async def test_a_user_of_version_4_cannot_end_its_own_field() -> None:
    async with SocksProxy() as proxy:
        url = f"socks4://me%00{NAME}@{proxy.authority}"
        with pytest.raises(ConnectionRefusedError):
            await echoed(dialer(url), "other.example.com", 443)
        assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
async def test_a_silent_proxy_does_not_hold_us(scheme: str) -> None:
    async with Answering() as server:
        policy = AddressPolicy(NetworkSettings(proxy=f"{scheme}://{server.authority}"))
        with pytest.raises(TimeoutError):
            await Dialer(policy, patience=0.05).connect(NAME, 443, (), tunnel=True)
        assert server.connections == 1


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
async def test_private_names_and_literals_are_judged_before_the_proxy_is_asked(scheme: str) -> None:
    async with SocksProxy() as proxy:
        dial = dialer(f"{scheme}://{proxy.authority}")
        for host in ("10.0.0.1", "localhost", "nas", "db.internal", "::1"):
            with pytest.raises(DownloadError) as failed:
                await dial.connect(host, 80, (), tunnel=True)
            assert failed.value.code == "blocked_address"
        assert proxy.connections == 0


async def test_an_http_proxys_endless_head_ends() -> None:
    async with Answering(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000) as proxy:
        with pytest.raises(ConnectionRefusedError):
            await echoed(dialer(f"http://{proxy.authority}"), NAME, 443)


async def test_an_http_proxy_tunnels() -> None:
    async with EchoServer() as echo, HttpProxy(user="m@x", password="p:%") as proxy:
        proxy.leads = {f"{NAME}:{echo.port}": echo.authority}
        assert await echoed(dialer(proxy.url), NAME, echo.port) == b"hello\n"
        assert [asked.target for asked in proxy.asked] == [f"{NAME}:{echo.port}"]


async def test_the_next_address_is_tried_where_one_refuses() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        del host, port
        return ["127.0.0.2", "127.0.0.1"]

    async with EchoServer() as echo:
        direct = Dialer(AddressPolicy(NetworkSettings()), resolve, patience=5)
        assert await echoed(direct, "nas.local", echo.port) == b"hello\n"


async def test_one_private_address_among_public_ones_is_a_trap() -> None:
    """None of them is connected to, whatever their order."""

    async def resolve(host: str, port: int) -> list[str]:
        del host, port
        return ["93.184.216.34", "127.0.0.1"]

    async with EchoServer() as echo:
        direct = Dialer(AddressPolicy(NetworkSettings()), resolve, patience=5)
        with pytest.raises(DownloadError, match=r"both\.example"):
            await echoed(direct, "both.example", echo.port)
