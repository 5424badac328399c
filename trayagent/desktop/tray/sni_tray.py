"""The tray of Linux desktops: our own StatusNotifierItem."""

from __future__ import annotations

from PIL import Image

from trayagent.desktop.tray import icons
from trayagent.desktop.tray.actions import Actions
from trayagent.desktop.tray.face import Face
from trayagent.desktop.tray.frame import IconTray
from trayagent.desktop.tray.sni import SniIcon


class SniTray(IconTray):
    """Live texts, submenus, radio buttons; an open menu stays open."""

    through = "StatusNotifierItem"

    def __init__(self, actions: Actions) -> None:
        super().__init__(SniIcon, actions)

    def _image(self, face: Face) -> tuple[Image.Image, ...]:
        return icons.family(face)
