"""Which form of a medium is taken: what a person asked for, in yt-dlp's own words. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

_FETCHED: Final = "[protocol~='^(https?|m3u8(_native)?|http_dash_segments)$']"
"""Ways of transport that need no other program; rtmp and the like would start one."""
_ALWAYS: Final[dict[str, Any]] = {
    "quiet": True,
    "noprogress": True,
    "color": "never",
    "cachedir": False,
    "ignoreerrors": False,
    "noplaylist": True,
    "extract_flat": "in_playlist",
    # What is here is gone on with only if it is the same form of the same medium.
    "outtmpl": {"default": "media.%(id).40s.%(format_id)s.%(ext)s"},
    "restrictfilenames": True,
    "trim_file_name": 150,
    "continuedl": True,
    "overwrites": True,
    "updatetime": False,
    "retries": 5,
    "fragment_retries": 5,
    "extractor_retries": 2,
    "skip_unavailable_fragments": False,
    "concurrent_fragment_downloads": 4,
    "socket_timeout": 30,
    "external_downloader": {"default": "native"},
    "hls_prefer_native": True,
    "geo_bypass": False,
    "enable_file_urls": False,
    "allow_unplayable_formats": False,
    "merge_output_format": "mp4/mkv",
    "postprocessor_args": {"ffmpeg_i": ["-protocol_whitelist", "file"]},
}
"""Options of yt-dlp that no download changes."""


def selection(quality: str, *, ffmpeg: bool) -> dict[str, Any]:
    """`format`, `format_sort` and post-processing for a quality (`best`, `1080`, `audio`, …).

    Without ffmpeg only forms are taken that come in one piece.
    """
    if quality == "audio":
        forms = ["ba", "ba*"] if not ffmpeg else ["ba", "ba*", "b"]
        chosen = {"format": _joined(forms)}
        extract = {"key": "FFmpegExtractAudio", "preferredcodec": "best"}
        return chosen | ({"postprocessors": [extract]} if ffmpeg else {})
    word = "w" if quality == "worst" else "b"
    together = [f"{word}v*{_FETCHED}+{word}a{_FETCHED}"] if ffmpeg else []
    alone = _joined([word, *([f"{word}v*"] if ffmpeg else []), f"{word}a"])
    chosen = {"format": "/".join([*together, alone])}
    if height := re.match(r"\d+", quality):
        chosen["format_sort"] = [f"res:{height[0]}"]  # type: ignore[assignment]
    return chosen


def _joined(forms: list[str]) -> str:
    return "/".join(form + _FETCHED for form in forms)


def options(
    *, proxy: str, ffmpeg: str | None, quality: str, subtitles: tuple[str, ...], most: int
) -> dict[str, Any]:
    """All of yt-dlp's options; none is read from a file, and nothing is run but ffmpeg."""
    chosen = _ALWAYS | {"proxy": proxy, "ffmpeg_location": ffmpeg, "playlistend": most + 1}
    chosen |= selection(quality, ffmpeg=ffmpeg is not None)
    if subtitles and ffmpeg and quality != "audio":
        embed = {"key": "FFmpegEmbedSubtitle", "already_have_subtitle": False}
        chosen |= {
            "writesubtitles": True,
            "subtitleslangs": list(subtitles),
            "postprocessors": [embed],
        }
    return chosen
