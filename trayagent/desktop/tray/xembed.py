"""Fallbacks for desktops that only have an X11 tray (XEmbed): pystray's own backends, mended.

pystray's modules are imported when a tray is made: GTK costs 60 MB, and each fails where it cannot
work.
"""

from __future__ import annotations

from PIL import Image

from trayagent.desktop.tray import icons
from trayagent.desktop.tray.actions import Actions
from trayagent.desktop.tray.base import Icon
from trayagent.desktop.tray.face import Face
from trayagent.desktop.tray.frame import IconTray

SIZE = 48
"""Pixels; panels scale it down."""

PANEL_GREY = (45, 48, 54, 255)
"""What stands behind the icon where the window has no transparency."""


class NoPopups:
    """Stands where pystray keeps its notifications, which need a service that may not be there."""

    def hide(self) -> None:
        """Nothing was shown."""


def gtk_icon(name: str) -> Icon:
    """A GtkStatusIcon that leaves popups to others, and Ctrl-C to the app."""
    from pystray import _gtk

    class GtkIcon(_gtk.Icon):
        def _initialize(self) -> None:
            self._notifier = NoPopups()
            self._mark_ready()

    return GtkIcon(name)


def xorg_icon(name: str) -> Icon:
    """A bare X window that hears clicks: pystray 0.19 forgets to ask for them."""
    from pystray import _xorg
    from Xlib import X

    icon = _xorg.Icon(name)
    icon._window.change_attributes(  # noqa: SLF001 – there is no other door
        event_mask=X.ExposureMask | X.StructureNotifyMask | X.ButtonPressMask
    )
    icon._display.flush()  # noqa: SLF001
    return icon


class GtkTray(IconTray):
    """Icon and menu through GTK; an open menu shows what was true when it opened."""

    through = "GTK"

    def __init__(self, actions: Actions) -> None:
        super().__init__(gtk_icon, actions)

    def _image(self, face: Face) -> Image.Image:
        return icons.draw(face, SIZE)


class XorgTray(IconTray):
    """Only an icon; its click opens the dashboard."""

    through = "plain X11"

    def __init__(self, actions: Actions) -> None:
        super().__init__(xorg_icon, actions)

    def _image(self, face: Face) -> Image.Image:
        picture = icons.draw(face, SIZE, "dark")
        behind = Image.new("RGBA", picture.size, PANEL_GREY)
        behind.alpha_composite(picture)
        return behind
