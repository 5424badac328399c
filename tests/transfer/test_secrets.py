"""Nothing that can be printed or kept shows a secret: not a repr, an error, a record or a mark."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served, replying
from tests.transfer.rig import noise, transferring
from trayagent.model.downloads import Cookie
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Request
from trayagent.net.cookies import Jar
from trayagent.net.redirects import Redirects
from trayagent.transfer.finish import Origin

SECRET = Request(
    "http://user:CANARY_PW@h.example/a?sig=CANARY_SIG",
    mirrors=("http://m.example/?sig=CANARY_SIG",),
    headers={"Authorization": "CANARY_BEARER", "X-Key": "CANARY_KEY"},
    cookies=(Cookie("sid", "CANARY_COOKIE", "h.example"),),
    referer="http://p.example/?t=CANARY_REFERER",
)


def test_no_repr_shows_one() -> None:
    redirects = Redirects(SECRET)
    origin = Origin(SECRET.url, {"a": "CANARY"})
    things = [SECRET, redirects, redirects.endpoint, Jar(SECRET.cookies), origin]
    assert "CANARY" not in repr(things)


@pytest.mark.parametrize("status", ["403 No", "500 No", "302 Found", "429 No"])
async def test_no_error_shows_one(tmp_path: Path, status: str) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at(
            "/a", replying(status, Location="ftp://CANARY/?CANARY", Retry_After="CANARY")
        )
        with pytest.raises(DownloadError) as failed:
            await rig.get(url + "?sig=CANARY_SIG", headers=SECRET.headers, cookies=SECRET.cookies)
        error = failed.value
        assert "CANARY" not in f"{error!r} {error} {error.message} {error.action} {error.detail}"


async def test_no_file_beside_the_download_holds_one(tmp_path: Path) -> None:
    body = noise(2_000_000)
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        url = server.at("/a.bin", Served(body, cut=[200_000] * 5)) + "?sig=CANARY_SIG"
        with pytest.raises(DownloadError):
            await rig.get(url, headers=SECRET.headers, cookies=SECRET.cookies)
        assert b"CANARY" not in (tmp_path / "a.bin.part.json").read_bytes()
        fetched = await rig.get(url, headers=SECRET.headers, path=tmp_path / "a.bin")
        if sys.platform == "linux":
            marks = [os.getxattr(fetched.path, name) for name in os.listxattr(fetched.path)]
            assert b"CANARY" not in b" ".join(marks)
