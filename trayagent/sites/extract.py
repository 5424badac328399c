"""One page to one file, or to what it consists of, by yt-dlp; runs in the worker's process only.

Three parts: asking yt-dlp and reading its answer, the options that say which form of a medium it takes,
and manifests made readable before it sees them. What yt-dlp raises is explained in `reasons`.
"""

from __future__ import annotations

import io
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from trayagent.model import manifests
from trayagent.model.downloads import Cookie
from trayagent.model.engine_choice import MANIFESTS
from trayagent.model.filenames import AUDIO
from trayagent.sites.protocol import (
    BytesReceived,
    DirectMedium,
    FileMade,
    PageEntry,
    PageForm,
    PageSeen,
    SeveralEntries,
    UnknownSite,
    WorkerFailure,
    WorkerMessage,
    WorkerPhase,
    WorkerRequest,
)
from trayagent.sites.reasons import LIVE, NO_MERGE, OUTDATED, PROTECTED, StopError

LARGEST_PICTURE: Final = 120_000
"""Bytes of a page's picture."""
REPORT_SECONDS: Final = 0.25
"""Seconds between two words on how far it is."""
_PLAIN: Final = ("http", "https")
_LISTS: Final = ("playlist", "multi_video")
_LINKS: Final = ("url", "url_transparent")
Say = Callable[[WorkerMessage], None]
Info = dict[str, Any]


def run(ask: WorkerRequest, say: Say) -> None:
    """Answer one request; raises whatever yt-dlp raises (`reasons.explain` knows it)."""
    import yt_dlp

    _keep_ffmpeg_from_fetching(yt_dlp)
    say(WorkerPhase("looking"))
    params = engine_options(
        proxy=ask.proxy,
        ffmpeg=ask.ffmpeg,
        quality=ask.quality,
        subtitles=ask.subtitles,
        most=ask.most_entries,
    )
    silent = logging.getLogger("trayagent.sites.silent")
    silent.disabled = True
    headers = {"User-Agent": ask.user_agent} if ask.user_agent else {}
    if ask.referer:
        # What a browser tells another origin (strict-origin-when-cross-origin): no path, no query.
        parts = urlsplit(ask.referer)
        headers["Referer"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
    with yt_dlp.YoutubeDL(params | {"logger": silent, "http_headers": headers}) as site:
        refusals = _note_refusals(site, yt_dlp.networking.exceptions.HTTPError)
        clean_manifests(site, yt_dlp.networking.common.Response)
        classes = yt_dlp.extractor.gen_extractor_classes() if ask.known_only else ()
        if ask.known_only and not any(
            one.suitable(ask.url) for one in classes if one.IE_NAME != "generic"
        ):
            say(UnknownSite())
            return
        _give_cookies(site, ask.cookies)
        try:
            answer = look_at(site, ask) if ask.look_only else _answer(site, ask, say)
        except ValueError as error:
            # Pieces come several at a time. One that is refused for good closes the file of the medium,
            # perhaps while another is written: then "write to closed file" hides why.
            raise (refusals[-1] if refusals else error) from error
    say(answer)


def _note_refusals(site: Any, http_error: type[Exception]) -> list[Exception]:
    """The statuses that a YoutubeDL was refused with, the newest last, as they come."""
    refusals: list[Exception] = []
    ask = site.urlopen

    def urlopen(request: Any) -> Any:
        try:
            return ask(request)
        except http_error as error:
            refusals.append(error)
            raise

    site.urlopen = urlopen
    return refusals


def _answer(site: Any, ask: WorkerRequest, say: Say) -> WorkerMessage:
    """What the page is. Raises StopError for what we do not take."""
    # 1. A playlist is several entries, unless one of them was chosen already; one of a single entry is
    #    that entry, in as many layers as a site may wrap it.
    info = site.extract_info(ask.url, download=False)
    while info is not None and info.get("_type") in _LISTS:
        entries = [entry for entry in info.get("entries") or () if entry]
        if len(entries) > 1 and not ask.single:
            named = [_entry(entry) for entry in entries[: ask.most_entries]]
            return SeveralEntries(
                str(info.get("title") or "")[:200],
                tuple(entry for entry in named if entry.url),
                info.get("playlist_count") or len(entries),
            )
        info = site.process_ie_result(entries[0], download=False) if entries else None
    if not info:
        raise StopError(WorkerFailure("no_media_found"))
    # 2. What we do not take: broadcasts that have no end, and sound where a film was asked for.
    if info.get("extractor") == "generic" and str(info.get("protocol")).startswith("m3u8"):
        # That it is live is a guess, from what could not be read; the manifest itself will tell.
        info |= {"is_live": None, "live_status": None}
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
        raise StopError(WorkerFailure("no_media_found", LIVE))
    pictures = any(one.get("vcodec") not in (None, "none") for one in info.get("formats") or ())
    only_sound = not info.get("requested_formats") and info.get("vcodec") == "none"
    if ask.quality != "audio" and pictures and only_sound:
        raise StopError(WorkerFailure("no_media_found", NO_MERGE))
    is_plain = _is_plain(info, ask)
    # It took the manifest for the film.
    if is_plain and info.get("ext") in MANIFESTS:
        raise StopError(WorkerFailure("no_media_found", OUTDATED))
    warning = None
    if ask.subtitles and not info.get("requested_subtitles"):
        warning = "It has no such subtitles." if ask.ffmpeg else "Subtitles need ffmpeg."
    # 3. One plain file: the agent's own transfer resumes it, and proves that it is whole.
    if is_plain:
        headers: Mapping[str, str] = info.get("http_headers") or {}
        cookies = tuple(
            Cookie(one.name, one.value, one.domain, one.path, one.secure)
            for one in site.cookiejar.get_cookies_for_url(info["url"])
            if one.name and one.value is not None
        )
        kept = {name: value for name, value in headers.items() if name.lower() != "cookie"}
        return DirectMedium(info["url"], _name(info, ask), kept, cookies, warning)
    # 4. All else yt-dlp fetches, through the gateway.
    meter = _Meter(ask, say, len(info.get("requested_formats") or (1,)))
    site.add_progress_hook(meter.progress)
    site.add_postprocessor_hook(meter.merging)
    say(WorkerPhase("fetching"))
    # The same info, so that signed addresses are not asked for twice.
    made = site.process_ie_result(info, download=True)
    path = Path(made["requested_downloads"][0]["filepath"])
    return FileMade(str(path.absolute()), _name(made, ask, path), warning)


def look_at(site: Any, ask: WorkerRequest) -> PageSeen:
    """What the page offers, without fetching it. Raises StopError for a page without a medium."""
    info = site.extract_info(ask.url, download=False, process=False)
    if info is not None and info.get("_type") in _LISTS:
        # Unprocessed: of a list of a thousand, nobody wants a thousand pages asked now.
        found = islice(info.get("entries") or (), ask.most_entries)
        # One that is at hand already has its best form chosen, which needs no request.
        chosen = (
            one if one.get("_type") in _LINKS else site.process_ie_result(one, download=False)
            for one in found
            if one
        )
        entries = tuple(entry for entry in map(_entry, filter(None, chosen)) if entry.url)
        total = info.get("playlist_count") or len(entries)
        return PageSeen(str(info.get("title") or "")[:200], entries=entries, total=total)
    info = site.process_ie_result(info, download=False) if info else None
    if not info or not (info.get("formats") or info.get("url")):
        raise StopError(WorkerFailure("no_media_found"))
    languages = sorted(name for name in info.get("subtitles") or () if name != "live_chat")
    return PageSeen(
        title=_title(info)[:200],
        seconds=info.get("duration"),
        forms=_forms(info.get("formats") or [info]),
        subtitles=tuple(str(name)[:20] for name in languages[:60]),
        picture=_picture(site, info),
    )


def _forms(formats: list[Info]) -> tuple[PageForm, ...]:
    def size(one: Info) -> int | None:
        found = one.get("filesize") or one.get("filesize_approx")
        return int(found) if found else None

    sounds = [one for one in formats if one.get("vcodec") == "none"]
    sound = max((size(one) or 0 for one in sounds), default=0)
    pictures: dict[int, int | None] = {}
    for one in formats:
        if one.get("vcodec") == "none" or not one.get("height"):
            continue
        whole = size(one)
        if whole is not None and one.get("acodec") == "none":
            whole += sound
        height = int(one["height"])
        pictures[height] = max(pictures.get(height) or 0, whole or 0) or None
    found = [PageForm(height, pictures[height]) for height in sorted(pictures, reverse=True)]
    if sounds or any(one.get("acodec") not in (None, "none") for one in formats):
        found.append(PageForm(0, sound or None))
    return tuple(found)


def _picture(site: Any, info: Info) -> bytes:
    url = info.get("thumbnail")
    if not isinstance(url, str) or urlsplit(url).scheme not in _PLAIN:
        return b""
    try:
        data: bytes = site.urlopen(url).read(LARGEST_PICTURE + 1)
    except Exception:  # noqa: BLE001 - yt-dlp raises what it likes, and the page is good without a picture
        return b""
    # By its first bytes, whatever the site calls it: a page must not get an SVG or HTML into ours.
    known = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF")
    return data if data.startswith(known) and len(data) <= LARGEST_PICTURE else b""


def _keep_ffmpeg_from_fetching(yt_dlp: Any) -> None:
    """Make yt-dlp refuse what it would leave to ffmpeg.

    ffmpeg fetches by itself, past the gateway, and goes where the manifest says, to local files too.
    yt-dlp has no option against it, so two of its classes are changed here; a test watches them.
    """

    def refuse(*_: object) -> None:
        raise StopError(WorkerFailure("no_media_found", PROTECTED))

    ffmpeg = yt_dlp.downloader.external.FFmpegFD
    ffmpeg.available = classmethod(lambda *_: False)
    ffmpeg.real_download = refuse
    hls = yt_dlp.downloader.hls.HlsFD
    can = hls.can_download.__func__

    def can_download(cls: Any, manifest: str, info: Info, *more: object) -> bool:
        if "#EXT-X-ENDLIST" not in manifest:
            raise StopError(WorkerFailure("no_media_found", LIVE))
        if not can(cls, manifest, info, *more):
            refuse()
        return True

    hls.can_download = classmethod(can_download)


def _give_cookies(site: Any, cookies: tuple[Cookie, ...]) -> None:
    from http.cookiejar import Cookie as Kept

    for one in cookies:
        if one.domain is None:
            continue  # nobody said where it may go
        wide = one.domain.startswith(".")
        kept = Kept(
            0, one.name, one.value, None, False, one.domain, wide, wide, one.path, True, one.secure,
            None, True, None, None, {},
        )  # fmt: skip
        site.cookiejar.set_cookie(kept)


def _is_plain(info: Info, ask: WorkerRequest) -> bool:
    """Whether it is one file that anybody may fetch as it is."""
    # Some sites slow down whoever asks for a whole file: then yt-dlp asks for it piece by piece.
    # And what is taken apart, merged or given subtitles is a file that no address has.
    chunked = (info.get("downloader_options") or {}).get("http_chunk_size")
    only_sound = info.get("vcodec") == "none" or info.get("ext") in AUDIO
    taken_apart = ask.quality == "audio" and ask.ffmpeg and not only_sound
    return (
        not info.get("requested_formats")
        and info.get("protocol") in _PLAIN
        and not info.get("fragments")
        and not info.get("requested_subtitles")
        and not (chunked or taken_apart)
    )


def _title(info: Info) -> str:
    title = str(info.get("title") or "")
    if info.get("extractor") in ("generic", "html5"):
        title = title.removesuffix(" (1)")  # it is the only one, and needs no number
    return title


def _name(info: Info, ask: WorkerRequest, path: Path | None = None) -> str:
    title = _title(info) or str(info.get("id") or "video")
    if ask.title and (ask.single or urlsplit(ask.url).path.endswith((".m3u8", ".mpd"))):
        title = ask.title  # a manifest is called "index"; the page it was found on has a name
    title = re.sub(r"[/\\]", "-", title)
    ending = path.suffix[1:] if path else str(info.get("ext") or "")
    if path and ending == "mp4":
        with path.open("rb") as file:
            head = file.read(377)
        # A transport stream has a sync byte every 188 bytes. Only ffmpeg could have put it into an MP4.
        if len(head) == 377 and head[0] == head[188] == head[376] == 0x47:
            ending = "ts"
    usable = re.fullmatch("[a-z0-9]{2,5}", ending) and ending not in MANIFESTS
    return f"{title}.{ending if usable else 'mp4'}"


def _entry(entry: Info) -> PageEntry:
    title = str(entry.get("title") or "")[:200]
    if entry.get("_type") in _LINKS:
        return PageEntry(str(entry.get("url") or entry.get("webpage_url") or ""), title)
    # The page itself if it must be; where yt-dlp knows the medium already, a second look would be wasted.
    best = (entry.get("requested_formats") or [entry])[0]
    if best.get("protocol") in _PLAIN and not entry.get("requested_formats"):
        return PageEntry(str(best.get("url") or ""), title, is_page=False)
    return PageEntry(str(best.get("manifest_url") or entry.get("webpage_url") or ""), title)


class _Meter:
    """Adds up the bytes of all files of a medium, and reports them now and then."""

    def __init__(self, ask: WorkerRequest, say: Say, files: int) -> None:
        self._most = ask.max_size
        self._say = say
        self._files = files
        self._lock = threading.Lock()
        # yt-dlp fetches several files at a time, each in threads of its own.
        self._here: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._reported_at = 0.0

    def progress(self, state: Info) -> None:
        with self._lock:
            name = str(state.get("filename"))
            self._here[name] = int(state.get("downloaded_bytes") or 0)
            size = state.get("total_bytes") or state.get("total_bytes_estimate")
            if size:
                self._sizes[name] = int(size)
            total = sum(self._here.values())
            if self._most and total > self._most:
                raise StopError(WorkerFailure("too_large"))
            now = time.monotonic()
            if now - self._reported_at >= REPORT_SECONDS:
                self._reported_at = now
                known = len(self._sizes) >= self._files
                self._say(BytesReceived(total, sum(self._sizes.values()) if known else None))

    def merging(self, state: Info) -> None:
        if state.get("status") == "started":
            self._say(WorkerPhase("merging"))


_BY_YT_DLP: Final = "[protocol~='^(https?|m3u8(_native)?|http_dash_segments)$']"
"""Ways of transport that need no other program; rtmp and the like would start one."""
_ALWAYS: Final[dict[str, Any]] = {
    "quiet": True,
    "noprogress": True,
    "color": "never",
    "cachedir": False,
    "ignoreerrors": False,
    # A video's page that is also in a list means the video.
    "noplaylist": True,
    # Entries are named, not opened: each becomes a download of its own.
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
    # A film with a hole in it is not the film.
    "skip_unavailable_fragments": False,
    "concurrent_fragment_downloads": 4,
    "socket_timeout": 30,
    # Nothing is fetched past the gateway, by no other program and from no file.
    "external_downloader": {"default": "native"},
    "hls_prefer_native": True,
    "geo_bypass": False,
    "enable_file_urls": False,
    "allow_unplayable_formats": False,
    "merge_output_format": "mp4/mkv",
    "postprocessor_args": {"ffmpeg_i": ["-protocol_whitelist", "file"]},
}
"""Options of yt-dlp that no download changes."""


def format_selection(quality: str, *, ffmpeg: bool) -> dict[str, Any]:
    """`format`, `format_sort` and post-processing for a quality (`best`, `1080`, `audio`, …).

    Without ffmpeg only forms are taken that come in one piece.
    """
    # yt-dlp's words: b(est) or w(orst), v(ideo) or a(udio), `*`: with or without the other; the first
    # form that fits is taken.
    if quality == "audio":
        forms = ["ba", "ba*"] if not ffmpeg else ["ba", "ba*", "b"]
        chosen = {"format": "/".join(form + _BY_YT_DLP for form in forms)}
        extract = {"key": "FFmpegExtractAudio", "preferredcodec": "best"}
        return chosen | ({"postprocessors": [extract]} if ffmpeg else {})
    word = "w" if quality == "worst" else "b"
    forms = [f"{word}v*{_BY_YT_DLP}+{word}a", word, f"{word}v*"] if ffmpeg else [word]
    chosen = {"format": "/".join(form + _BY_YT_DLP for form in [*forms, f"{word}a"])}
    if height := re.match(r"\d+", quality):
        chosen["format_sort"] = [f"res:{height[0]}"]  # type: ignore[assignment]
    return chosen


def engine_options(
    *, proxy: str, ffmpeg: str | None, quality: str, subtitles: tuple[str, ...], most: int
) -> dict[str, Any]:
    """All of yt-dlp's options; none is read from a file, and nothing is run but ffmpeg."""
    # One entry more than is named shows that there are more.
    chosen = _ALWAYS | {"proxy": proxy, "ffmpeg_location": ffmpeg, "playlistend": most + 1}
    chosen |= format_selection(quality, ffmpeg=ffmpeg is not None)
    if subtitles and ffmpeg and quality != "audio":
        embed = {"key": "FFmpegEmbedSubtitle", "already_have_subtitle": False}
        chosen |= {
            "writesubtitles": True,
            "subtitleslangs": list(subtitles),
            "postprocessors": [embed],
        }
    return chosen


_HEAD_BYTES: Final = 1024
"""Bytes of an answer that are looked at."""
_MOST_MANIFEST_BYTES: Final = 32 * 1024 * 1024
"""Bytes of a manifest; a longer one is passed on as it came."""
_MANIFEST_TYPES: Final = {"hls": "application/vnd.apple.mpegurl", "dash": "application/dash+xml"}
_REPLACED_HEADERS: Final = frozenset({"content-type", "content-length", "content-encoding"})


def clean_manifests(site: Any, response_class: Callable[..., Any]) -> None:
    """Make a YoutubeDL see every manifest by its content, whatever type it is sent with.

    yt-dlp knows one by its type or its very first bytes only: a mark, a blank line or a title in Latin-1
    hides it, and it then takes the manifest itself for the film.
    """
    ask = site.urlopen

    def urlopen(request: Any) -> Any:
        response = ask(request)
        # A part of a file (206) is bytes of a medium, never a manifest.
        return _clean_response(response, response_class) if response.status == 200 else response

    site.urlopen = urlopen


def _clean_response(response: Any, response_class: Callable[..., Any]) -> Any:
    """The response, with a manifest's text made proper; all else passes as it came."""
    # What was read for a look has to come again when yt-dlp reads the answer itself.
    head = _read(response.read, _HEAD_BYTES)
    kind = manifests.kind_of(head)
    if kind is None:
        response.read = _prepend(head, response.read)
        return response
    data = head + _read(response.read, _MOST_MANIFEST_BYTES - len(head))
    if len(data) >= _MOST_MANIFEST_BYTES:
        response.read = _prepend(data, response.read)
        return response
    response.close()
    # Our text has another length, and no coding any more.
    body = manifests.clean(data, kind)
    headers = {
        name: value
        for name, value in response.headers.items()
        if name.lower() not in _REPLACED_HEADERS
    }
    headers |= {"Content-Type": _MANIFEST_TYPES[kind], "Content-Length": str(len(body))}
    return response_class(
        io.BytesIO(body),
        response.url,
        headers,
        response.status,
        response.reason,
        response.extensions,
    )


def _read(read: Callable[[int], bytes], most: int) -> bytes:
    """As many bytes as there are, `most` at most; a read alone may bring fewer."""
    data = b""
    while len(data) < most and (piece := read(most - len(data))):
        data += piece
    return data


def _prepend(head: bytes, read: Callable[..., bytes]) -> Callable[..., bytes]:
    """A `read` that begins with bytes that were read already."""
    left = head

    def again(most: int | None = None) -> bytes:
        nonlocal left
        if not left:
            return read(most)
        if most is None or most < 0:
            data, left = left + read(most), b""
        else:
            data, left = left[:most], left[most:]
        return data

    return again
