from typing import Any

WM_LBUTTONUP: int
WM_RBUTTONUP: int
IMAGE_ICON: int
LR_LOADFROMFILE: int

def PostMessage(hwnd: Any, message: int, wparam: int, lparam: int) -> None: ...
def LoadImage(instance: None, name: str, kind: int, width: int, height: int, flags: int) -> Any: ...
