"""Every way in which no file comes, as a DownloadError: statuses, libcurl's codes, the system's numbers.

The one home of these decisions. Nothing here repeats a URL: those may hold secrets.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from trayagent.model.errors import DownloadError
from trayagent.model.urls import looks_expired

PROXY_UNUSABLE: Final = "the proxy could not be used"
CLOSED: Final = "the server closed the connection"
CLOSED_EARLY: Final = "the connection was closed early"
CODING_CUT: Final = "the compressed data stops before its end"
CODING_DAMAGED: Final = "the compressed data is damaged"
NOT_HTTP: Final = "its answer is not proper HTTP"
TLS_FAILED: Final = "the secure connection could not be set up"

# libcurl's codes (its manual, libcurl-errors(3)), so that asking no file loads no libcurl.
_UNSUPPORTED_PROTOCOL: Final = 1
_URL_MALFORMAT: Final = 3
_COULDNT_RESOLVE_PROXY: Final = 5
_COULDNT_RESOLVE_HOST: Final = 6
_COULDNT_CONNECT: Final = 7
_HTTP2: Final = 16
_PARTIAL_FILE: Final = 18
_OPERATION_TIMEDOUT: Final = 28
_SSL_CONNECT_ERROR: Final = 35
_GOT_NOTHING: Final = 52
_SEND_ERROR: Final = 55
_RECV_ERROR: Final = 56
_SSL_CIPHER: Final = 59
_PEER_FAILED_VERIFICATION: Final = 60
_BAD_CONTENT_ENCODING: Final = 61
_SSL_CACERT_BADFILE: Final = 77

_NO_FILE: Final = {
    202: "the file is not there yet",
    204: "an answer without content",
    205: "an answer without content",
    206: "a part of the file instead of all of it",
    207: "a report on several files",
    208: "a report on several files",
    226: "a changed form of the file, which nobody asked for",
    304: "not modified, though nothing was asked to compare",
}
"""What answers below 400 bring instead of the file (RFC 9110 §15.2 to §15.4, RFC 3229, RFC 4918)."""


def brings_file(status: int) -> bool:
    """Whether the body of an answer to a plain GET is the file.

    | status            | its body is                                     | taken as                    |
    |-------------------|-------------------------------------------------|-----------------------------|
    | 200, 201          | the file                                        | the file                    |
    | 203               | the file, as a proxy on the way has changed it  | the file, never resumed     |
    | 202               | a word on how far the making of it is           | `server_error`, asked again |
    | 204, 205          | nothing                                         | `not_found`                 |
    | 206               | a part: `ranges.judge` looks at which           | the file, if that is all    |
    | 207, 208, 226     | WebDAV's report, a difference to another file   | `server_error`              |
    | any other 2xx     | as of 200, for whoever does not know the status | the file                    |

    curl, wget and aria2 keep the body of any 2xx; here one that cannot be the file is refused, so that
    no report lies on the disk under the file's name. RFC 9110 §15 has the rule for unknown ones.
    """
    return 200 <= status < 300 and status not in _NO_FILE


def refuse_status(status: int, url: str, wish: float | None = None) -> DownloadError:
    """Why an answer with this status is no file; 429 and 503 are the host's (`HttpClient.note_busy`).

    `wish` is the server's Retry-After in seconds: it is about this file, and goes to where time may help.

    | status        | means                                                                        |
    |---------------|------------------------------------------------------------------------------|
    | below 400     | something else than the file (see `brings_file`)                             |
    | 407           | the proxy, not the server, asks for a login                                  |
    | 4xx           | first whether the link had its time (`looks_expired`), for CDNs differ here  |
    | 401, 404, 410 | a login, no such file                                                        |
    | 408, 425      | ask again later                                                              |
    | other 4xx     | forbidden                                                                    |
    | 5xx           | the server's own fault                                                       |
    """
    said = f"HTTP {status}"
    if status < 400:
        detail = f"{said}: {_NO_FILE.get(status, 'no file')}"
        if status in (204, 205):
            return DownloadError("not_found", detail)
        return DownloadError("server_error", detail, retry_after=wish)
    if status == 407:
        return DownloadError("network", "HTTP 407: a proxy asks for a login")
    if status in (408, 425):
        return DownloadError("timeout", said, retry_after=wish)
    if status >= 500:
        return DownloadError("server_error", said, retry_after=wish)
    if looks_expired(url, status):
        return DownloadError("link_expired", said)
    code = {401: "needs_login", 404: "not_found", 410: "not_found"}.get(status, "forbidden")
    return DownloadError(code, said)


def may_be_about_range(status: int, url: str) -> bool:
    """Whether the refusal of a part may be about its Range or If-Range, so that all of the file may come.

    Proxies and old servers answer so; 412 takes If-Range for If-Match, 304 for If-None-Match. A link that
    has expired is not asked again, nor one that wants a login or is gone.
    """
    return status in (304, 400, 403, 405, 412, 501) and not looks_expired(url, status)


_LIBCURL: Final[dict[int, tuple[str, str]]] = {
    _COULDNT_RESOLVE_PROXY: ("network", PROXY_UNUSABLE),
    97: ("network", PROXY_UNUSABLE),  # CURLE_PROXY, which pycurl has no name for
    _OPERATION_TIMEDOUT: ("timeout", ""),
    _GOT_NOTHING: ("network", CLOSED),
    _SEND_ERROR: ("network", CLOSED),
    _RECV_ERROR: ("network", CLOSED),
    _PARTIAL_FILE: ("truncated", CLOSED_EARLY),
    _HTTP2: ("network", CLOSED),
    92: ("network", CLOSED),  # CURLE_HTTP2_STREAM
    _UNSUPPORTED_PROTOCOL: ("server_error", NOT_HTTP),  # HTTP/0.9
    100: ("server_error", NOT_HTTP),  # CURLE_TOO_LARGE: header or trailer lines without end
    8: ("server_error", NOT_HTTP),  # CURLE_WEIRD_SERVER_REPLY: two lengths, a bad line
    _BAD_CONTENT_ENCODING: ("server_error", "it sends in a coding that nobody asked for"),
    _URL_MALFORMAT: ("bad_url", ""),
    _SSL_CONNECT_ERROR: ("tls", TLS_FAILED),
    _SSL_CIPHER: ("tls", TLS_FAILED),
    _SSL_CACERT_BADFILE: ("tls", "this machine's list of trusted certificates is missing"),
}

# From 10000 on these are of Windows' sockets. Python's errno has them under the names of POSIX, but for
# EACCES, EMFILE, EPIPE and those that POSIX does not know.
_ERRNOS: Final = (
    ({errno.ECONNREFUSED, 10061}, "the server refused the connection"),
    (
        {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN, errno.ESHUTDOWN}
        | {10052, 10053, 10054, 10057, 10058},
        CLOSED,
    ),
    (
        {errno.EHOSTUNREACH, errno.ENETUNREACH, getattr(errno, "EHOSTDOWN", 10064)}
        | {10051, 10064, 10065},
        "no way leads to the server from here",
    ),
    ({errno.ENETDOWN, 10050}, "the network is down"),
    ({errno.EADDRNOTAVAIL, 10049}, "this machine has no address to connect from"),
    ({errno.EACCES, errno.EPERM, 10013}, "this machine does not allow the connection"),
    (
        {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, 10024, 10055},
        "too many connections are open here",
    ),
)
_TIMED_OUT: Final = frozenset({errno.ETIMEDOUT, 10060})

_WINDOWS: Final = {
    64: errno.ECONNRESET,  # ERROR_NETNAME_DELETED
    121: errno.ETIMEDOUT,  # ERROR_SEM_TIMEOUT
    1225: errno.ECONNREFUSED,  # ERROR_CONNECTION_REFUSED
    1231: errno.ENETUNREACH,  # ERROR_NETWORK_UNREACHABLE
    1232: errno.EHOSTUNREACH,  # ERROR_HOST_UNREACHABLE
    1236: errno.ECONNABORTED,  # ERROR_CONNECTION_ABORTED
}
"""What Windows' loop of asyncio says of sockets, in the numbers of files (winerror.h)."""
_CLASSES: Final = (
    (ConnectionRefusedError, errno.ECONNREFUSED),
    (ConnectionError, errno.ECONNRESET),
    (TimeoutError, errno.ETIMEDOUT),
)


# Windows' own TLS speaks in the numbers of its interface, or in sentences that libcurl makes of them
# (its schannel.c and schannel_verify.c). Other systems have OpenSSL, whose own words are good.
_SCHANNEL: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"not time valid|SEC_E_CERT_EXPIRED|CERT_E_EXPIRED", "certificate has expired"),
        (
            r"untrusted root|chain is incomplete|SEC_E_UNTRUSTED_ROOT|CERT_E_UNTRUSTEDROOT",
            "nobody whom this machine trusts has signed the certificate",
        ),
        (r"revoked|CRYPT_E_REVOKED", "the certificate was withdrawn"),
    )
)
_SCHANNEL_NAME: Final = re.compile(r"failed to match connection hostname|SEC_E_WRONG_PRINCIPAL")

_OPENSSL: Final = re.compile(r"(?:certificate problem|verify result): (.*?)(?: \(\d+\))?$")


def refuse_transfer(
    code: int, words: str, number: int, host: str, *, proxied: bool = False
) -> DownloadError:
    """Why libcurl gave up: its code, its own words, the system's errno (0: none)."""
    if code == _COULDNT_RESOLVE_HOST:
        return DownloadError("network", f"no address was found for {host}")
    # With Windows' own TLS an expired certificate is one of many ways in which the handshake fails.
    if code == _PEER_FAILED_VERIFICATION or (
        code == _SSL_CONNECT_ERROR and _schannel_reason(words, host)
    ):
        return DownloadError("tls", _certificate_reason(words, host))
    # A proxy that refuses a tunnel answers, so libcurl calls that an error of the answer.
    if proxied and (code == _COULDNT_CONNECT or "CONNECT tunnel failed" in words):
        return DownloadError("network", PROXY_UNUSABLE)
    if code == _COULDNT_CONNECT:
        return refuse_connection(number)
    # A body in broken pieces has the code of a broken connection: only libcurl's words tell them apart.
    if code == _RECV_ERROR and any(word in words.lower() for word in ("chunk", "header")):
        return DownloadError("server_error", NOT_HTTP)
    known, detail = _LIBCURL.get(code, ("network", ""))
    return DownloadError(known, detail)


def refuse_connection(number: int) -> DownloadError:
    """Why no connection was made; `number` is an errno, 0 for none."""
    if number in _TIMED_OUT:
        return DownloadError("timeout")
    return DownloadError("network", describe_errno(number) if number else "")


def errno_of(error: OSError) -> int:
    """The number of an error of asyncio; 0 for none. On Windows its errno is mostly EINVAL, whatever was wrong."""
    # 1. Windows' own number.
    # 2. The class: asyncio hands some on without the number.
    # 3. What other systems have: the errno.
    if known := _WINDOWS.get(getattr(error, "winerror", None) or 0):
        return known
    if error.errno in (None, errno.EINVAL):
        return next((number for kind, number in _CLASSES if isinstance(error, kind)), 0)
    return error.errno


def describe_errno(number: int) -> str:
    """Plain words; never an exception's own, which are Python's and name addresses."""
    return next((words for numbers, words in _ERRNOS if number in numbers), "") or (
        os.strerror(number).lower()
    )


def is_bare_end(code: int, words: str) -> bool:
    """Whether a TLS connection was only not taken leave of: how many servers end a body without length.

    The bytes that came are whole as far as anyone can tell; the file is kept with a warning.
    """
    said = words.lower()
    return code == _RECV_ERROR and ("unexpected eof" in said or "missing close_notify" in said)


def _certificate_reason(words: str, host: str) -> str:
    """OpenSSL's own words, "certificate has expired"; for a name that does not fit, plain ones."""
    if said := _schannel_reason(words, host):
        return said
    # The last name in quotes is ours: "subject name 'x.example' does not match target hostname 'h.example'".
    before, _, name = words.rpartition("'")[0].rpartition("'")
    if "match" in before:
        return f"the certificate is not valid for '{name[:255]}'"
    if "common name" in words:
        return "the certificate names no host"
    reason = _OPENSSL.search(words)
    return (reason[1] if reason else words).strip().rstrip(".").lower()[:200]


def _schannel_reason(words: str, host: str) -> str:
    """What Windows' own TLS has against a certificate; "" if it says nothing of one."""
    if _SCHANNEL_NAME.search(words):
        return f"the certificate is not valid for '{host[:255]}'"
    return next((reason for said, reason in _SCHANNEL if said.search(words)), "")
