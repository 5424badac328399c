"""pystray's base classes, imported without the backend it would pick by itself.

On Linux a plain `import pystray` needs a display and may fail with errors of X or GTK; its dummy
backend can always be imported. The choice is only in the environment while the import lasts.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

if not TYPE_CHECKING and sys.platform == "linux":
    chosen = os.environ.get("PYSTRAY_BACKEND")
    os.environ["PYSTRAY_BACKEND"] = "dummy"
    try:
        importlib.import_module("pystray")
    finally:
        os.environ.pop("PYSTRAY_BACKEND")
        if chosen is not None:
            os.environ["PYSTRAY_BACKEND"] = chosen

from pystray._base import Icon, Menu, MenuItem

__all__ = ["Icon", "Menu", "MenuItem"]
