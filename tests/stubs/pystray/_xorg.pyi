from typing import Any

from Xlib.display import Display

from pystray import _base

class Icon(_base.Icon):
    _window: Any
    _display: Display
