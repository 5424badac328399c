"""What is asked of yt-dlp: the form wanted, nothing from a person's settings, and no program but ffmpeg."""

from __future__ import annotations

from typing import Any

import pytest

from trayagent.sites import extract
from trayagent.sites.extract import engine_options, format_selection
from trayagent.sites.protocol import PageForm


def options_for(
    quality: str = "best", ffmpeg: str | None = "/bin/ffmpeg", *subtitles: str
) -> dict[str, Any]:
    return engine_options(
        proxy="http://p", ffmpeg=ffmpeg, quality=quality, subtitles=subtitles, most=50
    )


@pytest.mark.parametrize("quality", ["best", "worst", "1080", "audio"])
def test_without_ffmpeg_nothing_is_merged_or_converted(quality: str) -> None:
    asked = format_selection(quality, ffmpeg=False)
    assert "+" not in asked["format"]
    assert "postprocessors" not in asked


@pytest.mark.parametrize("quality", ["best", "worst", "1080", "audio"])
@pytest.mark.parametrize("ffmpeg", [True, False])
def test_every_form_is_fetched_by_yt_dlp_itself(quality: str, ffmpeg: bool) -> None:
    forms = [
        form
        for either in format_selection(quality, ffmpeg=ffmpeg)["format"].split("/")
        for form in either.split("+")
    ]
    assert all("[protocol~=" in form for form in forms)


def test_a_height_is_the_most_that_is_wanted() -> None:
    assert format_selection("1080p", ffmpeg=True)["format_sort"] == ["res:1080"]
    assert "format_sort" not in format_selection("best", ffmpeg=True)


def test_subtitles_need_ffmpeg() -> None:
    assert options_for("best", "/bin/ffmpeg", "en")["subtitleslangs"] == ["en"]
    assert "subtitleslangs" not in options_for("best", None, "en")
    assert "subtitleslangs" not in options_for("audio", "/bin/ffmpeg", "en")


def test_nothing_reaches_past_our_bounds() -> None:
    asked = options_for()
    assert asked["proxy"] == "http://p"
    assert asked["external_downloader"] == {"default": "native"}
    assert not asked["enable_file_urls"]
    assert not asked["skip_unavailable_fragments"], "a film with holes is no film"
    assert not {"exec_cmd", "cookiefile", "cookiesfrombrowser", "usenetrc"} & asked.keys()


def test_forms_are_told_by_height_with_picture_and_sound_together() -> None:
    formats: list[dict[str, Any]] = [
        {"vcodec": "none", "acodec": "opus", "filesize": 100},
        {"vcodec": "vp9", "acodec": "none", "height": 1080, "filesize": 900},
        {"vcodec": "h264", "acodec": "none", "height": 1080, "filesize_approx": 700.5},
        {"vcodec": "h264", "acodec": "aac", "height": 360, "filesize": 50},
        {"vcodec": "h264", "acodec": "aac", "height": 240},
        {"vcodec": "h264", "acodec": "aac"},
    ]
    assert extract._forms(formats) == (
        PageForm(1080, 1000),
        PageForm(360, 50),
        PageForm(240, None),
        PageForm(0, 100),
    )
