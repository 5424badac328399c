from typing import Any

class SelectionNotify:
    def __init__(self, **fields: Any) -> None: ...
