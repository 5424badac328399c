"""HTTP/1.1 is spoken, and HTTP/2 where the settings ask for it and the server can."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.asking import Kept, asking
from tests.servers.certificates import Authority
from tests.servers.lying import Lying, Served, redirecting, replying
from tests.servers.nginx import Nginx
from tests.transfer.rig import noise
from trayagent.model.settings import NetworkSettings

BODY = noise(3_000_000)
TERMS = """
    location /away { return 302 /f.bin; }
    location /coded { add_header Content-Encoding gzip; }
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def nginx(tmp_path: Path, authority: Authority) -> Iterator[Nginx]:
    with Nginx(tmp_path / "site", authority, TERMS) as nginx:
        (nginx.www / "f.bin").write_bytes(BODY)
        yield nginx


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(("version", "spoken"), [("1.1", "HTTP/1.1"), ("2", "HTTP/2.0")])
async def test_the_version_of_the_settings_is_spoken(
    nginx: Nginx, authority: Authority, version: str, spoken: str
) -> None:
    """Whole files, parts, redirects, ends before the end and several at once, in either."""
    network = NetworkSettings(http=version)  # type: ignore[arg-type]
    url = f"{nginx.base}/f.bin"
    with asking(nginx.authority, network=network, ca_file=authority.file) as asker:
        assert await asker.get(url) == BODY
        assert await asker.get(url, {"Range": "bytes=100-199"}) == BODY[100:200]
        assert await asker.get(f"{nginx.base}/away") == BODY
        assert (await asker.answer(f"{nginx.base}/none")).head.status == 404
        sink = Kept(1000)
        await asyncio.to_thread(asker.start(url).into, sink)
        assert sink.data == BODY[:1000]
        several = [asker.start(url) for _ in range(4)]
        for asked in several:
            assert await asyncio.to_thread(asked.read) == BODY
    nginx.end()
    assert {each.protocol for each in nginx.logged()} == {spoken}


@pytest.mark.parametrize("secure", [False, True])
async def test_who_cannot_speak_the_second_is_asked_in_the_first(
    authority: Authority, secure: bool
) -> None:
    async with Lying(tls=authority.serving("127.0.0.1") if secure else None) as server:
        server.at("/f", Served(BODY))
        url = server.at("/a", redirecting("/f"))
        with asking(
            server.authority, network=NetworkSettings(http="2"), ca_file=authority.file
        ) as asker:
            assert await asker.get(url) == BODY
            assert await asker.get(server.at("/b", replying("200 OK", b"b"))) == b"b"
        assert "upgrade" not in server.requests[0].names()


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_what_is_coded_is_decoded_and_proven_in_either(
    nginx: Nginx, authority: Authority, version: str
) -> None:
    """A sink that pauses gets every byte once: libcurl keeps a stream's bytes otherwise than a connection's."""
    network = NetworkSettings(http=version)  # type: ignore[arg-type]
    text = BODY[:500_000] + bytes(50_000_000) + BODY[:500_000]
    folder = nginx.www / "coded"
    folder.mkdir()
    coded = gzip.compress(text)
    (folder / "whole").write_bytes(coded)
    (folder / "cut").write_bytes(coded[:-9])
    with asking(nginx.authority, network=network, ca_file=authority.file) as asker:
        for pause in (0.0, 0.001):
            sink = Kept(pause=pause)
            await asyncio.to_thread(asker.start(f"{nginx.base}/coded/whole").into, sink)
            assert sink.data == text
        assert (await asker.fail(f"{nginx.base}/coded/cut")).code == "truncated"
