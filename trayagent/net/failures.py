"""What went wrong on the wire, in our words. Never repeats a URL: those may hold secrets."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from types import TracebackType
from typing import Final

import aiohttp

from trayagent.model.errors import DownloadError


class translated:  # noqa: N801  reads as a sentence: with translated()
    """Raise DownloadError for whatever the network or aiohttp raises inside."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if isinstance(error, _FOREIGN) or (error is not None and _is_of_socks(error)):
            raise translate(error) from error


_FOREIGN: Final = (
    aiohttp.ClientError,
    aiohttp.http.HttpProcessingError,
    asyncio.IncompleteReadError,
    OSError,
    ValueError,
)


def translate(error: BaseException) -> DownloadError:
    """The DownloadError for an exception of aiohttp or the socket layer."""
    if isinstance(error, DownloadError):
        return error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return DownloadError("tls", _certificate_reason(error.certificate_error))
    if isinstance(error, ssl.SSLCertVerificationError):
        return DownloadError("tls", _certificate_reason(error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return DownloadError("network", f"no address was found for {error.host}")
    if _is_of_socks(error):
        late = isinstance(error.__cause__, TimeoutError)
        return DownloadError("timeout") if late else DownloadError("network", PROXY_UNUSABLE)
    for kinds, code, detail in _WORDS:
        if isinstance(error, kinds):
            return DownloadError(code, detail)
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ETIMEDOUT:
        return DownloadError("timeout")
    return DownloadError("network", _said_of(number) if number else "")


def _said_of(number: int) -> str:
    """Plain words; never the exception's own, which are Python's and name addresses."""
    return next((words for numbers, words in _ERRNOS if number in numbers), "") or (
        os.strerror(number).lower()
    )


_ERRNOS: Final = (
    ({errno.ECONNREFUSED}, "the server refused the connection"),
    (
        {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ENOTCONN, errno.ESHUTDOWN},
        "the server closed the connection",
    ),
    (
        {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN},
        "no way leads to the server from here",
    ),
    ({errno.ENETDOWN}, "the network is down"),
    ({errno.EADDRNOTAVAIL}, "this machine has no address to connect from"),
    ({errno.EACCES, errno.EPERM}, "this machine does not allow the connection"),
    ({errno.EMFILE, errno.ENFILE, errno.ENOBUFS}, "too many connections are open here"),
)


PROXY_UNUSABLE: Final = "the proxy could not be used"
_WORDS: Final[tuple[tuple[tuple[type[BaseException], ...], str, str], ...]] = (
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", "the secure connection could not be set up"),
    (
        (
            aiohttp.ClientProxyConnectionError,
            aiohttp.ClientHttpProxyError,
            asyncio.IncompleteReadError,  # a SOCKS proxy hung up
        ),
        "network",
        PROXY_UNUSABLE,
    ),
    ((TimeoutError,), "timeout", ""),
    ((aiohttp.InvalidURL,), "bad_url", ""),
    ((aiohttp.ClientPayloadError,), "truncated", "the connection was closed early"),
    ((aiohttp.ServerDisconnectedError,), "network", "the server closed the connection"),
    (
        (aiohttp.ClientResponseError, aiohttp.http.HttpProcessingError),
        "server_error",
        "its answer is not proper HTTP",
    ),
)
"""Exceptions and what they mean; the first that fits counts."""


def _is_of_socks(error: BaseException) -> bool:
    """Whether the SOCKS extra raised it: its errors share no root, and it may not be installed."""
    return type(error).__module__.partition(".")[0] in ("aiohttp_socks", "python_socks")


def _certificate_reason(error: BaseException) -> str:
    """OpenSSL's own words, "certificate has expired", which name hosts but no paths."""
    return str(getattr(error, "verify_message", "") or "").rstrip(".").lower()
