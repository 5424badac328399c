"""What the answer to one more connection for a file means."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from trayagent.model import backoff
from trayagent.model.errors import DownloadError
from trayagent.net.response import Response
from trayagent.transfer import ranges
from trayagent.transfer.statuses import refusal


class NoPartsError(DownloadError):
    """The same file came, but all of it: what one connection does not bring, the next begins anew."""

    def __init__(self) -> None:
        super().__init__("changed_on_server", "it served no parts")


def check(ask: ranges.Ask, response: Response) -> None:
    """Raise DownloadError unless it is the part asked for, of the very same file."""
    match ranges.judge(ask, response.status, response.headers):
        case "continue":
            return
        case "whole" if ranges.validator(response.headers) == ask.record.validator:
            raise NoPartsError
        case "refused":
            raise refused(response)
        case _:
            raise DownloadError("changed_on_server")


def doubt(ask: ranges.Ask | None) -> DownloadError:
    """What an unproven answer means: another file than the one begun, or, if none was, half a file."""
    if ask is None:
        return DownloadError("truncated", "the server sent only a part")
    return DownloadError("changed_on_server")


async def last_word(
    failure: DownloadError,
    record: ranges.Record,
    ask: Callable[[None], Awaitable[Response]],
) -> DownloadError:
    """Why a part is refused for good; where the whole file is not, it is not the file that is refused."""
    if failure.code in ("server_busy", "network"):
        return failure
    try:
        with await ask(None) as response:
            same = ranges.validator(response.headers) == record.validator
            return NoPartsError() if response.status == 200 and same else failure
    except DownloadError:
        return failure


def refused(response: Response) -> DownloadError:
    """Why no file, or no part of it, came; a busy host's wish counts for this file alone here."""
    wish = backoff.parse_retry_after(response.headers.get("Retry-After"), time.time())
    if response.status in (429, 503):
        return DownloadError("server_busy", f"HTTP {response.status}", retry_after=wish)
    return refusal(response.status, response.url, wish)
