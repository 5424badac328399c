from collections.abc import Callable
from typing import Any

from pystray import _base

class Icon(_base.Icon):
    _hwnd: Any
    _icon_handle: Any
    _message_handlers: dict[int, Callable[[int, int], object]]
    def __init__(self, name: str, icon: Any = None, title: str | None = None, menu: _base.Menu | None = None) -> None: ...
    def _on_notify(self, wparam: int, lparam: int) -> None: ...
    def _assert_icon_handle(self) -> None: ...
