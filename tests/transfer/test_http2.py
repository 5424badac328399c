"""Over HTTP/2 a server may end a stream, a connection, or allow one stream at a time: the files come whole."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.certificates import Authority
from tests.servers.lying import Lying, Served
from tests.servers.own_process import connect, unused_port, wait_for_answer
from tests.transfer.rig import noise, transferring
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings

HTTP2 = NetworkSettings(http="2")
SITE = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ }}
http {{
  log_format stream "$server_protocol $connection $request_uri";
  access_log {folder}/access.log stream;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/cert.pem;
    root {folder}/www;
    {terms}
    location /behind/ {{ proxy_pass http://{behind}; proxy_http_version 1.1; proxy_buffering off; }}
  }}
}}
"""

pytestmark = pytest.mark.needs("nginx")


@contextmanager
def nginx(
    folder: Path, authority: Authority, terms: str, behind: str = "127.0.0.1:9"
) -> Iterator[str]:
    """The address of an nginx that speaks HTTP/2 on these terms."""
    port = unused_port()
    (folder / "www").mkdir(parents=True)
    authority.write(folder / "cert.pem", "127.0.0.1")
    conf, errors = folder / "nginx.conf", folder / "stderr"
    conf.write_text(SITE.format(folder=folder, port=port, terms=terms, behind=behind))
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program
    with errors.open("wb") as said:
        process = subprocess.Popen([program, "-p", str(folder), "-c", str(conf)], stderr=said)
    try:
        wait_for_answer(process, lambda: connect(port), errors)
        yield f"127.0.0.1:{port}"
    finally:
        # At leisure: a request is written down only once it is over for nginx, too.
        process.send_signal(signal.SIGQUIT)
        process.wait(20)


def asked(folder: Path) -> list[list[str]]:
    """The protocol, the connection and the path of each request, as nginx wrote them down."""
    return [line.split() for line in (folder / "access.log").read_text().splitlines()]


@pytest.mark.parametrize(
    "terms",
    [
        "http2_max_concurrent_streams 1;",
        "keepalive_requests 1;",
        "keepalive_requests 2; limit_rate 3m;",
        "http2_max_concurrent_streams 1; keepalive_requests 3; limit_rate 8m;",
    ],
)
async def test_many_files_come_whole_and_once(tmp_path: Path, terms: str) -> None:
    """One stream at a time, and GOAWAY (RFC 9113 §6.8) while others are on their way."""
    authority, site = Authority(), tmp_path / "site"
    files = {f"{n}.bin": noise(size, n) for n, size in enumerate([10, 70_000, 900_000] * 4)}
    with nginx(site, authority, terms) as address:
        for name, body in files.items():
            (site / "www" / name).write_bytes(body)
        async with transferring(
            tmp_path / "in", address, network=HTTP2, ca_file=authority.file
        ) as rig:
            async with asyncio.TaskGroup() as group:
                for name in files:
                    group.create_task(rig.get(f"https://{address}/{name}"), name=name)
            assert rig.files() == files
    lines = asked(site)
    assert {line[0] for line in lines} == {"HTTP/2.0"}
    assert sorted({line[2] for line in lines}) == sorted(f"/{name}" for name in files)
    if "keepalive" in terms:
        assert len({line[1] for line in lines}) > 1, "no GOAWAY came"


async def test_several_connections_of_one_file_share_one_stream(tmp_path: Path) -> None:
    authority, site, body = Authority(), tmp_path / "site", noise(12_000_000)
    terms = "http2_max_concurrent_streams 1; keepalive_requests 5; limit_rate 6m;"
    with nginx(site, authority, terms) as address:
        (site / "www" / "f.bin").write_bytes(body)
        async with transferring(
            tmp_path / "in", address, network=HTTP2, ca_file=authority.file
        ) as rig:
            await rig.get(f"https://{address}/f.bin", segments=4)
            assert rig.files() == {"f.bin": body}


async def test_a_stream_that_is_reset_goes_on_where_it_was(tmp_path: Path) -> None:
    """nginx answers the cut of a server behind it with RST_STREAM (RFC 9113 §6.4)."""
    authority, body = Authority(), noise(800_000)
    async with Lying() as behind:
        served = Served(body, cut=[300_000])
        behind.at("/behind/f.bin", served)
        behind.at("/behind/h.bin", Served(body, etag=None, modified=None, cut=[100_000] * 9))
        with nginx(tmp_path / "site", authority, "", behind.authority) as address:
            async with transferring(
                tmp_path / "in", address, network=HTTP2, ca_file=authority.file
            ) as rig:
                await rig.get(f"https://{address}/behind/f.bin")
                assert rig.files() == {"f.bin": body}
                ranges = [one.header("Range") for one in behind.asked("/behind/f.bin")]
                assert ranges[0] is None
                assert all(one and one.startswith("bytes=") for one in ranges[1:])
                # Nothing proves that a second answer is the same file: it fails, and leaves no name.
                with pytest.raises(DownloadError) as failed:
                    await rig.get(f"https://{address}/behind/h.bin")
                assert failed.value.traits.is_retryable
                assert "h.bin" not in rig.files()
