from pystray import _base

class Icon(_base.Icon):
    _notifier: object
    def _initialize(self) -> None: ...
