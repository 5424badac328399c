"""The clipboard of an X display (ICCCM §2): ask its owner for text, wait for the answer."""

from __future__ import annotations

import select
import time
from typing import Any

from Xlib import X
from Xlib.display import Display
from Xlib.error import DisplayError, XError


def read_clipboard(within: float) -> str:
    """The text its owner gives within that many seconds."""
    try:
        display = Display()
    except (DisplayError, OSError):
        return ""
    try:
        return _asked(display, time.monotonic() + within)
    except (XError, OSError):
        return ""
    finally:
        display.close()


def _asked(display: Display, until: float) -> str:
    clipboard, text = display.intern_atom("CLIPBOARD"), display.intern_atom("UTF8_STRING")
    place = display.intern_atom("TRAYAGENT_CLIPBOARD")
    window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    window.convert_selection(clipboard, text, place, X.CurrentTime)
    display.flush()
    answer = _answer(display, until)
    if answer is None or answer.property == X.NONE:
        return ""
    got = window.get_full_property(place, text)
    # A large text would come in pieces (INCR); none that a person copied to download is.
    return (
        got.value.decode("utf-8", "replace")
        if got is not None and isinstance(got.value, bytes)
        else ""
    )


def _answer(display: Display, until: float) -> Any | None:
    while True:
        while display.pending_events():
            event = display.next_event()
            if event.type == X.SelectionNotify:
                return event
        left = until - time.monotonic()
        if left <= 0 or not select.select([display.fileno()], [], [], left)[0]:
            return None
