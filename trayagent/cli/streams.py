"""The three standard streams: always there, and as the terminal or program behind them reads them."""

import errno
import os
import sys
from typing import Any, Final, TextIO

_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}

ENABLE_VIRTUAL_TERMINAL_PROCESSING: Final = 0x0004
"""The mode in which a console of Windows obeys escape sequences (SetConsoleMode)."""

_USUAL_OUTPUT: Final = 0x0003
"""The modes that a console has for a new screen: control characters are obeyed, long lines wrap."""

_READ_AND_WRITE: Final = 0xC0000000
_CURSOR_COLUMN: Final = 2
"""Which of the eleven numbers of a CONSOLE_SCREEN_BUFFER_INFO it is."""


def open_closed_streams() -> bool:
    """Give each stream that was closed before we started nowhere for its place; returns whether errors have none.

    On Windows a program without a console has no stream at all.
    """
    unseen = sys.stderr is None
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as we live
            # It got the closed one's number, the lowest that was free: no database can be opened
            # under it any more, and programs that we start find it there, too.
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)
    return unseen


def obeys_escapes(stream: TextIO) -> bool:
    """Whether colours and a line that is written anew work there; a console of Windows is asked to obey first."""
    if not stream.isatty():
        return False
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    kernel = ctypes.windll.kernel32
    try:
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
    except OSError:  # a stream of Python's own, for a test or a log
        return False
    mode = ctypes.c_ulong()
    if not kernel.GetConsoleMode(handle, ctypes.byref(mode)):
        return False
    if not kernel.SetConsoleMode(handle, mode.value | ENABLE_VIRTUAL_TERMINAL_PROCESSING):
        return False
    if _shows_escapes(kernel):
        kernel.SetConsoleMode(handle, mode)
        return False
    return True


def _shows_escapes(kernel: Any) -> bool:
    """Whether this console of Windows writes escape sequences out: Wine's says that it obeys, and does so.

    Tried on a screen of the console's that nobody sees: what is obeyed does not move the cursor.
    """
    import ctypes

    kernel.CreateConsoleScreenBuffer.restype = ctypes.c_void_p
    unseen = ctypes.c_void_p(kernel.CreateConsoleScreenBuffer(_READ_AND_WRITE, 0, None, 1, None))
    try:
        kernel.SetConsoleMode(unseen, _USUAL_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING)
        kernel.WriteConsoleW(unseen, "\x1b[0m", 4, ctypes.byref(ctypes.c_ulong()), None)
        screen = (ctypes.c_short * 11)()
        known = kernel.GetConsoleScreenBufferInfo(unseen, ctypes.byref(screen))
        return bool(known) and screen[_CURSOR_COLUMN] != 0
    finally:
        kernel.CloseHandle(unseen)


def accept_any_text(stream: TextIO) -> None:
    """Let any text be written: UTF-8 into the pipes of Windows, and an escape for what a stream has no letter for.

    The code pages of Windows lack most letters, and each program there reads another one.
    """
    if not hasattr(stream, "reconfigure"):
        return
    chosen = os.environ.get("PYTHONIOENCODING")
    if sys.platform == "win32" and not stream.isatty() and not chosen:
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    else:
        stream.reconfigure(errors="backslashreplace")


def has_no_reader(error: OSError) -> bool:
    """Whether our output has no reader any more: `trayagent list | head`.

    Windows says so with EINVAL, and names no file; what comes of a file or an address names it.
    """
    if isinstance(error, BrokenPipeError):
        return True
    return sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None


def discard_unread_output() -> None:
    """Send what is still to be written nowhere, so that the flush at the end of the process is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show_message_box(title: str, text: str) -> None:
    """Show words in a window of their own: on Windows, where a program without a console has no other place."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.MessageBoxW(None, text, title, 0x10)  # MB_ICONERROR
