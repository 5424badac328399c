"""Who fetches what is decided by kind, way in and what came; direct media never meets the page engine."""

from __future__ import annotations

import pytest

from trayagent.model import routing
from trayagent.model.download import Kind, Via
from trayagent.model.errors import DownloadError
from trayagent.model.routing import Found, Next

PAGE = "https://example.com/watch?v=1"
FILE = "https://example.com/film.mp4?x=1"
MANIFEST = "https://example.com/live/index.m3u8?token=1"


@pytest.mark.parametrize(
    ("kind", "quality", "meant"),
    [
        ("auto", None, "auto"),
        ("auto", "1080", "video"),
        ("auto", "audio", "audio"),
        ("page", "audio", "page"),
        ("file", "best", "file"),
    ],
)
def test_who_names_a_quality_wants_a_medium(kind: Kind, quality: str | None, meant: Kind) -> None:
    assert routing.meant(kind, quality) == meant


def test_who_wants_subtitles_wants_a_video() -> None:
    assert routing.meant("auto", None, ("en",)) == "video"
    assert routing.meant("file", None, ("en",)) == "file"


@pytest.mark.parametrize(
    ("kind", "url", "engine"),
    [
        ("auto", PAGE, False),
        ("auto", FILE, False),
        ("auto", MANIFEST, True),
        ("auto", "https://example.com/a/Manifest.MPD", True),
        ("video", PAGE, False),
        ("video", FILE, False),
        ("video", MANIFEST, True),
        ("audio", MANIFEST, True),
        ("page", PAGE, True),
        ("page", FILE, False),
        ("page", MANIFEST, True),
        ("file", MANIFEST, False),
        ("file", PAGE, False),
        ("image", PAGE, False),
    ],
)
def test_what_is_asked_first(kind: Kind, url: str, engine: bool) -> None:
    assert routing.begins_with_engine(kind, url) is engine


@pytest.mark.parametrize(
    ("kind", "via", "url", "found", "following"),
    [
        ("auto", "cli", PAGE, "html", "engine if known"),
        ("auto", "hook", PAGE, "html", "engine if known"),
        ("auto", "drop", PAGE, "html", "engine if known"),
        ("auto", "extension", PAGE, "html", "engine"),
        ("auto", "page", PAGE, "html", "engine"),
        ("auto", "cli", FILE, "html", "fail"),
        ("auto", "extension", FILE, "html", "fail"),
        ("auto", "cli", FILE, "hls", "engine"),
        ("auto", "cli", PAGE, "dash", "engine"),
        ("video", "cli", PAGE, "html", "engine"),
        ("audio", "cli", PAGE, "html", "engine"),
        ("video", "cli", FILE, "html", "fail"),
        ("page", "cli", FILE, "html", "engine"),
        ("file", "extension", PAGE, "html", "fail"),
        ("file", "cli", MANIFEST, "hls", "fail"),
        ("image", "cli", PAGE, "html", "fail"),
    ],
)
def test_what_follows_when_something_else_came(
    kind: Kind, via: Via, url: str, found: Found, following: Next
) -> None:
    assert routing.after(kind, via, url, DownloadError("not_media", found=found)) == following


@pytest.mark.parametrize("code", ["forbidden", "needs_login"])
def test_a_shut_door_is_tried_by_who_knows_the_site(code: str) -> None:
    assert routing.after("auto", "cli", PAGE, DownloadError(code)) == "engine if known"
    assert routing.after("auto", "cli", FILE, DownloadError(code)) == "fail"
    assert routing.after("file", "cli", PAGE, DownloadError(code)) == "fail"


@pytest.mark.parametrize("code", ["not_found", "network", "checksum_mismatch", "disk_full"])
def test_other_failures_stand(code: str) -> None:
    assert routing.after("video", "extension", PAGE, DownloadError(code)) == "fail"


@pytest.mark.parametrize(
    ("kind", "filename", "looks"),
    [
        ("auto", None, True),
        ("auto", "film.mp4", True),
        ("auto", "notes.html", False),
        ("video", "notes.html", True),
        ("page", None, True),
        ("file", None, False),
        ("image", None, False),
    ],
)
def test_a_page_is_saved_only_where_one_was_asked_for(
    kind: Kind, filename: str | None, looks: bool
) -> None:
    assert routing.looks_for_pages(kind, filename) is looks
