"""What bytes are is told by the bytes; a container that ends too early is noticed where its format tells."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.transfer.rig import mp4, noise
from trayagent.model.downloads import Kind
from trayagent.model.errors import DownloadError
from trayagent.transfer import content
from trayagent.transfer.containers import whole
from trayagent.transfer.content import Seen, medium_promised, page, sniff


def image(kind: str) -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", (64, 64), noise(64 * 64 * 3)).save(file, kind)
    return file.getvalue()


def tag(size: int, *, footer: bool = False) -> bytes:
    """An ID3v2.4 tag, its size in seven bits a byte."""
    written = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return (
        b"ID3\x04\0" + (b"\x10" if footer else b"\0") + written + bytes(size) + bytes(10 * footer)
    )


def webm() -> bytes:
    header = b"\x1aE\xdf\xa3\x93B\x82\x84webm" + bytes(12)
    return header + b"\x18\x53\x80\x67" + b"\x01" + (5000).to_bytes(7, "big") + noise(5000)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda count, at: data[at : at + count]


@pytest.mark.parametrize(
    ("data", "kind", "ext"),
    [
        (image("JPEG"), "image", "jpg"),
        (image("PNG"), "image", "png"),
        (image("GIF"), "image", "gif"),
        (image("WEBP"), "image", "webp"),
        (image("BMP"), "image", "bmp"),
        (image("TIFF"), "image", "tif"),
        (mp4(900), "video", "mp4"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(16), "image", "avif"),
        (b"\x00\x00\x00\x18ftypqt  " + bytes(16), "video", "mov"),
        (b"\x00\x00\x00\x18ftypM4A " + bytes(16), "audio", "m4a"),
        (webm(), "video", "webm"),
        (b"ID3\x04" + bytes(30), "audio", "mp3"),
        (b"ID3\x04\0", "audio", "mp3"),
        (tag(300) + b"\xff\xfb\x90\x44" + bytes(30), "audio", "mp3"),
        (tag(300) + b"fLaC" + bytes(30), "audio", "flac"),
        (tag(300, footer=True) + bytes(20) + b"fLaC" + bytes(30), "audio", "flac"),
        (tag(20) + tag(30) + b"\xff\xf1\x50\x80" + bytes(30), "audio", "aac"),
        (tag(20) + b"OggS" + bytes(24) + b"OpusHead", "audio", "opus"),
        (tag(20) + b"<html>", "audio", "mp3"),
        (tag(100_000)[:4096], "audio", "mp3"),
        (b"\n\n#EXTM3U\n#EXT-X-VERSION:3\n", "text", "m3u8"),
        ("#EXTM3U\n#EXTINF:4,\u00c9t\u00e9\n#EXT-X-ENDLIST\n".encode("latin-1"), "text", "m3u8"),
        (b"\xef\xbb\xbf<!-- by a packager --><MPD xmlns='u'>", "xml", "mpd"),
        (b"\xff\xfb\x90\x44" + bytes(30), "audio", "mp3"),
        (b"\xff\xf1\x50\x80" + bytes(30), "audio", "aac"),
        (b"fLaC" + bytes(30), "audio", "flac"),
        (b"OggS" + bytes(24) + b"OpusHead", "audio", "opus"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio", "wav"),
        ((b"\x47" + bytes(187)) * 4, "video", "ts"),
        ((b"\0\0\0\1\x47" + bytes(187)) * 4, "video", "m2ts"),
        (b"\0\0\0\x08wide\0\1\0\0mdat", "video", "mov"),
        (b"FORM\0\0\1\0AIFF", "audio", "aif"),
        (b"\x0b\x77" + bytes(30), "audio", "ac3"),
        (b"%PDF-1.7", "file", "pdf"),
        (b"PK\x03\x04" + bytes(20), "file", "zip"),
        (b"<!DOCTYPE html><html>", "html", "html"),
        (b"\n\t <HTML lang=en>", "html", "html"),
        (b"<!-- a --> <!-- b --><script>", "html", "html"),
        (b'<?xml version="1.0"?><!DOCTYPE html><html xmlns="">', "html", "html"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", "xml", "xml"),
        (b'{"a": 1}', "json", "json"),
        (b"[]", "json", "json"),
        (b"[1, 2]", "json", "json"),
        ("déjà vu".encode(), "text", "txt"),
    ],
)
def test_bytes_tell_what_they_are(data: bytes, kind: str, ext: str) -> None:
    assert sniff(data) == Seen(kind, ext)  # type: ignore[arg-type]


@given(st.binary(max_size=300))
def test_any_bytes_are_something_or_nothing(data: bytes) -> None:
    seen = sniff(data)
    page(data, seen)
    for ext in ("mp4", "png", "jpg", "gif", "webp", "webm"):
        whole(ext, len(data), reader(data))


@pytest.mark.parametrize(
    ("kind", "url", "name", "expected"),
    [
        ("auto", "http://h/a.mp4?x=1", None, True),
        ("auto", "http://h/a.JPG", None, True),
        ("auto", "http://h/a", "film.webm", True),
        ("video", "http://h/a", None, True),
        ("auto", "http://h/a.zip", None, False),
        ("auto", "http://h/player.ts", None, False),
        ("video", "http://h/player.ts", None, True),
        ("file", "http://h/a.mp4", None, False),
        ("auto", "http://h/", None, False),
    ],
)
def test_what_counts_as_a_promise(kind: Any, url: str, name: str | None, expected: bool) -> None:
    assert (medium_promised(kind, url, name) is not None) is expected


def test_every_name_promises_and_the_first_that_tells_says_what() -> None:
    assert medium_promised("auto", "http://h/get", None, "film.mp4") == "video"
    assert medium_promised("auto", "http://h/get", "song.mp3", "film.mp4") == "audio"
    assert medium_promised("auto", "http://h/get", "notes.txt", "page") is None
    assert medium_promised("file", "http://h/get", "film.mp4") is None


WHOLE = {
    "jpg": image("JPEG"),
    "png": image("PNG"),
    "gif": image("GIF"),
    "webp": image("WEBP"),
    "mp4": mp4(5000),
    "webm": webm(),
}


@pytest.mark.parametrize("ext", WHOLE)
def test_a_whole_container_is_whole(ext: str) -> None:
    data = WHOLE[ext]
    assert whole(ext, len(data), reader(data)) is True


@pytest.mark.parametrize("ext", WHOLE)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_cut_container_is_not(ext: str, share: float) -> None:
    data = WHOLE[ext][: int(len(WHOLE[ext]) * share)]
    assert whole(ext, len(data), reader(data)) is False


@pytest.mark.parametrize("ext", WHOLE)
def test_a_container_that_lacks_its_last_byte_is_not_whole(ext: str) -> None:
    data = WHOLE[ext][:-1]
    assert whole(ext, len(data), reader(data)) is False


@pytest.mark.timeout(5)
def test_a_box_that_says_it_has_no_length_does_not_keep_us_for_ever() -> None:
    data = mp4(100)[:24] + b"\x00\x00\x00\x01free" + bytes(8) + mp4(5000)[24:]
    assert whole("mp4", len(data), reader(data)) is False


def test_the_end_of_a_thumbnail_is_not_the_end_of_a_jpeg() -> None:
    thumbnail = image("JPEG")
    app1 = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = b"\xff\xd8" + app1 + image("JPEG")[2:]
    assert whole("jpg", len(data), reader(data)) is True
    cut = data[: len(app1) + 800]
    assert whole("jpg", len(cut), reader(cut)) is False


def test_what_a_format_does_not_tell_is_not_guessed() -> None:
    assert whole("mp3", 100, reader(bytes(100))) is None
    assert whole("", 100, reader(bytes(100))) is None
    unknown = b"\x1aE\xdf\xa3\x93" + bytes(19) + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7
    assert whole("webm", len(unknown), reader(unknown)) is None


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"<html>", "html"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "hls"),
        (b"#EXTM3U\n#EXTINF:1,a\na.mp3\n", None),
        (b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">', "dash"),
        (b'<?xml version="1.0"?><rss>', None),
        (b'{"a":1}', None),
        (mp4(600), None),
    ],
)
def test_pages_and_manifests_are_told_apart(head: bytes, found: str | None) -> None:
    assert page(head, sniff(head)) == found


@pytest.mark.parametrize("medium", ["video", "audio"])
def test_a_picture_is_no_film(medium: Kind) -> None:
    head = b"\x89PNG\r\n\x1a\n" + bytes(100)
    with pytest.raises(DownloadError, match="a picture") as refused:
        content.check_promise(head, sniff(head), {}, "http://h/a.mp4", medium)
    assert refused.value.code == "not_media"
    content.check_promise(head, sniff(head), {}, "http://h/a.jpg", "image")


@pytest.mark.parametrize(
    ("brands", "ext"),
    [
        (b"heic", "heic"),
        (b"hevc", "heic"),
        (b"avci mif1", "heic"),
        (b"mif2 heic", "heic"),
        (b"mif1 avif", "avif"),
        (b"msf1 avis", "avif"),
        (b"mif1 miaf", "heic"),
        (b"mp42 M4A ", "mp4"),
        (b"isom iso2 avc1", "mp4"),
        (b"zzzz", "mp4"),
    ],
)
def test_a_picture_is_told_by_all_of_its_brands(brands: bytes, ext: str) -> None:
    major, others = brands[:4], brands[5:].replace(b" ", b"") if ext != "mp4" else brands[5:]
    box = b"ftyp" + major + bytes(4) + others
    seen = sniff((len(box) + 4).to_bytes(4, "big") + box + b"\0\0\0\x08avif" + bytes(600))
    assert seen is not None
    assert seen.ext == ext


RARE = {
    "a fragment of a film": b"\0\0\0\x18styp" + bytes(16),
    "a film that begins with a gap": b"\0\0\0\x08free" + bytes(16),
    "a long sound": b"RF64\xff\xff\xff\xffWAVEds64\x1c",
    "a sound behind zeros": bytes(100) + b"\xff\xfb\x90\x64",
    "a large picture": b"II+\0\x08\0\0\0",
    "a raw picture": b"IIRO\x08\0\0\0",
}


@pytest.mark.parametrize("declared", ["text/plain", "text/html; charset=utf-8"])
@pytest.mark.parametrize("name", RARE)
def test_a_rare_medium_is_one_whatever_the_server_calls_it(name: str, declared: str) -> None:
    """nginx says text/plain of what it does not know, scripts say text/html of everything."""
    head = RARE[name] + random.Random(1).randbytes(600)
    content.check_promise(head, sniff(head), {"Content-Type": declared}, "http://h/a")


LOGIN = b"<!DOCTYPE html><html><title>Sign in</title><input type=password>"


@pytest.mark.parametrize(
    "hidden",
    [
        LOGIN[:30] + b"\0" + LOGIN[30:],
        b"\x01" + LOGIN,
        b"\0" * 600 + b" \r\n" + LOGIN,
        *(LOGIN.decode().encode(f"utf-{coding}") for coding in ("16", "16-le", "16-be")),
        *(LOGIN.decode().encode(f"utf-{coding}") for coding in ("32", "32-le", "32-be")),
        b"\xef\xbb\xbf\0" + b" " * 700 + LOGIN,
        b'\0{"error": "unauthorized"}',
        '{"error": "unauthorized", "f\xfcr": "\xf6"}'.encode("utf-16-le"),
        b'\x01<?xml version="1.0"?><Error>Unauthorized</Error>',
    ],
)
def test_a_page_that_hides_is_found_where_a_film_was_promised(hidden: bytes) -> None:
    with pytest.raises(DownloadError) as refused:
        content.check_promise(hidden, sniff(hidden), {"Content-Type": "video/mp4"}, "http://h/a")
    assert refused.value.code == "needs_login"


@pytest.mark.parametrize(
    "alien",
    [
        b"MZ" + b"\x90\0" * 300,
        b"\x7fELF\x02\x01\x01" + bytes(500),
        b"\xcf\xfa\xed\xfe" + bytes(500),
        b"\xfd7zXZ\0" + noise(500),
        b"\r\n" * 300,
    ],
)
def test_what_is_plainly_something_else_is_no_film(alien: bytes) -> None:
    with pytest.raises(DownloadError) as refused:
        content.check_promise(alien, sniff(alien), {}, "http://h/a.mp4")
    assert refused.value.code == "not_media"


WORDS = {
    "latin-1": "Zugriff verweigert: nicht f\xfcr Sie verf\xfcgbar.".encode("latin-1"),
    "shift-jis": "エラー：ファイルが見つかりません。".encode("shift-jis"),
}


@pytest.mark.parametrize(
    "declared",
    [
        "text/plain; charset=x",
        "TEXT/CSS",
        "text/html",
        "application/xhtml+xml",
        "application/json",
        "application/problem+json",
        "application/xml",
        "application/atom+xml",
        "application/javascript",
    ],
)
@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_bytes_that_tell_nothing_are_the_words_they_are_declared_to_be(
    declared: str, words: bytes
) -> None:
    headers = {"Content-Type": declared}
    with pytest.raises(DownloadError) as refused:
        content.check_promise(words, sniff(words), headers, "http://h/a.mp4")
    assert refused.value.code == "not_media"
    for known in (mp4(600), webm(), image("JPEG")):
        content.check_promise(known, sniff(known), headers, "http://h/a.mp4")


def test_a_page_in_another_encoding_asks_for_a_login_as_any() -> None:
    words = "ログイン".encode("shift-jis")
    with pytest.raises(DownloadError) as refused:
        content.check_promise(words, None, {"Content-Type": "text/html"}, "http://h/login/a.mp4")
    assert refused.value.code == "needs_login"


@pytest.mark.parametrize(
    "declared",
    [
        "video/x-rare",
        "audio/x-rare",
        "image/svg+xml",
        "application/octet-stream",
        "binary/octet-stream",
        "",
        "odd",
        "application/vnd.rn-realmedia",
    ],
)
def test_a_rare_medium_is_none_the_worse_for_it(declared: str) -> None:
    for seed in range(200):
        rare = noise(600, seed)
        content.check_promise(rare, None, {"Content-Type": declared}, "http://h/a.mp4")
    content.check_promise(bytes(70_000), None, {"Content-Type": declared}, "http://h/a.mp4")


@pytest.mark.parametrize(
    ("declared", "ext"),
    [
        ("audio/flac", "flac"),
        ("Audio/X-FLAC; q=1", "flac"),
        ("audio/aac", "aac"),
        ("audio/mpeg", "mp3"),
        ("", "mp3"),
    ],
)
def test_a_type_counts_where_a_cover_picture_hides_the_sound(declared: str, ext: str) -> None:
    assert sniff(tag(100_000)[:4096], declared) == Seen("audio", ext)
    assert sniff(tag(100) + b"fLaC" + bytes(30), "audio/mpeg") == Seen("audio", "flac")
