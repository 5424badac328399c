"""Whether this Windows is Wine: a test that meets one of its limits says so by name."""

import ctypes
import sys

import pytest

WINE = sys.platform == "win32" and hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")

checks_certificates = pytest.mark.skipif(
    WINE, reason="Wine's TLS believes every certificate unless it is given a file of authorities"
)
keeps_time = pytest.mark.skipif(
    WINE, reason="Wine and what shares its machine are too slow to be timed"
)
resets_at_once = pytest.mark.skipif(
    WINE, reason="Wine ends a connection in order before it resets it"
)
