"""Every way to fail has a code and plain words, and no address or secret is ever among them."""

from __future__ import annotations

import errno
import http.client
import re
import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from trayagent.model import errors
from trayagent.model.errors import SENTENCES
from trayagent.net.gateway import Pass
from trayagent.sites import engine
from trayagent.sites.protocol import WorkerFailure
from trayagent.sites.reasons import NONSENSE, StopError, explain


class YoutubeDLError(Exception):
    """The root of yt-dlp's errors; ours are told apart by name, so these stand in for them."""


class ExtractorError(YoutubeDLError):
    def __init__(self, text: str, *, expected: bool = True, cause: Exception | None = None) -> None:
        super().__init__(f"[site] 1: {text}")
        self.orig_msg, self.expected, self.cause = text, expected, cause


class UnsupportedError(ExtractorError):
    pass


class GeoRestrictedError(ExtractorError):
    pass


class PostProcessingError(YoutubeDLError):
    pass


class DownloadError(YoutubeDLError):
    def __init__(self, text: str, behind: Exception | None = None) -> None:
        super().__init__(text)
        self.exc_info = (type(behind), behind, None) if behind else None


class RequestError(YoutubeDLError):
    pass


class TransportError(RequestError):
    pass


class UnsupportedRequest(RequestError):  # noqa: N818  their names
    pass


class NoSupportingHandlers(RequestError):  # noqa: N818
    pass


class CertificateVerifyError(TransportError):
    pass


class HTTPError(RequestError):
    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP Error {status}")
        self.status = status


WORDS = {
    "This video is DRM protected": "no_media_found",
    "This video is not available in your country": "forbidden",
    "The uploader has not made this video available due to geo restriction": "forbidden",
    "Sign in to confirm your age": "needs_login",
    "Sign in to confirm you're not a bot": "needs_login",
    "This video is only available for registered users": "needs_login",
    "Private video": "needs_login",
    "Join this channel to get access to members-only content": "needs_login",
    "This live event will begin in 3 hours": "no_media_found",
    "Video unavailable": "not_found",
    "This video has been removed by the uploader": "not_found",
    "Requested format is not available": "no_media_found",
    "No video formats found!": "no_media_found",
    "Something only this site says": "no_media_found",
}


@pytest.mark.parametrize("text", WORDS)
def test_what_a_site_says_has_a_code(text: str) -> None:
    error = DownloadError(f"ERROR: {text}", ExtractorError(text))
    assert explain(error).code == WORDS[text]


STATUSES = {
    401: "needs_login",
    403: "forbidden",
    404: "not_found",
    410: "not_found",
    429: "server_busy",
    451: "forbidden",
    500: "server_error",
    503: "server_error",
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_behind_it_all_decides(status: int) -> None:
    inner = ExtractorError("Unable to download webpage", cause=HTTPError(status))
    assert explain(DownloadError("ERROR", inner)) == WorkerFailure(
        STATUSES[status], f"HTTP {status}"
    )


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("words", ["Not Found", "sign in", "N"])
def test_a_status_decides_where_only_words_tell_of_it(status: int, words: str) -> None:
    """So ends a piece of a stream; the words behind the number are whatever the server says."""
    text = f"ERROR: \r[download] Got error: HTTP Error {status}: {words}. Giving up after 5 retries"
    assert explain(DownloadError(text)) == WorkerFailure(STATUSES[status], f"HTTP {status}")


def stumbled(answer: bytes) -> Exception:
    """What Python's own HTTP client raises for an answer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with closing(http.client.HTTPResponse(ours)) as response:
            response.begin()
            with pytest.raises((ValueError, OverflowError, MemoryError)) as caught:
                response.read()
    return caught.value


def test_an_answer_that_is_no_http_is_the_servers_fault() -> None:
    with pytest.raises(ValueError, match="IPv6") as location:
        urlsplit("http://[::1")
    chunk = stumbled(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc")
    for error in (chunk, location.value):
        assert explain(
            DownloadError("ERROR", ExtractorError("x", expected=False, cause=error))
        ) == WorkerFailure("server_error", NONSENSE)
        assert explain(error) == WorkerFailure("server_error", NONSENSE)


OTHERS: list[tuple[BaseException, str]] = [
    (UnsupportedError("https://e.example/?token=CANARY"), "no_media_found"),
    (GeoRestrictedError("no"), "forbidden"),
    (ExtractorError("Unable to extract title", expected=False), "no_media_found"),
    (ExtractorError("x", cause=CertificateVerifyError("self-signed")), "tls"),
    (ExtractorError("x", cause=TransportError("timed out")), "timeout"),
    (ExtractorError("x", cause=TransportError("reset")), "network"),
    (UnsupportedRequest('Unsupported url scheme: "file"'), "no_media_found"),
    (NoSupportingHandlers("concat:/etc/passwd"), "no_media_found"),
    (DownloadError("fragment 1 not found, unable to continue"), "network"),
    (PostProcessingError("Conversion failed!"), "no_media_found"),
    (DownloadError("ERROR", PostProcessingError("Conversion failed!")), "no_media_found"),
    (OSError(errno.ENOSPC, "full"), "disk_full"),
    (DownloadError("x", OSError(errno.EFBIG, "big")), "too_large"),
    (OSError(errno.EACCES, "no", "/home/me/CANARY"), "permission_denied"),
    (MemoryError(), "internal"),
    (KeyError("https://e.example/?token=CANARY"), "internal"),
    (StopError(WorkerFailure("too_large")), "too_large"),
]


@pytest.mark.parametrize(("error", "code"), OTHERS, ids=lambda value: str(value)[:40])
def test_other_failures(error: BaseException, code: str) -> None:
    found = explain(error)
    assert found.code == code
    assert "CANARY" not in found.detail


@pytest.mark.parametrize("text", [*WORDS, "see https://e.example/?token=CANARY\x1b[0m\x00 there"])
def test_the_words_are_clean(text: str) -> None:
    found = explain(ExtractorError(text))
    assert found.code in SENTENCES
    assert "://" not in found.detail
    assert found.detail.isprintable()


def test_errors_that_cause_each_other_end() -> None:
    one, other = ExtractorError("a", expected=False), ExtractorError("b", expected=False)
    one.cause, other.cause = other, one
    assert explain(one).code == "no_media_found"


def test_a_worker_is_not_taken_at_its_word() -> None:
    """Its reason is one of ours, without an address and short; what the gateway refused counts for more."""
    leave = Pass("", b"", (), lambda _: 0.0)
    said = engine.worker_error(
        WorkerFailure("made_up", "see https://u:pw@h/?CANARY\x1b[2J " + "x" * 500), leave
    )
    assert (said.code, len(said.detail)) == ("internal", 200)
    assert re.search(r"CANARY|\x1b", said.detail) is None
    leave.refused = errors.DownloadError("blocked_address", "10.0.0.1")
    assert engine.worker_error(WorkerFailure("network", ""), leave) is leave.refused
    assert engine.worker_error(WorkerFailure("needs_login", ""), leave).code == "needs_login"
