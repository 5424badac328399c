from pystray import _base

class Icon(_base.Icon):
    def _initialize(self) -> None: ...
