from typing import Any

from pystray import _base

class Icon(_base.Icon):
    _app: Any
    _icon_image: Any
    _menu_handle: tuple[Any, Any] | None
    _status_bar: Any
    _status_item: Any
    def __init__(self, name: str, icon: Any = None, title: str | None = None, menu: _base.Menu | None = None) -> None: ...
    def _assert_image(self) -> None: ...
