"""Plain connections to where the policy lets us, directly or through the configured proxy."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import ssl
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from trayagent.model.addresses import is_literal
from trayagent.net.address_policy import AddressPolicy, Resolve, addresses_of

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LIMIT: Final = 64 * 1024
"""Bytes that a stream's buffer holds."""
_LONGEST: Final = 255
"""Bytes of a name, user or password: SOCKS counts them in one byte."""


class Dialer:
    """Opens connections for others; every one is checked by name, and by address where we resolve."""

    def __init__(
        self, policy: AddressPolicy, resolve: Resolve = addresses_of, *, patience: float = 20.0
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._patience = patience
        self._proxy = urlsplit(policy.network.proxy)
        self._trust: ssl.SSLContext | None = None

    @property
    def forwards(self) -> str | None:
        """The Proxy-Authorization for plain requests sent whole to an HTTP proxy ("" for none); None: no such proxy."""
        return _basic_credentials(self._proxy) if self._proxy.scheme.startswith("http") else None

    async def connect(
        self, host: str, port: int, named: Collection[str], *, tunnel: bool
    ) -> Streams:
        """Streams to a canonical host; without `tunnel`, those to an HTTP proxy if there is one.

        Raises DownloadError `blocked_address` before anything is sent, OSError and TimeoutError.
        """
        self._policy.check(host, port, named)
        async with asyncio.timeout(self._patience):
            if not self._proxy.scheme:
                return await self._connect_directly(host, port)
            if self.forwards is not None and not tunnel:
                return await self._connect_to_proxy()
            return await self._connect_through(host, port)

    async def _connect_directly(self, host: str, port: int) -> Streams:
        addresses = await self._resolve(host, port)
        # All of them before the first: one private address among public ones is a trap.
        for address in addresses:
            self._policy.admit(host, port, address)
        failure: OSError = OSError("no address")
        for address in addresses:
            try:
                # One address that does not answer leaves the others their share of the time.
                async with asyncio.timeout(self._patience / len(addresses)):
                    return await asyncio.open_connection(address, port, limit=LIMIT)
            except OSError as error:
                failure = error
        raise failure

    async def _connect_to_proxy(self) -> Streams:
        if self._proxy.scheme == "https" and self._trust is None:
            self._trust = await asyncio.to_thread(ssl.create_default_context)
        return await asyncio.open_connection(
            self._proxy.hostname, self._proxy.port, limit=LIMIT, ssl=self._trust
        )

    async def _connect_through(self, host: str, port: int) -> Streams:
        streams = await self._connect_to_proxy()
        try:
            await self._ask_proxy(streams, host, port)
        except asyncio.IncompleteReadError as error:
            streams[1].close()
            raise ConnectionRefusedError("the proxy hung up") from error
        except BaseException:
            streams[1].close()
            raise
        return streams

    async def _ask_proxy(self, streams: Streams, host: str, port: int) -> None:
        if self._proxy.scheme == "socks4":
            await _ask_socks4(streams, host, port, unquote(self._proxy.username or ""))
        elif self._proxy.scheme.startswith("socks5"):
            pair = unquote(self._proxy.username or ""), unquote(self._proxy.password or "")
            await _ask_socks5(streams, host, port, *pair)
        else:
            await _ask_http(streams, host, port, _basic_credentials(self._proxy))


# --- what each kind of proxy is told; all raise OSError where it refuses or makes no sense ---


async def _ask_http(streams: Streams, host: str, port: int, credentials: str) -> None:
    """CONNECT (RFC 9110 §9.3.6)."""
    reader, writer = streams
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    extra = f"Proxy-Authorization: {credentials}\r\n" if credentials else ""
    writer.write(f"CONNECT {pair} HTTP/1.1\r\nHost: {pair}\r\n{extra}\r\n".encode())
    try:
        answer = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise ConnectionRefusedError("the proxy makes no sense") from error
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise ConnectionRefusedError("the proxy refused")


async def _ask_socks5(streams: Streams, host: str, port: int, user: str, password: str) -> None:
    """RFC 1928, with user and password as in RFC 1929. Names are the proxy's to resolve.

    Ours would go unchecked, and be overheard by whoever serves the names here.
    """
    reader, writer = streams
    methods = b"\0\2" if user else b"\0"
    writer.write(b"\5" + _with_length(methods))
    version, method = await reader.readexactly(2)
    if version != 5 or method not in methods:
        raise ConnectionRefusedError("the proxy makes no sense, or wants another sign-in")
    if method == 2:
        writer.write(b"\1" + _with_length(user.encode()) + _with_length(password.encode()))
        if (await reader.readexactly(2))[1] != 0:
            raise ConnectionRefusedError("the proxy does not know this user")
    writer.write(b"\5\1\0" + _socks_address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await reader.readexactly(4)
    if version != 5 or reply != 0 or kind not in (1, 3, 4):
        raise ConnectionRefusedError(f"the proxy refused ({reply})")
    # The address it connects from follows, and is of no interest.
    length = (await reader.readexactly(1))[0] if kind == 3 else 4 if kind == 1 else 16
    await reader.readexactly(length + 2)


async def _ask_socks4(streams: Streams, host: str, port: int, user: str) -> None:
    """SOCKS 4a: an impossible address says that the proxy is to resolve the name that follows."""
    reader, writer = streams
    literal = is_literal(host) and ":" not in host
    address = ipaddress.IPv4Address(host).packed if literal else b"\0\0\0\1"
    name = b"" if literal else host.encode() + b"\0"
    if "\0" in user:
        raise ConnectionRefusedError("such a user cannot be told to the proxy")
    writer.write(b"\4\1" + port.to_bytes(2, "big") + address + user.encode() + b"\0" + name)
    zero, reply, *_ = await reader.readexactly(8)
    if zero != 0 or reply != 90:
        raise ConnectionRefusedError(f"the proxy refused ({reply})")


def _socks_address(host: str) -> bytes:
    """A host as SOCKS 5 writes it: an address as such, anything else as a name."""
    if not is_literal(host):
        return b"\3" + _with_length(host.encode())
    ip = ipaddress.ip_address(host)
    return (b"\1" if ip.version == 4 else b"\4") + ip.packed


def _with_length(text: bytes) -> bytes:
    if len(text) > _LONGEST:
        raise ConnectionRefusedError("it is too long for the proxy")
    return bytes([len(text)]) + text


def _basic_credentials(proxy: SplitResult) -> str:
    if not proxy.username:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
