"""The clipboard of Windows."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    CF_UNICODETEXT = 13

    def read_clipboard() -> str:
        """The text on it, or nothing when another program holds it."""
        user32 = ctypes.WinDLL("user32", use_last_error=True)
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        user32.GetClipboardData.restype = wintypes.HANDLE
        kernel32.GlobalLock.restype = ctypes.c_void_p
        kernel32.GlobalLock.argtypes = kernel32.GlobalUnlock.argtypes = [wintypes.HGLOBAL]
        if not user32.OpenClipboard(None):
            return ""
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
