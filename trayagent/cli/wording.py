"""How downloads, counts and times are said to a person; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from trayagent.model.wording import show_size


def name_of(download: Mapping[str, Any]) -> str:
    """The file's name, or the best we have before it is known."""
    if download.get("filename"):
        return str(download["filename"])
    url = str(download["url"])
    last = unquote(urlsplit(url).path.rpartition("/")[2])
    return last or url.partition("?")[0]


def amount(download: Mapping[str, Any]) -> str:
    """`12.4 MB`, or `45% of 12.4 MB` while bytes are missing."""
    size, received = download.get("size"), int(download.get("received") or 0)
    if download["state"] == "completed":
        return show_size(int(size if size is not None else received))
    if size:
        return f"{min(99, received * 100 // int(size))}% of {show_size(int(size))}"
    return show_size(received) if received else ""


def speed_of(rate: int) -> str:
    """`2.4 MB/s`; empty when nothing moves."""
    return f"{show_size(rate)}/s" if rate else ""


def local_time(stamp: str | None) -> str:
    """`2026-11-21 14:05` in this machine's time zone; empty for None."""
    return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M") if stamp else ""


def clock(stamp: str) -> str:
    """`14:05`, with the day when it is not today."""
    when = datetime.fromisoformat(stamp).astimezone()
    today = datetime.now().astimezone().date()
    return when.strftime("%H:%M" if when.date() == today else "%Y-%m-%d %H:%M")


def note_of(download: Mapping[str, Any]) -> str:
    """What there is to know beside the state: why it failed or waits, or a doubt."""
    error, later = download.get("error"), download.get("not_before")
    reason = str(error["message"]) if error else ""
    if download["state"] == "queued" and later:
        return f"Waits until {clock(later)}. {reason}".strip()
    return reason or str(download.get("warning") or "")


def error_of(download: Mapping[str, Any]) -> str:
    """Its last error, and what to do about it while it fails or waits because of that."""
    error = download["error"]
    words = [error["message"], f"({error['code']})"]
    if download["state"] in ("failed", "queued"):
        words.insert(1, error["action"])
    return " ".join(words)


def reason_of(download: Mapping[str, Any]) -> tuple[str, str]:
    """One plain sentence on how it stands, and the next action (may be empty)."""
    error, id = download.get("error"), download["id"]
    match download["state"]:
        case "failed" | "queued" if error:
            return note_of(download), str(error["action"])
        case "completed":
            doubt = download.get("warning")
            how = f"It is complete, with a doubt: {doubt}" if doubt else "It is complete."
            return how, f"Open it: trayagent open {id}"
        case "active":
            return "It is being downloaded.", ""
        case "paused":
            return "It is paused.", f"Let it go on: trayagent resume {id}"
        case "cancelled" if error and error["code"] == "cancelled":  # taken back with its batch
            return note_of(download), str(error["action"])
        case "cancelled":
            return "It was cancelled.", f"Try it again: trayagent retry {id}"
        case "failed":
            return "It failed.", f"Try it again: trayagent retry {id}"
        case _:
            return "It waits for its turn.", ""


def quantity(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counts_of(counts: Mapping[str, int]) -> str:
    """`40 completed, 2 failed`."""
    return ", ".join(f"{number:,} {what}" for what, number in counts.items() if number) or "nothing"
