"""Nothing is fetched from a server whose certificate is not right, and what came before is kept."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.servers.certificates import Authority, nameless, self_signed
from tests.servers.listening import Answering
from tests.servers.lying import Exchange, Lying, Served, redirecting, replying
from tests.transfer.rig import noise, transferring
from tests.wine import checks_certificates
from trayagent.model.errors import DownloadError

HERE = "127.0.0.1"
BODY, EVIL = noise(400_000), noise(400_000, seed=666)


@pytest.fixture(scope="module")
def trusted() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    return Authority()


def expired(trusted: Authority) -> ssl.SSLContext:
    return trusted.serving(HERE, until=datetime.now(UTC) - timedelta(days=1))


def of_another_host(trusted: Authority) -> ssl.SSLContext:
    return trusted.serving("other.example", "127.0.0.2", "*.0.0.1")


def signed_by_itself(trusted: Authority) -> ssl.SSLContext:
    return self_signed(HERE)


def of_nobody(trusted: Authority) -> ssl.SSLContext:
    return nameless()


def signed_by_a_stranger(trusted: Authority) -> ssl.SSLContext:
    return Authority().serving(HERE)


UNTRUSTED = "nobody whom this machine trusts has signed the certificate"
OPENSSL = {
    expired: "certificate has expired",
    of_another_host: "not valid for '127.0.0.1'",
    of_nobody: "the certificate names no host",
    signed_by_itself: "self-signed certificate",
    signed_by_a_stranger: "unable to get local issuer certificate",
}
SCHANNEL = {
    expired: "certificate has expired",
    of_another_host: "could not be trusted",  # of an address it says nothing more
    of_nobody: UNTRUSTED,
    signed_by_itself: UNTRUSTED,
    signed_by_a_stranger: UNTRUSTED,
}


@pytest.mark.parametrize(
    ("shown", "said"), (SCHANNEL if sys.platform == "win32" else OPENSSL).items()
)
async def test_a_bad_certificate_is_refused_and_the_reason_given(
    tmp_path: Path,
    trusted: Authority,
    shown: Callable[[Authority], ssl.SSLContext],
    said: str,
) -> None:
    async with (
        Lying(tls=shown(trusted)) as server,
        transferring(tmp_path, server.authority, ca_file=trusted.file) as rig,
    ):
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", Served(BODY)) + "?sig=CANARY")
        assert failed.value.code == "tls"
        assert failed.value.message.startswith("The secure connection could not be trusted")
        assert said in failed.value.message
        assert failed.value.action == "Check this machine's clock and the address."
        assert "CANARY" not in str(failed.value)
        assert server.requests == []
        assert rig.files() == {}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", id="only TLS 1.0"),
        pytest.param(b"\x15\x03\x03\x00\x02\x02\x28", id="no cipher in common"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="plain http"),
    ],
)
async def test_what_is_not_safe_enough_is_refused(tmp_path: Path, answer: bytes) -> None:
    """Alerts as RFC 8446 §6.2 has them: protocol_version and handshake_failure."""
    async with Answering(answer) as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(f"https://{server.authority}/f.bin")
        assert failed.value.code == "tls"
        assert "the secure connection could not be set up" in failed.value.message
        assert rig.files() == {}


@checks_certificates
async def test_only_the_authorities_of_the_system_count(tmp_path: Path) -> None:
    server_side = Authority().serving(HERE)
    async with Lying(tls=server_side) as server, transferring(tmp_path, server.authority) as rig:
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", Served(BODY)))
        assert failed.value.code == "tls"
        assert server.requests == []


async def test_a_redirect_does_not_lead_around_the_certificate(
    tmp_path: Path, trusted: Authority
) -> None:
    async with (
        Lying(tls=trusted.serving(HERE)) as honest,
        Lying(tls=expired(trusted)) as bad,
        transferring(tmp_path, honest.authority, bad.authority, ca_file=trusted.file) as rig,
    ):
        url = honest.at("/f.bin", redirecting(bad.at("/f.bin", Served(EVIL))))
        with pytest.raises(DownloadError) as failed:
            await rig.get(url)
        assert failed.value.code == "tls"
        assert bad.requests == []
        assert rig.files() == {}


async def test_a_man_in_the_middle_of_a_resume_gets_and_gives_nothing(
    tmp_path: Path, trusted: Authority, stranger: Authority
) -> None:
    """The connection is cut, and the one that goes on with the file leads elsewhere."""
    certificate = trusted.serving(HERE)
    honest = Served(BODY, cut=[150_000])

    async def then_intercepted(exchange: Exchange) -> None:
        await honest(exchange)
        stranger.show(certificate, HERE)

    async with (
        Lying(tls=certificate) as server,
        transferring(tmp_path, server.authority, ca_file=trusted.file) as rig,
    ):
        url = server.at("/f.bin", then_intercepted)
        for path in (None, tmp_path / "f.bin"):
            with pytest.raises(DownloadError) as failed:
                await rig.get(url, path=path, headers={"X-Key": "CANARY"})
            assert failed.value.code == "tls"
            server.at("/f.bin", Served(EVIL))
        assert len(server.requests) == 1
        assert set(rig.files()) == {"f.bin.part", "f.bin.part.json"}
        assert (tmp_path / "f.bin.part").read_bytes()[:150_000] == BODY[:150_000]

        trusted.show(certificate, HERE)
        server.at("/f.bin", Served(BODY))
        await rig.get(url, path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": BODY}
        assert server.requests[1].header("Range") == "bytes=150000-"


async def test_a_man_in_the_middle_of_the_segments_gets_and_gives_nothing(
    tmp_path: Path, trusted: Authority, stranger: Authority
) -> None:
    """The first connection is honest but cut, and those that are to help it lead elsewhere."""
    body = noise(3_000_000)
    certificate = trusted.serving(HERE)
    honest = Served(body, rate=6_000_000, cut=[1_500_000])

    async def then_intercepted(exchange: Exchange) -> None:
        stranger.show(certificate, HERE)
        server.at("/f.bin", Served(noise(3_000_000, seed=666)))
        await honest(exchange)

    async with (
        Lying(tls=certificate) as server,
        transferring(tmp_path, server.authority, ca_file=trusted.file) as rig,
    ):
        url = server.at("/f.bin", then_intercepted)
        with pytest.raises(DownloadError) as failed:
            await rig.get(url, segments=3)
        assert failed.value.code == "tls"
        assert len(server.requests) == 1
        assert set(rig.files()) == {"f.bin.part", "f.bin.part.json"}
        kept = (tmp_path / "f.bin.part").read_bytes()
        assert all(was in (now, 0) for was, now in zip(kept, body, strict=False))

        trusted.show(certificate, HERE)
        server.at("/f.bin", Served(body))
        await rig.get(url, path=tmp_path / "f.bin", segments=3)
        assert rig.files() == {"f.bin": body}
        assert all(request.header("If-Range") == '"v1"' for request in server.requests[1:])


async def test_a_mirror_with_a_good_certificate_serves(tmp_path: Path, trusted: Authority) -> None:
    async with (
        Lying(tls=expired(trusted)) as bad,
        Lying(tls=trusted.serving(HERE)) as good,
        transferring(tmp_path, bad.authority, good.authority, ca_file=trusted.file) as rig,
    ):
        mirror = good.at("/f.bin", replying("200 OK", BODY))
        await rig.get(bad.at("/f.bin", Served(EVIL)), mirrors=(mirror,))
        assert rig.files() == {"f.bin": BODY}


async def test_a_man_in_the_middle_of_the_helpers_cannot_stop_the_first_connection(
    tmp_path: Path, trusted: Authority, stranger: Authority
) -> None:
    body = noise(3_000_000)
    certificate = trusted.serving(HERE)

    async def then_intercepted(exchange: Exchange) -> None:
        stranger.show(certificate, HERE)
        await Served(body, rate=6_000_000)(exchange)

    async with (
        Lying(tls=certificate) as server,
        transferring(tmp_path, server.authority, ca_file=trusted.file) as rig,
    ):
        await rig.get(server.at("/f.bin", then_intercepted), segments=3)
        assert rig.files() == {"f.bin": body}
        assert len(server.requests) == 1
