"""HTTP/1.1 is spoken, and HTTP/2 where the settings ask for it and the server can."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.asking import Kept, asking
from tests.servers.certificates import Authority
from tests.servers.lying import Lying, Served, redirecting, replying
from tests.servers.own_process import connect, unused_port, wait_for_answer
from tests.transfer.rig import noise
from trayagent.model.settings import NetworkSettings

BODY = noise(3_000_000)
SITE = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log {folder}/access.log combined;
  log_format combined2 "$server_protocol $request_uri";
  access_log {folder}/protocols.log combined2;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/cert.pem;
    root {folder}/www;
    location /away {{ return 302 /f.bin; }}
    location /coded {{ add_header Content-Encoding gzip; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def nginx(tmp_path: Path, authority: Authority) -> Iterator[str]:
    """The address of an nginx that speaks both versions over TLS."""
    port = unused_port()
    www = tmp_path / "www"
    www.mkdir()
    (www / "f.bin").write_bytes(BODY)
    authority.write(tmp_path / "cert.pem", "127.0.0.1")
    conf = tmp_path / "nginx.conf"
    conf.write_text(SITE.format(folder=tmp_path, port=port))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program
    errors = tmp_path / "stderr"
    with errors.open("wb") as said:
        process = subprocess.Popen([program, "-p", str(tmp_path), "-c", str(conf)], stderr=said)
    try:
        wait_for_answer(process, lambda: connect(port), errors)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.needs("nginx")
@pytest.mark.parametrize(("version", "spoken"), [("1.1", "HTTP/1.1"), ("2", "HTTP/2.0")])
async def test_the_version_of_the_settings_is_spoken(
    nginx: str, tmp_path: Path, authority: Authority, version: str, spoken: str
) -> None:
    """Whole files, parts, redirects, ends before the end and several at once, in either."""
    network = NetworkSettings(http=version)  # type: ignore[arg-type]
    url = f"https://{nginx}/f.bin"
    with asking(nginx, network=network, ca_file=authority.file) as asker:
        assert await asker.get(url) == BODY
        assert await asker.get(url, {"Range": "bytes=100-199"}) == BODY[100:200]
        assert await asker.get(f"https://{nginx}/away") == BODY
        assert (await asker.answer(f"https://{nginx}/none")).head.status == 404
        sink = Kept(1000)
        await asyncio.to_thread(asker.start(url).into, sink)
        assert sink.data == BODY[:1000]
        several = [asker.start(url) for _ in range(4)]
        for asked in several:
            assert await asyncio.to_thread(asked.read) == BODY
    assert {line.split()[0] for line in (tmp_path / "protocols.log").read_text().splitlines()} == {
        spoken
    }


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
    nginx: str, tmp_path: Path, authority: Authority, version: str
) -> None:
    """A sink that pauses gets every byte once: libcurl keeps a stream's bytes otherwise than a connection's."""
    network = NetworkSettings(http=version)  # type: ignore[arg-type]
    text = BODY[:500_000] + bytes(50_000_000) + BODY[:500_000]
    folder = tmp_path / "www" / "coded"
    folder.mkdir()
    coded = gzip.compress(text)
    (folder / "whole").write_bytes(coded)
    (folder / "cut").write_bytes(coded[:-9])
    with asking(nginx, network=network, ca_file=authority.file) as asker:
        for pause in (0.0, 0.001):
            sink = Kept(pause=pause)
            await asyncio.to_thread(asker.start(f"https://{nginx}/coded/whole").into, sink)
            assert sink.data == text
        assert (await asker.fail(f"https://{nginx}/coded/cut")).code == "truncated"
