"""A desktop of one's own for a test: X server, session bus, window manager, panel, notifications.

Everything is private (display, bus, home) and everything is waited for as a fact, never slept for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar

from PIL import Image, ImageChops

from tests.patience import patience

if sys.platform == "linux":  # elsewhere there is `until`, which all of these tests use
    from dbus_fast import BusType, Message, MessageType, Variant
    from dbus_fast.aio import MessageBus
    from Xlib import X
    from Xlib.display import Display

Panel = Literal["xfce", "lxqt", "trayer", "none"]

SIZE: Final = (1024, 720)
BACKGROUND: Final = (58, 66, 86)

LONGEST_WAIT_SECONDS: Final = 40.0
"""Less than the 60 of the test runner, which ends a test without a word of what it waited for."""

T = TypeVar("T")


def until(
    fact: Callable[[], T | None],
    what: str,
    within: float = 20.0,
    look: Callable[[], object] = str,
) -> T:
    """The fact's first true value; fails with `what` after that many seconds, see `patience`.

    The default only ends a test that hangs; where time is the promise, the bound is given.
    The failure tells what a last `look` saw.
    """
    end = time.monotonic() + min(patience(within), LONGEST_WAIT_SECONDS)
    while True:
        value = fact()
        if value:
            return value
        assert time.monotonic() < end, f"not within {within} s: {what}. {look()}"
        time.sleep(0.02)


class Window(NamedTuple):
    """A place on the screen."""

    x: int
    y: int
    width: int
    height: int


class Desktop:
    """The running desktop; `env` is for programs that shall live on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bus_path = home / "bus"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.bus_path}",
            "GSETTINGS_BACKEND": "memory",
            "NO_AT_BRIDGE": "1",
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self._display: Display | None = None
        self.bus: subprocess.Popen[bytes] | None = None
        self.panel: subprocess.Popen[bytes] | None = None
        self.panel_kind: Panel = "none"
        (home / "run").mkdir(mode=0o700, parents=True)

    # Processes

    def start(self, *command: str, **more: Any) -> subprocess.Popen[bytes]:
        """A program of this desktop; ended with it, and with a test run that is killed."""
        with (self.home / f"{Path(command[0]).name}.log").open("ab") as log:
            process = subprocess.Popen(
                ("setpriv", "--pdeathsig", "KILL", *command),
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **more,
            )
        self.processes.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill one program and whatever it started."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)

    def close(self) -> None:
        if self._display is not None:
            self._display.close()
        for process in reversed(self.processes):
            if process.poll() is None:
                self.end(process)

    def start_x(self) -> None:
        """A server that stays when its last client leaves, on any free display."""
        reading, writing = os.pipe()
        self.start(
            "Xvfb",
            "-displayfd",
            str(writing),
            "-noreset",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            f"{SIZE[0]}x{SIZE[1]}x24",
            pass_fds=(writing,),
        )
        os.close(writing)
        with os.fdopen(reading) as number:
            self.env["DISPLAY"] = f":{number.readline().strip()}"
        self._display = Display(self.env["DISPLAY"])
        subprocess.run(
            ["xsetroot", "-solid", "#{:02x}{:02x}{:02x}".format(*BACKGROUND)],
            env=self.env,
            check=True,
        )

    def start_bus(self) -> None:
        self.bus = self.start(
            "dbus-daemon", "--session", "--nofork", f"--address=unix:path={self.bus_path}"
        )
        # Its socket is there before it listens.
        until(lambda: self.owned("org.freedesktop.DBus"), "the bus")

    def start_panel(self, kind: Panel) -> None:
        """A panel whose tray is ready."""
        self.panel_kind = kind
        if kind == "xfce":
            self.panel = self.start("xfce4-panel", "--disable-wm-check")
        elif kind == "lxqt":
            self.panel = self.start("lxqt-panel")
        elif kind == "trayer":
            self.panel = self.start(
                "trayer",
                "--edge",
                "bottom",
                "--widthtype",
                "pixel",
                "--width",
                "200",
                "--height",
                "32",
                "--transparent",
                "false",
                "--tint",
                "0xffffff",
            )
            until(self.xembed, "the X11 tray")
            return
        until(lambda: self.owned("org.kde.StatusNotifierWatcher"), "the panel's tray", 10)

    def start_notifications(self) -> None:
        """XFCE's popups, in the corner above the panel."""
        (daemon,) = Path("/usr/lib").glob("*/xfce4/notifyd/xfce4-notifyd")
        self.start(str(daemon))
        until(lambda: self.owned("org.freedesktop.Notifications"), "the notification service")

    def xembed(self) -> bool:
        """Whether an X11 tray is there."""
        return bool(self.x.get_selection_owner(self.x.intern_atom("_NET_SYSTEM_TRAY_S0")))

    # The bus

    def call(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *body: Any,
    ) -> Any:
        """The answer to a call, or None for an error or a bus that is gone."""
        return asyncio.run(
            self._called(destination, path, interface, member, signature, list(body))
        )

    async def _called(
        self,
        destination: str,
        path: str,
        interface: str,
        member: str,
        signature: str,
        body: list[Any],
    ) -> Any:
        try:
            bus = await MessageBus(self.env["DBUS_SESSION_BUS_ADDRESS"], BusType.SESSION).connect()
        except OSError:
            return None
        try:
            reply = await bus.call(
                Message(
                    destination=destination,
                    path=path,
                    interface=interface,
                    member=member,
                    signature=signature,
                    body=body,
                )
            )
            return None if reply.message_type is MessageType.ERROR else plain(reply.body)
        finally:
            bus.disconnect()

    def ask_bus(self, member: str, signature: str = "", *body: Any) -> Any:
        """What the bus itself answers; None for an error or a bus that is gone."""
        bus = "org.freedesktop.DBus"
        answer = self.call(bus, "/org/freedesktop/DBus", bus, member, signature, *body)
        return answer and answer[0]

    def owned(self, name: str) -> bool:
        return bool(self.ask_bus("NameHasOwner", "s", name))

    def connections(self, pid: int) -> list[str]:
        """The connections that a process has to the bus, by their own names."""
        names = [name for name in self.ask_bus("ListNames") or () if name.startswith(":")]
        return [n for n in names if self.ask_bus("GetConnectionUnixProcessID", "s", n) == pid]

    # The screen

    @property
    def x(self) -> Display:
        assert self._display is not None
        return self._display

    def screenshot(self, window: Window | None = None) -> Image.Image:
        x, y, width, height = window or (0, 0, *SIZE)
        width, height = min(width, SIZE[0] - x), min(height, SIZE[1] - y)
        raw = self.x.screen().root.get_image(x, y, width, height, X.ZPixmap, 0xFFFFFFFF)
        return Image.frombytes("RGB", (width, height), raw.data, "raw", "BGRX")

    def menus(self) -> list[Window]:
        """Open menus, oldest first: visible windows that no window manager touches, panels aside."""
        return self.windows(override_redirect=True)

    def windows(self, *, override_redirect: bool = False) -> list[Window]:
        """Visible windows of some height, oldest first."""
        found = []
        for child in self.x.screen().root.query_tree().children:
            with contextlib.suppress(Exception):  # it may close while we look
                attributes, place = child.get_attributes(), child.get_geometry()
                wanted = attributes.override_redirect or not override_redirect
                if attributes.map_state == X.IsViewable and wanted and place.height > 50:
                    found.append(Window(place.x, place.y, place.width, place.height))
        return found

    def find(self, colour: tuple[int, int, int], least: int = 40) -> tuple[int, int] | None:
        """The middle of all pixels of about this colour."""
        near = None
        for band, wanted in zip(self.screenshot().split(), colour, strict=True):
            close = band.point([255 if abs(v - wanted) < 6 else 0 for v in range(256)])
            near = close if near is None else ImageChops.darker(near, close)
        assert near is not None
        box = near.getbbox()
        if box is None or near.histogram()[255] < least:
            return None
        return (box[0] + box[2]) // 2, (box[1] + box[3]) // 2

    def bands(self, window: Window) -> list[int]:
        """Where the rows of a menu are: the middle of every line of text, from the top."""
        picture = self.screenshot(window).convert("L")
        inner = picture.crop((10, 3, picture.width - 26, picture.height - 3))
        counts = inner.histogram()
        ground = counts.index(max(counts))
        ink = inner.point([255 if abs(v - ground) > 40 else 0 for v in range(256)])
        lines = [ink.crop((0, y, ink.width, y + 1)).histogram()[255] for y in range(ink.height)]
        rows, start = [], None
        for y, count in enumerate([*lines, 0]):
            # A separator has ink in its whole width; text has gaps.
            text = 0 < count < 0.95 * ink.width
            if text and start is None:
                start = y
            elif not text and start is not None:
                if y - start > 3:
                    rows.append(window.y + 3 + (start + y) // 2)
                start = None
        return rows

    # The hand

    @property
    def hand_env(self) -> dict[str, str]:
        """Where the pointer and the keys are: this X server."""
        return self.env

    def click(
        self, place: tuple[int, int], button: int = 1, then: tuple[int, int] | None = None
    ) -> None:
        """Click there; the pointer stays, or goes on to `then` at once."""
        on = () if then is None else ("mousemove", str(then[0]), str(then[1]))
        self.xdo("mousemove", str(place[0]), str(place[1]), "click", str(button), *on)

    def point(self, place: tuple[int, int]) -> None:
        self.xdo("mousemove", str(place[0]), str(place[1]))

    def key(self, *names: str) -> None:
        self.xdo("key", *names)

    def asked(self, *words: str) -> str:
        """What xdotool finds; empty when it finds nothing."""
        command = ["xdotool", *words]
        done = subprocess.run(
            command, env=self.hand_env, capture_output=True, text=True, check=False, timeout=10
        )
        return done.stdout.strip()

    def xdo(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env=self.hand_env, check=True, timeout=10)


def plain(value: Any) -> Any:
    """A D-Bus value without its variants."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def write_configs(home: Path) -> None:
    """A panel at the bottom with a tray and nothing else; notifications that stay to be clicked."""
    folder = home / "config/xfce4/xfconf/xfce-perchannel-xml"
    folder.mkdir(parents=True)
    (folder / "xfce4-panel.xml").write_text("""<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=8;x=512;y=700"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="34"/>
      <property name="icon-size" type="uint" value="22"/>
      <property name="background-style" type="uint" value="1"/>
      <property name="background-rgba" type="array">
        <value type="double" value="0.93"/><value type="double" value="0.93"/>
        <value type="double" value="0.94"/><value type="double" value="1"/>
      </property>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="icon-size" type="int" value="22"/>
    </property>
  </property>
</channel>
""")
    (folder / "xfce4-notifyd.xml").write_text("""<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-notifyd" version="1.0">
  <property name="notify-location" type="uint" value="2"/>
  <property name="do-fadeout" type="bool" value="false"/>
  <property name="expire-timeout" type="int" value="30"/>
</channel>
""")
    lxqt = home / "config/lxqt"
    lxqt.mkdir(parents=True)
    (lxqt / "panel.conf").write_text("""[General]
panels=panel1
__userfile__=true

[panel1]
alignment=0
plugins=spacer, statusnotifier
position=Bottom
panelSize=34
iconSize=22
width=100
width-percent=true
background-color=#2b2e34

[spacer]
type=spacer
expandable=true
size=8
spaceType=invisible

[statusnotifier]
type=statusnotifier
alignment=Right
""")


@contextlib.contextmanager
def desktop(home: Path, panel: Panel = "none", *, x: bool = True) -> Iterator[Desktop]:
    """A running desktop with that panel; ends with everything on it."""
    here = Desktop(home)
    write_configs(home)
    try:
        here.start_bus()
        if x:
            here.start_x()
            here.start("openbox")
        if panel != "none":
            here.start_panel(panel)
        yield here
    finally:
        here.close()
