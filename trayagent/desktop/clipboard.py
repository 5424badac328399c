"""The text on the clipboard, whatever the desktop; empty when there is none or it cannot be read."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from Xlib.display import Display

ANSWER_SECONDS: Final = 2.0
"""Seconds: the program that owns the clipboard may be stuck."""

MOST_CHARACTERS: Final = 1 << 20
"""Characters; a clipboard with more holds no addresses that a person copied."""


def read() -> str:
    """The clipboard's text. May take up to `ANSWER_SECONDS` seconds: not for a loop."""
    if sys.platform == "win32":
        return _read_windows()[:MOST_CHARACTERS]
    if sys.platform == "darwin":
        return _read_output(["pbpaste"])
    # Under Wayland the X clipboard is a copy that the compositor keeps, and not every one does. Without
    # wl-paste it is still better than nothing.
    if os.environ.get("WAYLAND_DISPLAY") and shutil.which("wl-paste"):
        return _read_output(["wl-paste", "--no-newline", "--type", "text"])
    return _read_x11()[:MOST_CHARACTERS]


def _read_output(command: list[str]) -> str:
    """What a program prints; nothing when it is missing, stuck or fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=ANSWER_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")[:MOST_CHARACTERS] if done.returncode == 0 else ""


def _read_x11() -> str:
    """Ask the clipboard's owner for text and wait for the answer (ICCCM §2)."""
    from Xlib import X
    from Xlib.display import Display
    from Xlib.error import DisplayError, XError

    try:
        display = Display()
    except (DisplayError, OSError):
        return ""
    try:
        clipboard, text = display.intern_atom("CLIPBOARD"), display.intern_atom("UTF8_STRING")
        # The owner leaves its answer as a property of a window of ours, under this name.
        place = display.intern_atom("TRAYAGENT_CLIPBOARD")
        window = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        window.convert_selection(clipboard, text, place, X.CurrentTime)
        # Sent at once: Xlib gathers requests, and nothing below would make it send them.
        display.flush()
        answer = _x11_answer(display, time.monotonic() + ANSWER_SECONDS)
        if answer is None or answer.property == X.NONE:
            return ""
        got = window.get_full_property(place, text)
    except (XError, OSError):
        return ""
    finally:
        display.close()
    # A large text would come in pieces (INCR), which are no bytes; none that a person copied to
    # download is so large.
    if got is None or not isinstance(got.value, bytes):
        return ""
    return got.value.decode("utf-8", "replace")


def _x11_answer(display: Display, until: float) -> Any | None:
    """The owner's event; None when none comes until then (a time of `monotonic`)."""
    from Xlib import X

    while True:
        while display.pending_events():
            event = display.next_event()
            if event.type == X.SelectionNotify:
                return event
        left = until - time.monotonic()
        if left <= 0 or not select.select([display.fileno()], [], [], left)[0]:
            return None


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    CF_UNICODETEXT: Final = 13

    def _read_windows() -> str:
        """The clipboard's text; nothing while another program holds the clipboard open."""
        user32 = ctypes.WinDLL("user32", use_last_error=True)
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        user32.GetClipboardData.restype = wintypes.HANDLE
        kernel32.GlobalLock.restype = ctypes.c_void_p
        kernel32.GlobalLock.argtypes = kernel32.GlobalUnlock.argtypes = [wintypes.HGLOBAL]
        if not user32.OpenClipboard(None):
            return ""
        # What is opened is closed on every way out: meanwhile no other program can copy or paste.
        try:
            handle = user32.GetClipboardData(CF_UNICODETEXT)
            address = kernel32.GlobalLock(handle) if handle else None
            if not address:
                return ""
            try:
                return ctypes.wstring_at(address)
            finally:
                kernel32.GlobalUnlock(handle)
        finally:
            user32.CloseClipboard()
