"""Downloads go through a SOCKS proxy, which resolves the names; its trouble is told like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.servers.certificates import Authority
from tests.servers.listening import Answering, Listening
from tests.servers.lying import Lying, Served, redirecting
from tests.servers.socks_proxy import SocksProxy
from tests.transfer.rig import QUICK, noise, transferring
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings

BODY = noise(3_000_000)
NAME = "media.example.com"  # looking it up would fail the test: the proxy has to do that
UNUSABLE = "The connection failed (the proxy could not be used)."


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def at(server: Listening, path: str, scheme: str = "http") -> str:
    """The public address of something on a test server."""
    return f"{scheme}://{NAME}:{server.port}{path}"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("segments", [1, 4])
async def test_a_download_goes_through_and_the_proxy_resolves(
    tmp_path: Path, authority: Authority, scheme: str, segments: int
) -> None:
    tls = authority.serving(NAME) if scheme == "https" else None
    async with Lying(tls=tls) as server, SocksProxy() as proxy:
        server.at("/f.bin", Served(BODY, rate=6_000_000))
        network = NetworkSettings(proxy=proxy.url)
        async with transferring(tmp_path, network=network, ca_file=authority.file) as rig:
            await rig.get(at(server, "/f.bin", scheme), segments=segments)
        assert rig.files() == {"f.bin": BODY}
        assert set(proxy.asked) == {("name", NAME, server.port)}
        assert (proxy.connections > 1) == (segments > 1)
        assert server.requests[0].header("Host") == f"{NAME}:{server.port}"


async def test_one_connection_serves_one_file_after_the_other(tmp_path: Path) -> None:
    async with Lying() as server, SocksProxy() as proxy:
        for name in ("a.bin", "b.bin", "c.bin"):
            server.at(f"/{name}", Served(BODY))
        async with transferring(tmp_path, network=NetworkSettings(proxy=proxy.url)) as rig:
            for name in ("a.bin", "b.bin", "c.bin"):
                await rig.get(at(server, f"/{name}"))
        assert set(rig.files().values()) == {BODY}
        assert proxy.connections == 1


async def test_its_user_and_password_are_for_the_proxy_alone(tmp_path: Path) -> None:
    async with Lying() as server, SocksProxy(user="me", password="CANARY_P@ss:w/rd") as proxy:
        server.at("/f.bin", Served(BODY))
        async with transferring(tmp_path, network=NetworkSettings(proxy=proxy.url)) as rig:
            await rig.get(at(server, "/f.bin"))
        assert rig.files() == {"f.bin": BODY}
        assert "CANARY" not in str(server.requests[0].headers)
        assert not {"authorization", "proxy-authorization"} & server.requests[0].names()


# --- private addresses ---


async def test_what_a_public_name_leads_to_is_the_business_of_the_proxy(tmp_path: Path) -> None:
    """It resolves for us: only names and literals can be judged, and a redirect is judged again."""
    async with Lying() as server, Lying() as inside, SocksProxy() as proxy:
        proxy.leads = {f"{NAME}:80": server.authority, "93.184.216.34:80": server.authority}
        server.at("/f.bin", Served(BODY))
        server.at("/away", redirecting(inside.at("/f.bin", Served(BODY))))
        async with transferring(tmp_path, network=NetworkSettings(proxy=proxy.url)) as rig:
            await rig.get(f"http://{NAME}/f.bin")
            await rig.get("http://93.184.216.34/f.bin")
            with pytest.raises(DownloadError) as failed:
                await rig.get(f"http://{NAME}/away")
        assert failed.value.code == "blocked_address"
        assert [asked.kind for asked in proxy.asked] == ["name", "address"]
        assert inside.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "nas"])
async def test_a_private_literal_has_to_be_named(tmp_path: Path, host: str, scheme: str) -> None:
    async with SocksProxy() as proxy:
        async with transferring(tmp_path, network=NetworkSettings(proxy=proxy.url)) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(f"{scheme}://{host}:{proxy.port}/f.bin")
        assert failed.value.code == "blocked_address"
        assert proxy.connections == 0


async def test_a_named_one_is_reached_through_the_proxy(tmp_path: Path) -> None:
    async with Lying() as server, SocksProxy() as proxy:
        url = server.at("/f.bin", Served(BODY))
        network = NetworkSettings(proxy=proxy.url)
        async with transferring(tmp_path, server.authority, network=network) as rig:
            await rig.get(url)
        assert rig.files() == {"f.bin": BODY}
        assert proxy.asked == [("address", "127.0.0.1", server.port)]


# --- a proxy that does not do its work ---


async def failure(folder: Path, proxy: str, url: str) -> DownloadError:
    """How a download through this proxy fails; nothing may be on the disk then."""
    async with transferring(folder, network=NetworkSettings(proxy=proxy)) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert rig.files() == {}
    return failed.value


@pytest.mark.parametrize("code", range(1, 9))
async def test_a_proxy_that_refuses_is_trouble_of_the_network(tmp_path: Path, code: int) -> None:
    """All reply codes of RFC 1928 §6."""
    async with Lying() as server, SocksProxy() as proxy:
        proxy.refusal = code
        error = await failure(tmp_path, proxy.url, at(server, "/f.bin"))
        assert (error.code, error.message) == ("network", UNUSABLE)
        assert server.connections == 0


async def test_so_is_one_that_hangs_up_is_not_there_or_is_none(tmp_path: Path) -> None:
    async with SocksProxy() as proxy:
        proxy.mute = True
        hung_up = await failure(tmp_path, proxy.url, "http://example.com/f.bin")
    gone = await failure(tmp_path, proxy.url, "http://example.com/f.bin")
    async with Answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        url = f"socks5://{server.authority}"
        none = await failure(tmp_path, url, "http://example.com/f.bin")
    for error in (hung_up, gone, none):
        assert (error.code, error.message) == ("network", UNUSABLE)


async def test_one_that_is_silent_does_not_hold_us(tmp_path: Path) -> None:
    limits = replace(QUICK, connect=0.3)
    async with Answering() as server:
        network = NetworkSettings(proxy=f"socks5://{server.authority}")
        async with transferring(tmp_path, network=network, limits=limits) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get("http://example.com/f.bin")
        assert failed.value.code == "timeout"


@pytest.mark.parametrize("user", ["", "me"])
async def test_wrong_words_for_it_are_not_repeated(tmp_path: Path, user: str) -> None:
    async with SocksProxy(user="me", password="right") as proxy:
        url = proxy.url_of(user, "CANARY")
        error = await failure(tmp_path, url, "http://example.com/f.bin?CANARY")
        assert (error.code, error.message) == ("network", UNUSABLE)
        assert "CANARY" not in f"{error!r} {error}"


async def test_a_bad_certificate_behind_it_is_refused(tmp_path: Path, authority: Authority) -> None:
    async with Lying(tls=authority.serving("other.example.com")) as server, SocksProxy() as proxy:
        network = NetworkSettings(proxy=proxy.url)
        async with transferring(tmp_path, network=network, ca_file=authority.file) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(at(server, "/f.bin", "https"))
        assert failed.value.code == "tls"
        assert f"certificate is not valid for '{NAME}'" in failed.value.message
        assert server.requests == []
        assert rig.files() == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_dies_leaves_a_part_for_the_next(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    tls = authority.serving(NAME) if scheme == "https" else None
    async with Lying(tls=tls) as server:
        server.at("/f.bin", Served(BODY))
        url = at(server, "/f.bin", scheme)
        async with SocksProxy() as proxy:
            proxy.cut, proxy.lives = [1_500_000], 1
            network = NetworkSettings(proxy=proxy.url)
            async with transferring(tmp_path, network=network, ca_file=authority.file) as rig:
                with pytest.raises(DownloadError) as failed:
                    await rig.get(url, segments=1)
        assert failed.value.code == "network"
        assert set(rig.files()) == {"f.bin.part", "f.bin.part.json"}
        async with SocksProxy() as another:
            network = NetworkSettings(proxy=another.url)
            async with transferring(tmp_path, network=network, ca_file=authority.file) as rig:
                await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": BODY}
        assert int((server.requests[1].header("Range") or "")[6:].partition("-")[0]) > 1_000_000
