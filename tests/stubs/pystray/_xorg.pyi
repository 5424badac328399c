from collections.abc import Callable, Iterator
from typing import Any

from Xlib.display import Display

from pystray import _base

class Icon(_base.Icon):
    _window: Any
    _display: Display
    _systray_manager: Any
    def _rewrite_implementation(self, *args: Callable[[], None]) -> None: ...
    def _events(self) -> Iterator[Any]: ...
    def _dock_window(self) -> None: ...
    def _get_systray_manager(self) -> Any: ...
