"""Downloads go through the HTTP proxy of the settings and no other, and it learns no more than it must."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.net.asking import asking
from tests.servers.certificates import Authority
from tests.servers.http_proxy import HttpProxy
from tests.servers.listening import Answering
from tests.servers.lying import Exchange, Lying, Served, redirecting, replying
from tests.servers.socks_proxy import SocksProxy
from tests.transfer.rig import QUICK, TransferRig, noise, transferring, until
from tests.wine import checks_certificates
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings

BODY = noise(3_000_000)
NAME = "media.example.com"  # looking it up would fail the test: the proxy has to do that
SECRETS = {"X-Key": "CANARY_KEY", "Authorization": "Bearer CANARY_BEARER"}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@asynccontextmanager
async def through(
    proxy: str, folder: Path, *named: str, ca_file: Path | None = None
) -> AsyncIterator[TransferRig]:
    async with transferring(
        folder, *named, network=NetworkSettings(proxy=proxy), ca_file=ca_file
    ) as rig:
        yield rig


def at(server: Lying, path: str, scheme: str = "http") -> str:
    """The public address of something on a test server."""
    return f"{scheme}://{NAME}:{server.port}{path}"


@pytest.mark.parametrize("segments", [1, 4])
async def test_https_goes_through_a_tunnel(
    tmp_path: Path, authority: Authority, segments: int
) -> None:
    async with Lying(tls=authority.serving(NAME)) as server, HttpProxy() as proxy:
        server.at("/f.bin", Served(BODY, rate=6_000_000))
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            url = at(server, "/f.bin", "https") + "?sig=CANARY_SIG"
            await rig.get(url, segments=segments, headers=SECRETS)
        assert rig.files() == {"f.bin": BODY}
        assert {(a.method, a.target) for a in proxy.asked} == {("CONNECT", f"{NAME}:{server.port}")}
        assert "CANARY" not in str(proxy.asked)
        assert server.requests[0].path == "/f.bin?sig=CANARY_SIG"
        assert server.connections <= proxy.connections
        assert (proxy.connections > 1) == (segments > 1)


async def test_http_is_asked_for_by_its_whole_address(tmp_path: Path) -> None:
    async with Lying() as server, HttpProxy() as proxy:
        server.at("/a%2Fb", Served(BODY))
        async with through(proxy.url, tmp_path) as rig:
            await rig.get(at(server, "/a%2Fb") + "?q=1", filename="f.bin")
        assert rig.files() == {"f.bin": BODY}
        assert [a.target for a in proxy.asked] == [at(server, "/a%2Fb") + "?q=1"]
        assert server.requests[0].path == "/a%2Fb?q=1"
        assert server.requests[0].header("Host") == f"{NAME}:{server.port}"


async def test_usual_ports_need_not_be_said(tmp_path: Path, authority: Authority) -> None:
    async with Lying() as plain, Lying(tls=authority.serving(NAME)) as safe, HttpProxy() as proxy:
        proxy.leads = {f"{NAME}:80": plain.authority, f"{NAME}:443": safe.authority}
        plain.at("/a", redirecting(f"https://{NAME}/b"))
        safe.at("/b", Served(BODY))
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            await rig.get(f"http://{NAME}/a", filename="f.bin")
        assert rig.files() == {"f.bin": BODY}
        assert [a.target for a in proxy.asked] == [f"http://{NAME}/a", f"{NAME}:443"]


async def test_the_proxy_itself_may_speak_tls(tmp_path: Path, authority: Authority) -> None:
    async with (
        Lying(tls=authority.serving(NAME)) as safe,
        Lying() as plain,
        HttpProxy(tls=authority.serving("127.0.0.1")) as proxy,
    ):
        safe.at("/a.bin", Served(BODY))
        plain.at("/b.bin", Served(BODY))
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            await rig.get(at(safe, "/a.bin", "https"))
            await rig.get(at(plain, "/b.bin"))
        assert rig.files() == {"a.bin": BODY, "b.bin": BODY}


@checks_certificates
async def test_a_proxy_that_nobody_vouches_for_gets_nothing(
    tmp_path: Path, authority: Authority
) -> None:
    async with (
        Lying(tls=authority.serving(NAME)) as safe,
        Lying() as plain,
        HttpProxy(tls=authority.serving("127.0.0.1")) as proxy,
        through(proxy.url, tmp_path) as rig,
    ):
        for url in (at(safe, "/c.bin", "https"), at(plain, "/c.bin")):
            with pytest.raises(DownloadError) as failed:
                await rig.get(url)
            assert failed.value.code == "tls"


async def test_a_bad_certificate_behind_a_tunnel_is_refused(
    tmp_path: Path, authority: Authority
) -> None:
    async with Lying(tls=authority.serving("other.example.com")) as server, HttpProxy() as proxy:
        server.at("/f.bin", Served(BODY))
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(at(server, "/f.bin", "https"))
        assert failed.value.code == "tls"
        assert f"the certificate is not valid for '{NAME}'" in failed.value.message
        assert server.requests == []
        assert rig.files() == {}


# --- user and password ---


async def test_its_user_and_password_are_for_the_proxy_alone(
    tmp_path: Path, authority: Authority
) -> None:
    """On every request: also the second one on the same connection."""
    async with (
        Lying() as plain,
        Lying(tls=authority.serving(NAME)) as safe,
        HttpProxy(user="me", password="CANARY_P@ss:w/rd") as proxy,
    ):
        plain.at("/a", Served(b"a" * 1000))
        plain.at("/b", redirecting(at(safe, "/b", "https")))
        safe.at("/b", Served(b"b" * 1000))
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            await rig.get(at(plain, "/a"))
            await rig.get(at(plain, "/b"))
        assert len(rig.files()) == 2
        assert proxy.connections == 2
        own = base64.b64encode(b"me:CANARY_P@ss:w/rd").decode()
        assert [a.headers["proxy-authorization"] for a in proxy.asked] == [f"Basic {own}"] * 3
        for request in (*plain.requests, *safe.requests):
            assert own not in str(request.headers)
            assert "CANARY" not in str(request.headers)
            assert not {"authorization", "proxy-authorization"} & request.names()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_those_of_an_address_are_for_its_server_alone(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    tls = authority.serving(NAME) if scheme == "https" else None
    async with Lying(tls=tls) as server, HttpProxy(user="me", password="pass") as proxy:
        server.at("/f.bin", Served(BODY))
        url = at(server, "/f.bin", scheme).replace("://", "://you:word@")
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            await rig.get(url)
        yours, own = (base64.b64encode(pair).decode() for pair in (b"you:word", b"me:pass"))
        assert server.requests[0].header("Authorization") == f"Basic {yours}"
        assert [a.headers["proxy-authorization"] for a in proxy.asked] == [f"Basic {own}"]


async def test_a_custom_header_cannot_speak_to_the_proxy(tmp_path: Path) -> None:
    async with Lying() as server, HttpProxy() as proxy:
        server.at("/f.bin", Served(BODY))
        async with through(proxy.url, tmp_path) as rig:
            await rig.get(at(server, "/f.bin"), headers={"Proxy-Authorization": "Basic evil"})
        assert "proxy-authorization" not in proxy.asked[0].headers


# --- a proxy that does not do its work ---


@pytest.mark.parametrize("status", ["403 No", "407 Who are you", "502 Nobody there", ""])
async def test_a_proxy_that_refuses_or_hangs_up_is_trouble_of_the_network(
    tmp_path: Path, authority: Authority, status: str
) -> None:
    async with Lying(tls=authority.serving(NAME)) as server, HttpProxy() as proxy:
        proxy.refusal, proxy.mute = status, not status
        async with through(proxy.url_of("me", "CANARY"), tmp_path, ca_file=authority.file) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(at(server, "/f.bin", "https"))
        assert failed.value.code == "network"
        assert "CANARY" not in str(failed.value)
        if status:
            assert failed.value.message == "The connection failed (the proxy could not be used)."
        assert server.connections == 0
        assert rig.files() == {}


@pytest.mark.parametrize("status", ["302 Go", "429 Busy", "503 Busy", "404 None"])
async def test_what_a_proxy_says_to_connect_is_no_answer(authority: Authority, status: str) -> None:
    """Nothing in its head sends us anywhere or makes us wait."""
    async with (
        Lying() as elsewhere,
        Lying(tls=authority.serving(NAME)) as server,
        HttpProxy() as proxy,
    ):
        proxy.refusal = f"{status}\r\nLocation: {elsewhere.url('/evil')}\r\nRetry-After: 99"
        network = NetworkSettings(proxy=proxy.url)
        with asking(elsewhere.authority, network=network, ca_file=authority.file) as asker:
            failed = await asker.fail(at(server, "/f", "https"))
        assert (failed.code, failed.retry_after) == ("network", None)
        assert (server.connections, elsewhere.connections) == (0, 0)


async def test_a_tunnel_that_is_open_is_no_head(authority: Authority) -> None:
    """Its 200 is the proxy's; the server's answer is still to come."""
    gate = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await gate.wait()
        await exchange.reply("404 Not Found", b"no", ETag="mine")

    async with Lying(tls=authority.serving(NAME)) as server, HttpProxy() as proxy:
        network = NetworkSettings(proxy=proxy.url)
        server.at("/f", late)
        with asking(network=network, ca_file=authority.file) as asker:
            asked = asker.start(at(server, "/f", "https"))
            await until(lambda: bool(server.requests))
            assert asked.answer.poll() is None
            gate.set()
            head = await asyncio.to_thread(asked.head)
        assert (head.status, head.headers["ETag"]) == (404, "mine")


async def test_a_proxy_that_wants_a_name_is_not_taken_for_the_server(tmp_path: Path) -> None:
    async with HttpProxy() as proxy:
        proxy.refusal = "407 Who are you"
        async with through(proxy.url, tmp_path) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(f"http://{NAME}/f.bin")
    assert failed.value.code == "network"
    assert failed.value.message == "The connection failed (HTTP 407: a proxy asks for a login)."


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_silent_does_not_hold_us(tmp_path: Path, scheme: str) -> None:
    limits = replace(QUICK, first_byte=0.3)
    async with Answering() as server:
        network = NetworkSettings(proxy=f"http://{server.authority}")
        async with transferring(tmp_path, network=network, limits=limits) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(f"{scheme}://{NAME}/f.bin")
        assert failed.value.code == "timeout"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_never_gone_around(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    tls = authority.serving("127.0.0.1") if scheme == "https" else None
    async with HttpProxy() as proxy:
        pass
    async with Lying(tls=tls) as server:
        url = server.at("/f.bin", Served(BODY))
        async with through(proxy.url, tmp_path, server.authority, ca_file=authority.file) as rig:
            with pytest.raises(DownloadError) as failed:
                await rig.get(url)
        assert failed.value.code == "network"
        assert failed.value.message == "The connection failed (the proxy could not be used)."
        assert server.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_drops_a_connection_is_asked_again(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    tls = authority.serving(NAME) if scheme == "https" else None
    async with Lying(tls=tls) as server, HttpProxy() as proxy:
        server.at("/f.bin", Served(BODY))
        proxy.cut = [1_500_000]
        async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
            await rig.get(at(server, "/f.bin", scheme), segments=1)
        assert rig.files() == {"f.bin": BODY}
        assert server.requests[1].header("If-Range") == '"v1"'
        assert int((server.requests[1].header("Range") or "")[6:-1]) > 1_000_000


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_dies_leaves_a_part_for_the_next(
    tmp_path: Path, authority: Authority, scheme: str
) -> None:
    tls = authority.serving(NAME) if scheme == "https" else None
    async with Lying(tls=tls) as server:
        server.at("/f.bin", Served(BODY))
        url = at(server, "/f.bin", scheme)
        async with HttpProxy() as proxy:
            proxy.cut, proxy.lives = [1_500_000], 1
            async with through(proxy.url, tmp_path, ca_file=authority.file) as rig:
                with pytest.raises(DownloadError) as failed:
                    await rig.get(url, segments=1)
        assert failed.value.code == "network"
        assert set(rig.files()) == {"f.bin.part", "f.bin.part.json"}
        async with (
            HttpProxy() as another,
            through(another.url, tmp_path, ca_file=authority.file) as rig,
        ):
            await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": BODY}
        assert int((server.requests[1].header("Range") or "")[6:].partition("-")[0]) > 1_000_000


# --- private addresses ---


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "nas"])
async def test_a_private_address_behind_a_proxy_has_to_be_named(
    tmp_path: Path, host: str, scheme: str
) -> None:
    async with HttpProxy() as proxy, through(proxy.url, tmp_path) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(f"{scheme}://{host}:{proxy.port}/f.bin")
        assert failed.value.code == "blocked_address"
        assert proxy.connections == 0


async def test_a_named_one_is_asked_for_and_a_redirect_to_another_is_not(tmp_path: Path) -> None:
    async with Lying() as named, Lying() as inside, HttpProxy() as proxy:
        named.at("/f.bin", Served(BODY))
        named.at("/away", redirecting(inside.at("/f.bin", Served(BODY))))
        async with through(proxy.url, tmp_path, named.authority) as rig:
            await rig.get(named.url("/f.bin"))
            with pytest.raises(DownloadError) as failed:
                await rig.get(named.url("/away"))
            assert failed.value.code == "blocked_address"
            proxy.leads = {f"{NAME}:80": named.authority}
            with pytest.raises(DownloadError) as failed:
                await rig.get(f"http://{NAME}/away")
            assert failed.value.code == "blocked_address"
        assert inside.connections == 0
        assert len(proxy.asked) == 3


# --- what is not configured is not used ---

EVERY_NAME = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY", "WS_PROXY", "WSS_PROXY")


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
async def test_the_environment_and_netrc_choose_nothing(
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    authority: Authority,
    kind: type[HttpProxy | SocksProxy],
) -> None:
    netrc = home.parent / ".netrc"
    netrc.write_text("machine 127.0.0.1 login CANARY password CANARY\ndefault login C password D\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    (home.parent / ".curlrc").write_text('user-agent = "CANARY"\nproxy = "127.0.0.1:9"\ninsecure\n')
    monkeypatch.setenv("CURL_HOME", str(home.parent))
    async with (
        kind() as proxy,
        Lying() as plain,
        Lying(tls=authority.serving("127.0.0.1")) as safe,
    ):
        for name in EVERY_NAME:
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        both = plain.authority, safe.authority
        async with transferring(tmp_path, *both, ca_file=authority.file) as rig:
            await rig.get(plain.at("/a.bin", replying("200 OK", b"a")))
            await rig.get(safe.at("/b.bin", replying("200 OK", b"b")))
        assert rig.files() == {"a.bin": b"a", "b.bin": b"b"}
        assert proxy.connections == 0
        for request in (*plain.requests, *safe.requests):
            assert "authorization" not in request.names()
            assert "CANARY" not in str(request.headers)


async def test_the_environment_does_not_lead_around_the_configured_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Lying() as server, HttpProxy() as wanted, HttpProxy() as unwanted:
        for name in EVERY_NAME:
            monkeypatch.setenv(name, unwanted.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, f"*,{NAME},127.0.0.1")
        server.at("/f.bin", Served(BODY))
        async with through(wanted.url, tmp_path, server.authority) as rig:
            await rig.get(server.url("/f.bin"))
        assert (wanted.connections, unwanted.connections) == (1, 0)
