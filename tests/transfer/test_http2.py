"""Over HTTP/2 a server may end a stream, a connection, or allow one stream at a time: the files come whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.servers.certificates import Authority
from tests.servers.lying import Lying, Served
from tests.servers.nginx import Nginx
from tests.transfer.rig import noise, transferring
from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings

HTTP2 = NetworkSettings(http="2")
pytestmark = pytest.mark.needs("nginx")


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
    signer = Authority()
    files = {f"{n}.bin": noise(size, n) for n, size in enumerate([10, 70_000, 900_000] * 4)}
    with Nginx(tmp_path / "site", signer, terms) as nginx:
        for name, body in files.items():
            (nginx.www / name).write_bytes(body)
        async with transferring(
            tmp_path / "in", nginx.authority, network=HTTP2, ca_file=signer.file
        ) as rig:
            async with asyncio.TaskGroup() as group:
                for name in files:
                    group.create_task(rig.get(f"{nginx.base}/{name}"), name=name)
            assert rig.files() == files
    logged = nginx.logged()
    assert {each.protocol for each in logged} == {"HTTP/2.0"}
    assert sorted({each.path for each in logged}) == sorted(f"/{name}" for name in files)
    if "keepalive" in terms:
        assert len({each.connection for each in logged}) > 1, "no GOAWAY came"


async def test_several_connections_of_one_file_share_one_stream(tmp_path: Path) -> None:
    signer, body = Authority(), noise(12_000_000)
    terms = "http2_max_concurrent_streams 1; keepalive_requests 5; limit_rate 6m;"
    with Nginx(tmp_path / "site", signer, terms) as nginx:
        (nginx.www / "f.bin").write_bytes(body)
        async with transferring(
            tmp_path / "in", nginx.authority, network=HTTP2, ca_file=signer.file
        ) as rig:
            await rig.get(f"{nginx.base}/f.bin", segments=4)
            assert rig.files() == {"f.bin": body}


async def test_a_stream_that_is_reset_goes_on_where_it_was(tmp_path: Path) -> None:
    """nginx answers the cut of a server behind it with RST_STREAM (RFC 9113 §6.4)."""
    signer, body = Authority(), noise(800_000)
    async with Lying() as behind:
        served = Served(body, cut=[300_000])
        behind.at("/behind/f.bin", served)
        behind.at("/behind/h.bin", Served(body, etag=None, modified=None, cut=[100_000] * 9))
        passed_on = f"proxy_pass http://{behind.authority}; proxy_http_version 1.1;"
        terms = f"location /behind/ {{ {passed_on} proxy_buffering off; }}"
        with Nginx(tmp_path / "site", signer, terms) as nginx:
            async with transferring(
                tmp_path / "in", nginx.authority, network=HTTP2, ca_file=signer.file
            ) as rig:
                await rig.get(f"{nginx.base}/behind/f.bin")
                assert rig.files() == {"f.bin": body}
                ranges = [one.header("Range") for one in behind.asked("/behind/f.bin")]
                assert ranges[0] is None
                assert all(one and one.startswith("bytes=") for one in ranges[1:])
                # Nothing proves that a second answer is the same file: it fails, and leaves no name.
                with pytest.raises(DownloadError) as failed:
                    await rig.get(f"{nginx.base}/behind/h.bin")
                assert failed.value.traits.is_retryable
                assert "h.bin" not in rig.files()
