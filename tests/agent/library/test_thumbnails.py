"""Thumbnails are small JPEGs made once; files made to hurt a decoder are refused without decoding them."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests import programs
from tests.agent.library.running_library import BOB, flow, running_library
from tests.servers import flow_data as data
from tests.servers.flow import FakeFlow
from trayagent.agent.library import thumbnail_child, video_frame
from trayagent.agent.library.thumbnail_child import EDGE
from trayagent.agent.library.thumbnails import ThumbnailDecoder, Thumbnails
from trayagent.model.errors import NotFoundError
from trayagent.store import library


def picture(folder: Path, size: tuple[int, int], kind: str, mode: str = "RGB") -> Path:
    path = folder / f"picture.{kind}"
    Image.new(mode, size, "red").save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("png", "RGB"),
        ("png", "RGBA"),
        ("png", "P"),
        ("png", "1"),
        ("jpg", "L"),
        ("gif", "P"),
        ("webp", "RGB"),
    ],
)
async def test_a_small_jpeg(tmp_path: Path, kind: str, mode: str) -> None:
    made = await Thumbnails(tmp_path / "small").thumbnail(
        1, str(picture(tmp_path, (900, 300), kind, mode))
    )
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (EDGE, 85), "RGB")


class Stuck(ThumbnailDecoder):
    """Does nothing until the test lets go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_over = threading.Event()

    def make(self, picture: Path) -> bytes:
        self.is_over.wait(60)
        return picture.name.encode()


async def test_an_album_of_slow_pictures_leaves_threads_to_everybody_else(tmp_path: Path) -> None:
    decoder, path = Stuck(), picture(tmp_path, (30, 30), "png")
    small = Thumbnails(tmp_path / "small", decoder)
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(small.thumbnail(n, str(path)), name=f"{n}")
            for n in range(2 * (os.cpu_count() or 1) + 40)
        ]
        try:
            await asyncio.sleep(0)
            async with asyncio.timeout(10):
                assert await asyncio.to_thread(path.stat)
        finally:
            decoder.is_over.set()
    assert {task.result() for task in asked} == {b"picture.png"}


async def test_it_is_made_once_and_again_when_the_picture_changes(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "small")
    path = picture(tmp_path, (300, 300), "png")
    first = await thumbnails.thumbnail(1, str(path))
    (kept,) = (tmp_path / "small").iterdir()
    kept.write_bytes(b"kept")
    assert await thumbnails.thumbnail(1, str(path)) == b"kept"
    picture(tmp_path, (300, 299), "png")
    assert await thumbnails.thumbnail(1, str(path)) not in {first, b"kept"}


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    chunk = (
        struct.pack(">I", len(header))
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    return b"\x89PNG\r\n\x1a\n" + chunk + chunk.replace(b"IHDR", b"IDAT")


@pytest.mark.parametrize(
    "content",
    [
        huge_png(),
        data.JPEG[:200],
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
        b"<html>sign in</html>",
        b"",
        b"\x00\x01\x02\x03UNKNOWN",
    ],
    ids=["endless", "cut", "svg", "postscript", "html", "empty", "unknown"],
)
async def test_what_could_hurt_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(NotFoundError):
        await Thumbnails(tmp_path / "small").thumbnail(1, str(path))


async def test_a_missing_picture_has_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await Thumbnails(tmp_path / "small").thumbnail(1, str(tmp_path / "gone.png"))


async def test_only_those_of_pictures_that_are_still_the_same_are_kept(tmp_path: Path) -> None:
    thumbnails, small = Thumbnails(tmp_path / "small"), tmp_path / "small"
    paths: dict[int, str] = {}
    for item, kept in enumerate(("same", "changed", "deleted", "forgotten"), start=1):
        (tmp_path / kept).mkdir()
        paths[item] = str(picture(tmp_path / kept, (300, 300), "png"))
        await thumbnails.thumbnail(item, paths[item])
    (first,) = small.glob("1-*.jpg")
    picture(tmp_path / "changed", (300, 299), "png")
    Path(paths[3]).unlink()
    left, making = small / "left.new", small / "making.new"
    for unfinished in (left, making):
        unfinished.touch()
    os.utime(left, (0, 0))

    async def known(items: Sequence[int]) -> dict[int, str]:
        return {item: paths[item] for item in items if item in {1, 2, 3}}

    await thumbnails.prune(known)

    assert set(small.iterdir()) == {first, making}
    await Thumbnails(tmp_path / "none yet").prune(known)


async def test_a_library_shows_its_pictures(tmp_path: Path) -> None:
    with FakeFlow() as fake:
        async with running_library(tmp_path, flow(fake)) as agent:
            await agent.library.sign_in("flow", BOB)
            await agent.sync()
            for medium in data.images_of("bob"):
                for id in (medium.key, medium.name):
                    with Image.open(io.BytesIO(await agent.library.thumbnail("flow", id))) as image:
                        assert image.size == (8, 8)
            with pytest.raises(NotFoundError):
                await agent.library.thumbnail("flow", "nobody")
            kept = len(list((tmp_path / "thumbnails").iterdir()))
            for path in (tmp_path / "library").rglob("*.png"):
                path.unlink()
                break
            thumbnails = Thumbnails(tmp_path / "thumbnails")
            await thumbnails.prune(lambda numbers: agent.db.read(library.paths_of_numbers, numbers))
            assert len(list((tmp_path / "thumbnails").iterdir())) == kept - 1


def large_png(width: int, height: int) -> bytes:
    """Some 200 kB that are as many pixels as we decode at most."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    squeezed = zlib.compressobj(9)
    rows = b"".join(squeezed.compress(bytes(width * 4 + 1)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows + squeezed.flush()) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
async def test_large_pictures_take_no_memory_of_ours(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(large_png(7000, 7000))
    thumbnails = Thumbnails(tmp_path / "small")
    await thumbnails.thumbnail(3, str(picture(tmp_path, (9, 9), "png")))

    def memory() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

    before = memory()
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(thumbnails.thumbnail(n, str(tmp_path / "ab"[n]))) for n in (0, 1)]
    assert [task.result()[:2] for task in made] == [b"\xff\xd8"] * 2
    assert memory() - before < 64 * 1024


@pytest.mark.skipif(sys.platform == "win32", reason="no bound on memory there")
def test_a_picture_that_needs_too_much_memory_has_no_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(large_png(5000, 5000))
    load = "import sys; from trayagent.agent.library import thumbnail_child as c"
    code = f"{load}; c.confine(); print(len(c.make(sys.argv[1])))"
    small = f"{load}; c.MOST_MEMORY = 150 << 20; c.confine(); print(len(c.make(sys.argv[1])))"
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
        )
        for program in (code, small)
    ]
    assert [int(one.stdout) > 0 for one in said] == [True, False], said


def test_a_child_that_ends_is_replaced(tmp_path: Path) -> None:
    path, decoder = picture(tmp_path, (9, 9), "png"), ThumbnailDecoder()
    assert decoder.make(path)
    assert decoder._process is not None
    decoder._process.kill()
    decoder._process.wait()
    assert decoder.make(path)
    decoder.close()
    assert thumbnail_child.make(str(tmp_path / "gone")) == b""


def film(path: Path, seconds: int, *more: str, size: str = "640x360") -> Path:
    """A film that is red, made by ffmpeg."""
    ffmpeg = str(programs.find("ffmpeg"))
    source = ("-f", "lavfi", "-i", f"color=red:size={size}:rate=5:duration={seconds}")
    subprocess.run([ffmpeg, "-v", "error", *source, *more, str(path)], check=True)
    return path


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("seconds", [1, 5])
@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_a_video_shows_a_frame(tmp_path: Path, kind: str, seconds: int) -> None:
    """Within the bounds of the child; one that is over before the place where it is looked for, too."""
    path, decoder = film(tmp_path / f"a film: {seconds}.{kind}", seconds), ThumbnailDecoder()
    with Image.open(io.BytesIO(decoder.make(path))) as image:
        assert (image.format, image.size) == ("JPEG", (EDGE, 144))
        red, green, blue = image.convert("RGB").getpixel((100, 70))  # type: ignore[misc]
        assert red > 200
        assert green < 60
        assert blue < 60
    decoder.close()


@pytest.mark.needs("ffmpeg")
def test_a_large_video_fits_the_bounds(tmp_path: Path) -> None:
    path, decoder = film(tmp_path / "large.mp4", 4, size="3840x2160"), ThumbnailDecoder()
    assert decoder.make(path)
    decoder.close()


@pytest.mark.needs("ffmpeg")
def test_a_list_that_calls_itself_a_video_opens_no_other_file(tmp_path: Path) -> None:
    """ffmpeg would read what is named in it; a broken video and a machine without ffmpeg have none either."""
    inside = film(tmp_path / "secret.ts", 1)
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", inside.name, "#EXT-X-ENDLIST")
    (tmp_path / "list.mp4").write_text("\n".join(lines))
    (tmp_path / "concat.mp4").write_text(f"ffconcat version 1.0\nfile {inside.name}\n")
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(5000))
    for name in ("list.mp4", "concat.mp4", "broken.mp4"):
        assert thumbnail_child.make(str(tmp_path / name)) == b"", name
    assert thumbnail_child.make(str(inside))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        assert thumbnail_child.make(str(inside)) == b""


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for ffmpeg")
def test_a_frame_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = tmp_path / "ffmpeg"
    endless.write_text("#!/bin/sh\nexec sleep 1000\n")
    endless.chmod(0o755)
    monkeypatch.setattr(video_frame, "FRAME_SECONDS", 0.2)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert video_frame.frame_of(str(tmp_path / "film.mp4"), EDGE) == b""
