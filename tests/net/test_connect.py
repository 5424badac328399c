"""Private addresses are reached only when the user named them, whatever a name resolves to or a redirect says."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.servers.lying import Lying, redirecting, replying
from trayagent.model.config import Network
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.client import Client, Limits


class Names(AbstractResolver):
    """A name service that says what it is told to, in turn; the last answer stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(said) for name, said in answers.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        said = self._answers[host]
        addresses = said.pop(0) if len(said) > 1 else said[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def blocked(client: Client, request: Request) -> bool:
    try:
        with await client.open(request):
            return False
    except DownloadError as error:
        return error.code == "blocked_address"


@pytest.mark.parametrize("answers", [[["127.0.0.1"]], [["93.184.216.34", "127.0.0.1"]]])
async def test_no_connection_where_a_name_leads_inside(answers: list[list[str]]) -> None:
    async with Lying() as server:
        names = Names(evil_example=answers)
        async with Client(Network(), Limits(), resolver=names) as client:
            named = frozenset({f"evil.example:{server.port}"})
            assert await blocked(
                client, Request(f"http://evil.example:{server.port}/", named=named)
            )
        assert server.connections == 0


async def test_an_entry_of_allow_opens_one_port_of_one_host() -> None:
    async with Lying() as server:
        server.at("/", replying("200 OK", b"in"))
        network = Network(allow=(f"nas.example:{server.port}",))
        names = Names(nas_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        async with Client(network, Limits(), resolver=names) as client:
            with await client.open(Request(f"http://nas.example:{server.port}/")) as response:
                assert await response.read(10) == b"in"
            assert await blocked(client, Request(f"http://other.example:{server.port}/"))


async def test_a_redirect_inside_is_not_followed_even_to_an_open_connection() -> None:
    async with Lying() as public, Lying() as inside:
        secret = inside.at("/secret", replying("200 OK", b"secret"))
        url = public.at("/", redirecting(secret))
        async with Client(Network(), Limits()) as client:
            with await client.open(
                Request(secret, named=frozenset({inside.authority}))
            ) as response:
                await response.read(10)  # its connection is kept alive now
            assert await blocked(client, Request(url, named=frozenset({public.authority})))
        assert len(inside.requests) == 1


async def test_a_name_is_asked_again_and_checked_again() -> None:
    async with Lying() as server:
        server.at("/", replying("200 OK", b"in", Connection="close"))
        names = Names(nas_local=[["127.0.0.1"]], evil_example=[["10.255.255.1"], ["127.0.0.1"]])
        async with Client(Network(), Limits(connect=0.2, headers=0.5), resolver=names) as client:
            for _ in range(2):
                assert await blocked(client, Request(f"http://evil.example:{server.port}/"))
            pair = frozenset({f"nas.local:{server.port}"})
            with await client.open(Request(f"http://nas.local:{server.port}/", named=pair)):
                pass
        assert server.connections == 1


async def test_behind_a_proxy_names_and_literals_are_judged_before_it_is_asked() -> None:
    async with Lying() as proxy:
        proxy.at("http://example.com/", replying("200 OK", b"via"))
        async with Client(Network(proxy=f"http://{proxy.authority}"), Limits()) as client:
            with await client.open(Request("http://example.com/")) as response:
                assert await response.read(10) == b"via"
            for url in ("http://10.0.0.1/", "http://nas/", "http://metadata.google.internal/"):
                assert await blocked(client, Request(url))
        assert len(proxy.requests) == 1


async def test_the_environment_does_not_choose_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with Lying() as server:
        url = server.at("/", replying("200 OK", b"direct"))
        async with Client(Network(), Limits()) as client:
            with await client.open(Request(url, named=frozenset({server.authority}))) as response:
                assert await response.read(10) == b"direct"
