"""What a webhook says of what has ended: pure. A body never holds a cookie, a header, or the query of an address."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from trayagent.model import urls
from trayagent.model.downloads import Batch, Download
from trayagent.model.settings import HooksSettings

_FIELD: Final = re.compile(r"\{(event|title|message|filename|path|url|count|failed)\}")


class HookMessage(Struct, frozen=True):
    """One thing that has come to its end, in the words of the JSON body."""

    event: Literal["finished", "failed"]
    title: str
    message: str
    filename: str | None = None
    path: str | None = None
    """Here, or at the engine that fetched it."""
    url: str | None = None
    count: int = 1
    """Files that arrived."""
    failed: int = 0
    batch: str | None = None
    download: str | None = None
    at: str | None = None

    def __repr__(self) -> str:
        return f"<HookMessage {self.event} {self.batch or self.download}>"


class WebhookState(Struct, frozen=True):
    """How the webhook is, as far as this run knows. Its address is no part of it: a path may be a key."""

    is_on: bool
    told_at: str | None = None
    """When it last took a message."""
    failed_at: str | None = None
    """When it last did not; None: it never failed, or has taken a message since."""
    reason: str | None = None
    """Why it did not, in a sentence."""


class WebhookRefusal(Struct, frozen=True):
    """Why a message was not taken."""

    reason: str
    """A sentence."""
    is_final: bool
    """Whether it would be the same if it were sent again."""


TEST_MESSAGE: Final = HookMessage(
    "finished", "A test", "trayagent was asked whether this address takes its messages.", count=0
)


def message_of(ended: Download | Batch, settings: HooksSettings) -> HookMessage | None:
    """What is said of an end; None: the settings want no word of it."""
    message = _of_batch(ended) if isinstance(ended, Batch) else _of_download(ended)
    return message if message.event in settings.on else None


def _of_batch(batch: Batch) -> HookMessage:
    done, counts = batch.counts.get("completed", 0), batch.counts
    # What was refused counts as failed: somebody asked for it, and it is not here.
    failed = counts.get("failed", 0) + counts.get("rejected", 0)
    message = f"{done} arrived" + (f", {failed} failed: {batch.first_error}" if failed else "")
    return HookMessage(
        "failed" if failed else "finished",
        batch.title,
        f"{message.rstrip('.')}.",
        count=done,
        failed=failed,
        batch=batch.id,
        at=batch.finished_at,
    )


def _of_download(download: Download) -> HookMessage:
    shown = urls.redact(download.url) if "://" in download.url else download.url
    name = download.filename or shown
    words = download.warning or "It has arrived."
    if download.error is not None:
        words = f"{download.error.message} {download.error.action}"
    return HookMessage(
        "finished" if download.error is None else "failed",
        name,
        words,
        filename=download.filename,
        path=download.path or download.remote_path,
        url=shown,
        count=int(download.error is None),
        failed=int(download.error is not None),
        download=download.id,
        at=download.finished_at,
    )


def body_of(message: HookMessage, template: str) -> tuple[bytes, str]:
    """The body and its Content-Type: JSON of all fields, or the template with its `{fields}` filled in.

    In a template that is JSON itself, what is filled in is written as JSON writes texts: a title with a
    quotation mark in it cannot add a key.
    """
    if not template:
        return msgspec.json.encode(message), "application/json"
    values: dict[str, Any] = msgspec.to_builtins(message)
    # With a 0 in each place, the template shows what it is: `{count}` may stand bare in JSON, and a
    # text in quotation marks.
    is_json = _is_json(_FIELD.sub("0", template))

    def fill(field: re.Match[str]) -> str:
        value = values[field[1]]
        text = "" if value is None else str(value)
        # Without the quotation marks, which stand in the template.
        return msgspec.json.encode(text)[1:-1].decode() if is_json else text

    body = _FIELD.sub(fill, template).encode()
    return body, "application/json" if is_json else "text/plain; charset=utf-8"


def _is_json(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict | list)
    except msgspec.DecodeError:
        return False
