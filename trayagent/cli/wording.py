"""How a download, as the agent's API describes it, is put into words on a terminal; pure.

Sizes, times, counts and names have their words in `model/wording`, which the tray shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trayagent.model.wording import STATE_SENTENCES, name_of, percent, show_clock, show_size

EMPTY_LIST: Final = "The list is empty."


def download_name(download: Mapping[str, Any]) -> str:
    """The file's name, or the best we have before it is known."""
    return name_of(download.get("filename"), str(download["url"]))


def amount(download: Mapping[str, Any]) -> str:
    """`12.4 MB`, or `45% of 12.4 MB` while bytes are missing."""
    size, received = download.get("size"), int(download.get("received") or 0)
    if download["state"] == "completed":
        return show_size(int(size if size is not None else received))
    if size:
        # Never 100% before it is complete: it may still fail its checksum.
        return f"{percent(received, int(size), most=99)}% of {show_size(int(size))}"
    return show_size(received) if received else ""


def clock(stamp: str) -> str:
    """`14:05`, with the day when it is not today."""
    return show_clock(stamp, datetime.now().astimezone().date())


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
    error, id, state = download.get("error"), download["id"], str(download["state"])
    sentence = STATE_SENTENCES.get(state, STATE_SENTENCES["queued"])
    match state:
        case "failed" | "queued" if error:
            return note_of(download), str(error["action"])
        case "completed":
            doubt = download.get("warning")
            how = f"It is complete, with a doubt: {doubt}" if doubt else sentence
            return how, f"Open it: trayagent open {id}"
        case "paused":
            return sentence, f"Let it go on: trayagent resume {id}"
        case "cancelled" if error and error["code"] == "cancelled":  # taken back with its batch
            return note_of(download), str(error["action"])
        case "cancelled" | "failed":
            return sentence, f"Try it again: trayagent retry {id}"
        case _:
            return sentence, ""
