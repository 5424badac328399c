"""Whole Wayland desktops, for `--desktop=NAME`.

Each runs in a window of the private X server, so that the hand and the eyes are the rig's.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from PIL import Image, ImageChops

from tests.desktop.hand import ASIDE, sight
from tests.desktop.rig import BACKGROUND, SIZE, Desktop, Window, until
from tests.programs import find

if sys.platform == "linux":
    from dbus_fast import Variant

PANEL_HEIGHT: Final = 34
MARGIN: Final = 14
LEAST_SIZE: Final = 60
POINTER_REACH: Final = 28
"""How far the pointer's picture reaches from where it points, in pixels."""
NOBODY: Final = 65534
WALL: Final = f"""
desktops().forEach((desktop) => {{
    desktop.wallpaperPlugin = "org.kde.color";
    desktop.currentConfigGroup = ["Wallpaper", "org.kde.color", "General"];
    desktop.writeConfig("Color", "{",".join(map(str, BACKGROUND))}");
}});
print(desktops().length);
"""
RIG: Final = {
    "Xvfb": "xvfb",
    "xdotool": "xdotool",
    "xsetroot": "x11-xserver-utils",
    "dbus-daemon": "dbus-daemon",
    "wl-copy": "wl-clipboard",
}
EXTENSION: Final = "ubuntu-appindicators@ubuntu.com"
MIDDLE: Final = (SIZE[0] // 2, SIZE[1] // 2)
PLAIN: Final = "#{:02x}{:02x}{:02x}".format(*BACKGROUND)


class Session(Desktop):
    """A compositor with what shows icons and popups; its programs know only Wayland."""

    name: ClassVar[str]
    needs: ClassVar[dict[str, str]]
    """What has to be installed: programs or files, and Debian's packages they come in."""
    clicks_for_dashboard: ClassVar[int] = 1
    last_button: ClassVar[str] = "retry"
    """What the last button does that a popup shows here."""
    view: ClassVar[Window] = Window(0, 0, *SIZE)
    """The part of the screen where nothing moves by itself: what appears there is a menu or a popup."""

    aside: ClassVar[tuple[int, int]] = ASIDE
    """Where the pointer is in nobody's way."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._bare = Image.new("RGB", SIZE)
        self._pointer = self.aside
        self.env["XDG_CURRENT_DESKTOP"] = self.name
        self.env["XDG_SESSION_TYPE"] = "wayland"

    def start_session(self) -> None:
        """Bring the desktop up; the icon's programs are not let see the X server behind it."""
        self.start_bus()
        self.start_x()
        self._outer = dict(self.env)
        self.start_compositor()
        del self.env["DISPLAY"]
        # What the bus starts lives in this session, too.
        bus = "org.freedesktop.DBus"
        self.call(
            bus, "/org/freedesktop/DBus", bus, "UpdateActivationEnvironment", "a{ss}", self.env
        )
        self.start_shell()
        until(lambda: self.owned("org.kde.StatusNotifierWatcher"), "the tray", 30)
        until(lambda: self.owned("org.freedesktop.Notifications"), "the notification service", 30)

    @classmethod
    def missing(cls) -> str:
        """Which programs or files are not installed, and the line that installs them; empty if none."""
        lacking = [need for need in (*RIG, *cls.needs) if not (find(need) or Path(need).exists())]
        packages = " ".join(sorted({(RIG | cls.needs)[need] for need in lacking}))
        return f"{', '.join(lacking)}: sudo apt-get install {packages}" if lacking else ""

    def start_compositor(self) -> None:
        raise NotImplementedError

    def start_shell(self) -> None:
        """Panel, tray and popups, where they are no part of the compositor."""

    def wait_for_wayland(self) -> None:
        """The compositor's socket names the display."""
        run = self.home / "run"
        socket = until(lambda: next(iter(run.glob("wayland-*[0-9]")), None), "the compositor", 30)
        self.env["WAYLAND_DISPLAY"] = socket.name

    def settle(self) -> None:
        """Remember the screen without menus and popups, once it stands still."""
        self.point(self.aside)
        pictures = [self.screenshot(self.view)]

        def still() -> bool:
            pictures.append(self.screenshot(self.view))
            recent = pictures[-10:]
            return len(recent) == 10 and all(picture == recent[0] for picture in recent)

        until(still, "a screen that stands still", 30)
        self._bare = pictures[-1]

    def menus(self) -> list[Window]:
        """What has appeared, as one window."""
        difference = ImageChops.difference(self.screenshot(self.view), self._bare)
        # GNOME draws the pointer into the picture: it left one place, and is at another.
        for x, y in (self.aside, self._pointer):
            x, y = x - self.view.x, y - self.view.y
            place = (x - POINTER_REACH, y - POINTER_REACH, x + POINTER_REACH, y + POINTER_REACH)
            difference.paste(0, place)
        box = difference.getbbox()
        if box is None:
            return []
        left, top, right, bottom = box
        if right - left < LEAST_SIZE or bottom - top < LEAST_SIZE:  # a row's light
            return []
        return [Window(self.view.x + left, self.view.y + top, right - left, bottom - top)]

    def click(
        self, place: tuple[int, int], button: int = 1, then: tuple[int, int] | None = None
    ) -> None:
        """Click there; go on once the click has opened something: a nested compositor may lag behind the pointer."""
        self._pointer = place
        super().click(place, button)
        if then is not None:
            until(self.menus, "what the click opens")
            self.point(self.aside)

    def point(self, place: tuple[int, int]) -> None:
        self._pointer = place
        super().point(place)

    def around(self, window: Window) -> Window:
        """The place with a margin, and with the panel beside it: for a picture."""
        left, top = max(0, window.x - MARGIN), max(0, window.y - MARGIN)
        right = min(SIZE[0], window.x + window.width + MARGIN)
        bottom = min(SIZE[1], window.y + window.height + MARGIN)
        if bottom > self.view.y + self.view.height:
            bottom = SIZE[1]
        if top < self.view.y + MARGIN:
            top = 0
        return Window(left, top, right - left, bottom - top)

    def show_buttons(self, popup: Window) -> Window:
        """Some desktops show the buttons of a popup at once."""
        return popup

    def press_last_button(self, popup: Window) -> None:
        """The last button ends where the popup does."""
        self.click((popup.x + popup.width - 28, self.bands(popup)[-1]))

    @property
    def hand_env(self) -> dict[str, str]:
        """The X server around the session."""
        return self._outer


class Sway(Session):
    """sway with waybar's tray and mako's popups."""

    name = "sway"
    needs: ClassVar = {
        "sway": "sway",
        "swaybg": "swaybg",
        "waybar": "waybar",
        "mako": "mako-notifier",
    }
    # mako's popups have no buttons; a click on one does what the first button would.
    last_button = "why"

    def start_compositor(self) -> None:
        config = self.home / "sway.conf"
        config.write_text(
            f"output * bg {PLAIN} solid_color\n"
            f"output X11-1 resolution {SIZE[0]}x{SIZE[1]}\n"
            "xwayland disable\ndefault_border none\n"
        )
        self.env |= {"WLR_BACKENDS": "x11", "WLR_RENDERER": "pixman"}
        self.start(*self._without_root(), "sway", "-c", str(config))
        self.wait_for_wayland()

    def _without_root(self) -> tuple[str, ...]:
        """sway does not start as root, which is who runs tests in a container."""
        if sys.platform == "win32" or os.getuid() != 0:
            return ()
        self.home.parent.chmod(0o755)
        self.home.chmod(0o755)
        os.chown(self.home / "run", NOBODY, NOBODY)
        return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")

    def start_shell(self) -> None:
        bar = self.home / "waybar.json"
        bar.write_text(
            f'{{"layer": "top", "position": "bottom", "height": {PANEL_HEIGHT},'
            ' "modules-right": ["tray"], "tray": {"icon-size": 22, "spacing": 6}}'
        )
        style = self.home / "waybar.css"
        style.write_text("window#waybar { background: #ededf0; } #tray { margin: 0 12px; }")
        self.start("waybar", "-c", str(bar), "-s", str(style))
        self.start("mako", "--default-timeout=0", "--anchor=top-right")


class Plasma(Session):
    """KWin and Plasma's own panel, tray and popups."""

    name = "KDE"
    needs: ClassVar = {
        "kwin_wayland": "kwin-wayland",
        "kded5": "kded5",
        "plasmashell": "plasma-workspace",
        "/usr/share/plasma/plasmoids/org.kde.plasma.folder": "plasma-desktop",
        "/usr/share/icons/breeze": "breeze-icon-theme",
        "/usr/share/doc/qtwayland5": "qtwayland5",
    }
    view = Window(0, 0, SIZE[0], SIZE[1] - 48)

    def start_compositor(self) -> None:
        config = self.home / "config"
        (config / "kdeglobals").write_text("[KDE]\nAnimationDurationFactor=0\n")
        self.env |= {
            "KDE_FULL_SESSION": "true",
            "KDE_SESSION_VERSION": "5",
            "QT_QUICK_BACKEND": "software",
            "KWIN_COMPOSE": "Q",
            "XDG_MENU_PREFIX": "plasma-",
            "QT_QPA_PLATFORM": "wayland",
        }
        # Debian's may raise its priority, which a container forbids; a copy has lost that capability.
        program = self.home / "kwin_wayland"
        shutil.copy("/usr/bin/kwin_wayland", program)
        self.start(
            str(program),
            f"--x11-display={self.env['DISPLAY']}",
            f"--width={SIZE[0]}",
            f"--height={SIZE[1]}",
            "--no-lockscreen",
            "--socket=wayland-7",
        )
        self.wait_for_wayland()

    def start_shell(self) -> None:
        self.start("kded5")
        until(lambda: self.owned("org.kde.StatusNotifierWatcher"), "the tray", 30)
        self.start("plasmashell")
        until(lambda: self.owned("org.kde.plasmashell"), "the panel", 30)
        shell = ("org.kde.plasmashell", "/PlasmaShell", "org.kde.PlasmaShell")

        def has_wall() -> bool:
            # A script that comes before the desktop is there changes none. One that comes again
            # makes the wall anew: on a busy machine, asked over and over, it was never drawn.
            found = self.call(*shell, "evaluateScript", "s", WALL)
            return bool(found and found[0].strip() not in ("", "0"))

        def is_plain() -> bool:
            return self.screenshot(Window(*MIDDLE, 1, 1)).getpixel((0, 0)) == BACKGROUND

        until(has_wall, "a desktop", 30)
        until(is_plain, "a plain wall", 30, look=partial(sight, self))


class Gnome(Session):
    """GNOME Shell with the extension that shows icons."""

    name = "GNOME"
    needs: ClassVar = {
        "gnome-shell": "gnome-shell",
        "gjs": "gjs",
        f"/usr/share/gnome-shell/extensions/{EXTENSION}": "gnome-shell-extension-appindicator",
        "/usr/lib/python3/dist-packages/dbusmock": "python3-dbusmock",
        "/usr/share/doc/libgl1-mesa-dri": "libgl1-mesa-dri",
    }
    clicks_for_dashboard = 2
    view = Window(0, PANEL_HEIGHT, SIZE[0], SIZE[1] - PANEL_HEIGHT)
    # On the panel it would open what is there as soon as one menu is open.
    aside = (5, SIZE[1] - 5)

    def start_compositor(self) -> None:
        self._start_system_bus()
        folder = self.home / "config/glib-2.0/settings"
        folder.mkdir(parents=True)
        (folder / "keyfile").write_text(
            "[org/gnome/shell]\n"
            f"enabled-extensions=['{EXTENSION}']\n"
            "welcome-dialog-last-shown-version='99'\n"
            "[org/gnome/desktop/interface]\nenable-animations=false\nenable-hot-corners=false\n"
            "[org/gnome/desktop/background]\npicture-uri=''\npicture-options='none'\n"
            f"primary-color='{PLAIN}'\n"
            "[org/gnome/shell/extensions/appindicator]\nicon-opacity=255\n"
        )
        self.env |= {
            "GSETTINGS_BACKEND": "keyfile",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "MUTTER_DEBUG_DUMMY_MODE_SPECS": f"{SIZE[0]}x{SIZE[1]}",
            "XDG_SESSION_DESKTOP": "gnome",
        }
        self.start(
            "gnome-shell", "--nested", "--wayland", "--no-x11", "--wayland-display=wayland-7"
        )
        self.wait_for_wayland()

    def _start_system_bus(self) -> None:
        """A system bus of its own with a stand-in for logind, without which the shell does not start."""
        path = self.home / "system"
        self.start("dbus-daemon", "--session", "--nofork", f"--address=unix:path={path}")
        until(path.exists, "the system bus")
        self.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
        self.start("/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind")

    def start_shell(self) -> None:
        """Close what a session begins with: the overview, and what the shell has to say of such a session."""
        until(lambda: self._overview("Get", "ss"), "the overview", 30)
        looks = [False]

        def is_clear() -> bool:
            colours = self.screenshot(Window(30, PANEL_HEIGHT, 990, 600)).getcolors(2) or ()
            # The picture alone does not tell: for a while the overview is open and not drawn yet,
            # and as long as it is open, no window gets the keys: `wl-copy` would wait for good.
            looks.append(len(colours) == 1 and not self._overview("Get", "ss"))
            if not looks[-1]:
                self._overview("Set", "ssv", Variant("b", False))
                self.click((SIZE[0] // 2, 80))
            self.point(self.aside)
            return len(looks) > 40 and all(looks[-40:])

        until(is_clear, "an empty desktop", 30)

    def show_buttons(self, popup: Window) -> Window:
        """The shell shows them once the pointer is there."""
        self.point((popup.x + popup.width // 2, popup.y + popup.height // 2))
        return until(lambda: self._taller(popup), "the buttons")

    def _taller(self, popup: Window) -> Window | None:
        seen = [self.menus() for _ in range(2)]
        steady = seen[0] == seen[1] and bool(seen[0])
        return seen[0][0] if steady and seen[0][0].height > popup.height else None

    def _overview(self, member: str, signature: str, *value: object) -> bool:
        shell, properties = "org.gnome.Shell", "org.freedesktop.DBus.Properties"
        answer = self.call(
            shell,
            "/org/gnome/Shell",
            properties,
            member,
            signature,
            shell,
            "OverviewActive",
            *value,
        )
        return (answer or [False])[0] is True


SESSIONS: Final = {"gnome": Gnome, "plasma": Plasma, "sway": Sway}
