"""Private addresses are reached only when the user named them, whatever a name resolves to or a redirect says."""

from __future__ import annotations

import pytest

from tests.net.asking import Asker, asking, names
from tests.servers.lying import Lying, redirecting, replying
from tests.servers.socks_proxy import SocksProxy
from trayagent.model.settings import NetworkSettings
from trayagent.net import address_policy


async def blocked(asker: Asker, url: str, *named: str) -> None:
    """Nothing comes from there, because of its address."""
    assert (await asker.fail(url, named=frozenset(named))).code == "blocked_address"


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["10.255.255.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["0.0.0.0"]]
)
async def test_no_connection_where_a_name_leads_inside(answers: list[str]) -> None:
    async with Lying() as server:
        with asking(resolve=names(evil_example=[answers])) as asker:
            pair = f"evil.example:{server.port}"
            await blocked(asker, f"http://{pair}/", pair)
        assert server.connections == 0


async def test_an_entry_of_allow_opens_one_port_of_one_host() -> None:
    async with Lying() as server:
        server.at("/", replying("200 OK", b"in"))
        network = NetworkSettings(allow=(f"nas.example:{server.port}",))
        inside = names(nas_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        with asking(network=network, resolve=inside) as asker:
            assert await asker.get(f"http://nas.example:{server.port}/") == b"in"
            await blocked(asker, f"http://other.example:{server.port}/")


async def test_a_redirect_inside_is_not_followed_even_to_an_open_connection() -> None:
    async with Lying() as public, Lying() as inside:
        secret = inside.at("/secret", replying("200 OK", b"secret"))
        url = public.at("/", redirecting(secret))
        with asking() as asker:
            await asker.get(secret, named=frozenset({inside.authority}))  # kept alive now
            await blocked(asker, url, public.authority)
        assert len(inside.requests) == 1


async def test_a_name_is_asked_again_and_checked_again() -> None:
    """What it led to at first says nothing about the second time."""
    async with Lying() as server:
        server.at("/", replying("200 OK", b"in", Connection="close"))
        said = names(
            nas_local=[["127.0.0.1"]], allowed_example=[["127.0.0.1"]], evil_example=[["127.0.0.1"]]
        )
        network = NetworkSettings(allow=(f"allowed.example:{server.port}",))
        with asking(resolve=said, network=network) as asker:
            for _ in range(2):
                await blocked(asker, f"http://evil.example:{server.port}/")
            pair = f"nas.local:{server.port}"
            assert await asker.get(f"http://{pair}/", named=frozenset({pair})) == b"in"
            assert await asker.get(f"http://allowed.example:{server.port}/") == b"in"
            await blocked(asker, f"http://evil.example:{server.port}/")
        assert server.connections == 2


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The addresses of this machine that count as public ones: none reaches a real one from here."""
    found: set[str] = set()
    monkeypatch.setattr(address_policy, "is_public", found.__contains__)
    return found


async def test_a_name_that_leads_elsewhere_the_second_time_is_looked_at_again(
    public: set[str],
) -> None:
    """DNS rebinding: first the server's own address, then one of this machine."""
    public.add("127.0.0.2")
    async with Lying(host="127.0.0.2") as server:
        server.at("/", replying("200 OK", b"out", Connection="close"))
        said = names(rebinds_example=[["127.0.0.2"], ["127.0.0.1"]])
        with asking(resolve=said) as asker:
            assert await asker.get(f"http://rebinds.example:{server.port}/") == b"out"
            await blocked(asker, f"http://rebinds.example:{server.port}/")
        assert len(server.requests) == 1


async def test_of_several_addresses_only_public_ones_are_tried(public: set[str]) -> None:
    """The first one does not answer; the next is no way inside."""
    public.add("127.0.0.2")
    async with Lying() as inside:
        inside.at("/", replying("200 OK", b"in"))
        with asking(resolve=names(both_example=[["127.0.0.2", "127.0.0.1"]])) as asker:
            await blocked(asker, f"http://both.example:{inside.port}/")
        assert inside.connections == 0


async def test_a_connection_that_is_open_already_is_looked_at_before_each_request(
    public: set[str],
) -> None:
    """A connection that is used again skips the connect, but not the question."""
    public.add("127.0.0.1")
    async with Lying() as server:
        server.at("/", replying("200 OK", b"in"))
        url = f"http://two.example:{server.port}/"
        with asking(resolve=names(two_example=[["127.0.0.1"]])) as asker:
            assert await asker.get(url) == b"in"
            assert await asker.get(url) == b"in"
            assert server.connections == 1
            public.clear()
            await blocked(asker, url)
        assert len(server.requests) == 2


async def test_our_own_hook_is_never_asked() -> None:
    async with Lying() as server:
        url = server.at("/", replying("200 OK", b"in"))
        network, me = NetworkSettings(private_addresses="allow"), names(me_example=[["127.0.0.1"]])
        with asking(network=network, own_ports={server.port}, resolve=me) as asker:
            await blocked(asker, url, server.authority)
            await blocked(asker, f"http://me.example:{server.port}/")
        assert server.connections == 0


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_behind_a_proxy_names_and_literals_are_judged_before_it_is_asked(kind: str) -> None:
    async with Lying() as server, SocksProxy() as socks:
        socks.leads = {"example.com:80": server.authority}
        server.at("/", replying("200 OK", b"via"))
        server.at("http://example.com/", replying("200 OK", b"via"))
        proxy = socks.url if kind == "socks5" else f"http://{server.authority}"
        with asking(network=NetworkSettings(proxy=proxy)) as asker:
            assert await asker.get("http://example.com/") == b"via"
            for url in ("http://10.0.0.1/", "http://nas/", "http://metadata.google.internal/"):
                await blocked(asker, url)
        assert len(server.requests) == 1
