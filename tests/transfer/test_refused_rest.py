"""What comes in the place of the rest, or behind what is here: the file comes, or what is here is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers.lying import Behaviour, Exchange, Lying, Served, replying
from tests.transfer.rig import noise, transferring
from trayagent.model.errors import DownloadError

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><input type=password></body></html>"
ERROR_PAGE = b"<html><body><h1>Oops</h1></body></html>"


@dataclass
class Resumed:
    """Breaks off at 100 kB, and answers whoever wants the rest, or comes again, as a test says."""

    body: bytes
    rest: Behaviour | None = None
    """None: the connection is reset."""
    again: Behaviour | None = None
    """None: the whole file."""
    asked: list[str] = field(default_factory=list)

    async def __call__(self, exchange: Exchange) -> None:
        is_first = not self.asked
        self.asked.append("rest" if exchange.header("Range") else "all")
        if is_first:
            await exchange.head("200 OK", ETag='"v1"', Content_Length=len(self.body))
            await exchange.raw(self.body[:100_000])
            await asyncio.sleep(0.05)  # a reset drops what nobody has read
            exchange.reset()
        elif self.asked[-1] == "all":
            await (self.again or Served(self.body))(exchange)
        elif self.rest is None:
            exchange.reset()
        else:
            await self.rest(exchange)


@pytest.mark.parametrize("status", [304, 400, 403, 405, 412, 501])
@pytest.mark.parametrize("is_new_run", [False, True])
async def test_a_server_that_refuses_the_rest_is_asked_for_all_of_it(
    tmp_path: Path, status: int, is_new_run: bool
) -> None:
    """Else the file would never come, however often it is tried: each time a part would be asked for."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        # A 304 has no body (RFC 9110 §15.4.5): one would be taken for the beginning of the next answer.
        refusing = replying(f"{status} No parts", b"" if status == 304 else b"no")
        served = Resumed(noise(300_000), rest=None if is_new_run else refusing)
        url = server.at("/f.bin", served)
        if is_new_run:
            with pytest.raises(DownloadError):
                await rig.get(url, owner="one")
            served.rest = refusing
        await rig.get(url, owner="one", path=tmp_path / "f.bin" if is_new_run else None)
        assert rig.files() == {"f.bin": served.body}
        assert served.asked[-2:] == ["rest", "all"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_file_that_is_refused_in_the_middle_keeps_what_is_here(
    tmp_path: Path, status: int
) -> None:
    """It is asked for once more at most, where the part may have been at fault."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        refusing = replying(f"{status} No", b"no")
        served = Resumed(noise(300_000), rest=refusing, again=refusing)
        with pytest.raises(DownloadError) as failed:
            await rig.get(server.at("/f.bin", served), owner="one")
        assert failed.value.code in {"needs_login", "forbidden", "not_found"}
        assert served.asked == ["all", "rest", *(["all"] if status == 403 else [])]
        assert rig.files()["f.bin.part"] == served.body[:100_000]
        served.rest = Served(served.body)
        await rig.get(server.url("/f.bin"), owner="one", path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": served.body}
        assert served.asked[-1] == "rest"


async def test_a_page_in_the_place_of_the_rest_is_not_the_file(tmp_path: Path) -> None:
    """A hotspot wants a word first: what is here waits, in this run and in the next."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        page = replying("200 OK", HTML, Content_Type="text/html")
        served = Resumed(noise(300_000), rest=page, again=page)
        url = server.at("/f.bin", served)
        for path in (None, tmp_path / "f.bin"):
            with pytest.raises(DownloadError) as failed:
                await rig.get(url, owner="one", path=path)
            assert failed.value.code == "needs_login"
            assert rig.files()["f.bin.part"] == served.body[:100_000]
        served.rest = None
        with pytest.raises(DownloadError):
            await rig.get(url, owner="one", path=tmp_path / "f.bin")
        served.rest = Served(served.body)
        await rig.get(url, owner="one", path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": served.body}


async def test_a_page_that_takes_the_place_of_another_is_the_file(tmp_path: Path) -> None:
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        before = HTML + b" " * 300_000
        served = Resumed(before, rest=replying("200 OK", ERROR_PAGE), again=None)
        await rig.get(server.at("/page", served), owner="one")
        assert list(rig.files().values()) == [ERROR_PAGE]


async def test_a_part_that_somebody_added_to_is_fetched_anew(tmp_path: Path) -> None:
    """Whoever writes behind the end may have written before it, too."""
    async with Lying() as server, transferring(tmp_path, server.authority) as rig:
        served = Resumed(noise(300_000))
        url = server.at("/f.bin", served)
        with pytest.raises(DownloadError):
            await rig.get(url, owner="one")
        with (tmp_path / "f.bin.part").open("ab") as part:
            part.write(noise(500_000, seed=2))
        await rig.get(url, owner="one", path=tmp_path / "f.bin")
        assert rig.files() == {"f.bin": served.body}
        assert served.asked[-1] == "all"
