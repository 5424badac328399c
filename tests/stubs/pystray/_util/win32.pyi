from typing import Any

WM_LBUTTONUP: int
WM_RBUTTONUP: int
IMAGE_ICON: int
LR_LOADFROMFILE: int
NIF_ICON: int
NIF_INFO: int
NIF_MESSAGE: int
NIF_TIP: int
NIM_ADD: int
NIM_MODIFY: int
WM_NOTIFY: int

windll: Any
NOTIFYICONDATAW: Any

def PostMessage(hwnd: Any, message: int, wparam: int, lparam: int) -> None: ...
def LoadImage(instance: None, name: str, kind: int, width: int, height: int, flags: int) -> Any: ...
def PostQuitMessage(code: int) -> None: ...
def Shell_NotifyIcon(message: int, data: Any) -> int: ...
