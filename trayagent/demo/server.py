"""The sample media server: a video, a few pictures and a paged image library, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from trayagent.demo.media import picture, video
from trayagent.loopthread import LoopThread

BYTES_PER_SECOND: Final = 2_500_000
"""Of one answer, so that there is progress to see."""
STEP_BYTES: Final = 65536
PAGE_ITEMS: Final = 10
"""Items of the library on one page."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One file of the server, and what it must be when it has arrived."""

    name: str
    type: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Hex."""
        return hashlib.sha256(self.data).hexdigest()

    def __repr__(self) -> str:
        return f"<Sample {self.name}, {len(self.data)} bytes>"


@dataclass(frozen=True, slots=True)
class Samples:
    """All that the server has."""

    film: Sample
    pictures: tuple[Sample, ...]
    """For the list."""
    library: tuple[Sample, ...]

    @classmethod
    def make(cls) -> Samples:
        """The same bytes every time; takes about a second."""
        noise = random.Random(2026)
        return cls(
            film=Sample("lighthouse.mp4", "video/mp4", video(426, 240, 48, noise)),
            pictures=tuple(_pictures("postcard", 6, noise)),
            library=tuple(_pictures("shot", 24, noise)),
        )


@asynccontextmanager
async def serving(samples: Samples) -> AsyncIterator[str]:
    """The server's base URL, while it runs."""
    app = web.Application()
    pages = _Pages(samples)
    app.router.add_get("/films/{name}", pages.file)
    app.router.add_get("/pictures/{name}", pages.file)
    app.router.add_get("/library/items", pages.listing)
    app.router.add_get("/library/items/{name}/original", pages.file)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def serving_aside(samples: Samples) -> Iterator[str]:
    """The same in a thread of its own, for who blocks: the story, and the command line."""
    bases: list[str] = []

    async def serve(ready: Callable[[], None]) -> None:
        async with serving(samples) as base:
            bases.append(base)
            ready()
            await asyncio.Event().wait()

    server = LoopThread(serve)
    server.start()
    try:
        yield bases[0]
    finally:
        server.stop()
        server.join()


class _Pages:
    """Answers requests from the samples in memory."""

    def __init__(self, samples: Samples) -> None:
        self._library = samples.library
        everything = (samples.film, *samples.pictures, *samples.library)
        self._by_name = {sample.name: sample for sample in everything}
        self._by_name |= {_id(sample): sample for sample in samples.library}
        self._hash = {sample.name: sample.sha256 for sample in everything}

    async def listing(self, request: web.Request) -> web.Response:
        """A page of the library, as `{"data": {"items": […], "next_cursor": …}}`."""
        start = int(request.query.get("cursor") or 0)
        end = min(start + PAGE_ITEMS, len(self._library))
        # Eight pictures a day, a minute apart: the library files them under three dates.
        items = [
            {
                "id": _id(sample),
                "type": "image",
                "created_at": f"2026-05-{1 + number // 8:02}T09:{number:02}:00Z",
                "file": {"name": sample.name, "size": len(sample.data)},
                "hash": self._hash[sample.name],
            }
            for number, sample in enumerate(self._library[start:end], start)
        ]
        more = str(end) if end < len(self._library) else None
        return web.json_response({"data": {"items": items, "next_cursor": more}})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file, slowly, from where the client wants it (RFC 9110 §14)."""
        sample = self._by_name.get(request.match_info["name"])
        if sample is None:
            raise web.HTTPNotFound
        # A validator lets a client go on where it stopped. With another one in `If-Range` it holds the
        # beginning of another file, and gets the whole (RFC 9110 §13.1.5).
        etag = f'"{self._hash[sample.name][:16]}"'
        size = len(sample.data)
        headers = {"Content-Type": sample.type, "ETag": etag, "Accept-Ranges": "bytes"}
        wanted = (
            request.http_range if request.headers.get("If-Range", etag) == etag else slice(None)
        )
        start, stop, _ = wanted.indices(size)
        partial = (wanted.start, wanted.stop) != (None, None)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        headers["Content-Length"] = str(stop - start)
        response = web.StreamResponse(status=206 if partial else 200, headers=headers)
        with contextlib.suppress(ConnectionError):  # a client may leave when it likes
            await response.prepare(request)
            for place in range(start, stop, STEP_BYTES):
                await response.write(sample.data[place : min(place + STEP_BYTES, stop)])
                await asyncio.sleep(STEP_BYTES / BYTES_PER_SECOND)
        return response


def _id(sample: Sample) -> str:
    return sample.name.partition(".")[0]


def _pictures(word: str, count: int, noise: random.Random) -> Iterator[Sample]:
    for number in range(1, count + 1):
        yield Sample(f"{word}-{number:02}.png", "image/png", picture(320, 200, 9 * number, noise))
