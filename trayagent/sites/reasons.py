"""Why the page engine failed, in the codes of a download.

yt-dlp raises exceptions of its own, of Python and of the system, one inside the other. Nothing here
imports it, so that every release fits: its classes are known by their names.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from trayagent.net.refusals import refuse_status
from trayagent.sites.protocol import WorkerFailure

LIVE: Final = "it is a live broadcast; send it again when it has ended"
PROTECTED: Final = "it is protected against copying"
NO_MERGE: Final = "picture and sound come apart here; install ffmpeg to put them together"
ELSEWHERE: Final = "it points to something that is not on the web"
OUTDATED: Final = "the page engine could not read it; try: trayagent sites update"
STUMBLED: Final = "yt-dlp, the page engine, stumbled over it ({}); try: trayagent sites update"
"""For an error inside yt-dlp, with its kind and place."""
NONSENSE: Final = "its answer is not proper HTTP"
_MOST_READ: Final = 4096
"""Characters of a sentence or a title that are looked at."""
_MOST_SHOWN: Final = 160
_GAVE_UP: Final = re.compile(r"Got error: HTTP Error (\d{3})\b")
"""All that is told of a piece of a medium that was asked for in vain; the reason's words are the server's."""

# The vaguest come last: sites say “unavailable” of much that has another reason.
_WORDS: Final[tuple[tuple[str, str, str], ...]] = (
    (r"\bdrm\b|known to use drm", "no_media_found", PROTECTED),
    (
        r"\bgeo\b|geo-?restrict|your country|your (?:location|region)",
        "forbidden",
        "not in your country",
    ),
    (r"\bage\b|age-?restrict|inappropriate", "needs_login", "the site asks for your age"),
    (
        r"log ?in|sign ?in|logged|registered|authenticat|cookies|private|members?[- ]only|subscri|premium",
        "needs_login",
        "the page is for those who are signed in",
    ),
    (
        r"\blive event|is live\b|premiere|currently live|offline|will begin|upcoming",
        "no_media_found",
        LIVE,
    ),
    (r"requested format is not available", "no_media_found", NO_MERGE),
    (r"no video formats|no media|unsupported url", "no_media_found", ""),
    (
        r"unavailable|removed|deleted|does(?: not|n't) exist|no longer|not found",
        "not_found",
        "it was removed",
    ),
)
"""What an engine's message says (lower case) -> code, and the detail we give; the first that fits counts."""
_ERRNO: Final = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "too_large",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.EROFS: "permission_denied",
}


class StopError(Exception):
    """We ended it ourselves, for this reason."""

    def __init__(self, failed: WorkerFailure) -> None:
        super().__init__(failed.code)
        self.failed = failed


def explain(error: BaseException) -> WorkerFailure:
    """The reason for a person; holds no address and no secret.

    Each reader looks through the whole chain of errors before the next one does, so the surest reason
    wins, however deep it lies:

    1. what Python's own HTTP stumbled over: the server's answer is nonsense
    2. what we stopped ourselves
    3. a status of the server
    4. a fault of this system: a full disk, say
    5. the site's own words
    6. the network, which is what is left of many errors
    """
    chain = list(_chain(error))
    for read in (
        _from_http_parser,
        _from_us,
        _from_status,
        _from_system,
        _from_words,
        _from_network,
    ):
        for one in chain:
            if (found := read(one)) is not None:
                return found
    if any("PostProcessingError" in _class_names(one) for one in chain):
        return WorkerFailure("no_media_found", "ffmpeg could not put the file together")
    for one in chain:
        if "ExtractorError" in _class_names(one):
            # `expected`: the site said no. Else yt-dlp did not understand the site.
            is_expected = getattr(one, "expected", False)
            return WorkerFailure("no_media_found", _sentence(one) if is_expected else OUTDATED)
    # A bug: yt-dlp's, which a newer release may have mended, or ours.
    trace, kind = _innermost(chain[-1]), type(chain[-1]).__name__
    if trace is not None:
        name = trace.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
        kind += f" in {name}, line {trace.tb_lineno}"
    if any(map(_is_raised_in_yt_dlp, chain)):
        return WorkerFailure("no_media_found", STUMBLED.format(kind))
    return WorkerFailure("internal", f"the page engine: {kind}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what is behind it, outermost first."""
    # `raise … from` may form a circle; twelve is more than yt-dlp ever nests.
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(seen) < 12:
        seen.add(id(following))
        yield following
        info = getattr(following, "exc_info", None)
        inner = info[1] if isinstance(info, tuple) and len(info) == 3 else None
        inner = inner if inner is not following else None
        following = inner or getattr(following, "cause", None) or following.__cause__


def _class_names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _from_http_parser(error: BaseException) -> WorkerFailure | None:
    """What Python's own HTTP stumbles over: lengths that are no size, redirects to no address."""
    if not isinstance(error, ValueError | OverflowError | MemoryError):
        return None
    trace = _innermost(error)
    package = str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] if trace else ""
    return WorkerFailure("server_error", NONSENSE) if package in ("http", "urllib") else None


def _from_us(error: BaseException) -> WorkerFailure | None:
    if isinstance(error, StopError):
        return error.failed
    if isinstance(error, MemoryError):
        return WorkerFailure("internal", "the page needs more memory than it may have")
    if _class_names(error) & {"UnsupportedRequest", "NoSupportingHandlers"}:
        return WorkerFailure("no_media_found", ELSEWHERE)  # file:, concat: and the like
    return None


def _from_status(error: BaseException) -> WorkerFailure | None:
    names = _class_names(error)
    status = getattr(error, "status", None) if "HTTPError" in names else None
    if "DownloadError" in names and (told := _GAVE_UP.search(str(error))):
        status = int(told[1])
    if not isinstance(status, int):
        return None
    if status == 429:
        return WorkerFailure("server_busy", "HTTP 429")
    refusal = refuse_status(status, "")
    return WorkerFailure(refusal.code, refusal.detail)


def _from_system(error: BaseException) -> WorkerFailure | None:
    code = _ERRNO.get(error.errno or 0) if isinstance(error, OSError) else None
    return WorkerFailure(code) if code else None


def _from_words(error: BaseException) -> WorkerFailure | None:
    names = _class_names(error)
    if "DownloadError" in names and "fragment" in str(error):
        return WorkerFailure("network")  # a piece did not come, however often it was asked for
    if "UnsupportedError" in names:
        return WorkerFailure("no_media_found")
    if "GeoRestrictedError" in names:
        return WorkerFailure("forbidden", "not in your country")
    if "ExtractorError" not in names and "DownloadError" not in names:
        return None
    # An unexpected one is yt-dlp's own confusion; words in it are not the site's.
    if "ExtractorError" in names and not getattr(error, "expected", False):
        return None
    text = str(getattr(error, "orig_msg", error)).lower()
    for words, code, detail in _WORDS:
        if re.search(words, text):
            return WorkerFailure(code, detail)
    return None


def _from_network(error: BaseException) -> WorkerFailure | None:
    names = _class_names(error)
    if names & {"CertificateVerifyError", "SSLError", "SSLCertVerificationError"}:
        return WorkerFailure("tls")
    if "TimeoutError" in names or "timed out" in str(error):
        return WorkerFailure("timeout")
    if names & {
        "TransportError",
        "ConnectionError",
        "UnavailableVideoError",
        "ContentTooShortError",
    }:
        return WorkerFailure("network")
    # Nothing behind it: a piece of the medium did not come, however often it was asked for.
    is_bare = "DownloadError" in names and list(_chain(error))[-1] is error
    return WorkerFailure("network") if is_bare else None


def _sentence(error: BaseException) -> str:
    """An engine's own sentence, without addresses and markup."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(getattr(error, "orig_msg", "") or ""))
    text = without_addresses(text)
    text = "".join(c if c.isprintable() else " " for c in text).strip().rstrip(".")
    return text[:_MOST_SHOWN]


def without_addresses(text: str) -> str:
    """Foreign words, cut to what anybody would read, without web addresses."""
    return re.sub(r"\S+", lambda word: "…" if "://" in word[0] else word[0], text[:_MOST_READ])


def _is_raised_in_yt_dlp(error: BaseException) -> bool:
    """Whether it was raised in yt-dlp, or in what yt-dlp calls, rather than in our own part of the worker."""
    trace, last = error.__traceback__, ""
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0]
        last = package if package in ("yt_dlp", "trayagent") else last
        trace = trace.tb_next
    return last == "yt_dlp"


def _innermost(error: BaseException) -> TracebackType | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace
