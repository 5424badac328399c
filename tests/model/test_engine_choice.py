"""Who fetches what is decided by kind, way in and what came; direct media never meets the page engine."""

from __future__ import annotations

import pytest

from trayagent.model import engine_choice
from trayagent.model.downloads import Kind, Via
from trayagent.model.engine_choice import Found, Next
from trayagent.model.errors import DownloadError

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
    assert engine_choice.kind_meant(kind, quality) == meant


def test_who_wants_subtitles_wants_a_video() -> None:
    assert engine_choice.kind_meant("auto", None, ("en",)) == "video"
    assert engine_choice.kind_meant("file", None, ("en",)) == "file"


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
    assert engine_choice.is_engine_first(kind, url) is engine


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
    assert (
        engine_choice.next_step(kind, via, url, DownloadError("not_media", found=found))
        == following
    )


@pytest.mark.parametrize("code", ["forbidden", "needs_login"])
def test_a_shut_door_is_tried_by_who_knows_the_site(code: str) -> None:
    assert engine_choice.next_step("auto", "cli", PAGE, DownloadError(code)) == "engine if known"
    assert engine_choice.next_step("auto", "cli", FILE, DownloadError(code)) == "fail"
    assert engine_choice.next_step("file", "cli", PAGE, DownloadError(code)) == "fail"


@pytest.mark.parametrize("code", ["not_found", "network", "checksum_mismatch", "disk_full"])
def test_other_failures_stand(code: str) -> None:
    assert engine_choice.next_step("video", "extension", PAGE, DownloadError(code)) == "fail"


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
    assert engine_choice.may_be_page(kind, filename) is looks
