"""The trays of a Linux desktop: what is there, which one to take, and why not another."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from trayagent.desktop.tray.tray import Actions, NoTray, Tray
from trayagent.model.diagnosis import Check

Backend = Literal["sni", "gtk", "xorg"]

log = logging.getLogger(__name__)

HOST_MENDS: Final = {
    "GNOME": "Install the extension gnome-shell-extension-appindicator, enable it and log in again.",
    "XFCE": "Add the plugin Status Tray to the panel.",
    "LXQt": "Add the plugin Status Notifier to the panel.",
    "sway": "Add a bar with a tray to your session, such as waybar.",
}
ANY_HOST_MEND: Final = "Add a system tray to your panel; until then use: trayagent dashboard"
GI_MEND: Final = "sudo apt install python3-gi gir1.2-gtk-3.0"
SESSION_MEND: Final = "Start trayagent inside a desktop session, or use: trayagent dashboard"


class Facts(Struct, frozen=True):
    """What was found."""

    bus: bool = False
    """A session bus answers."""
    watcher: bool = False
    """Somebody shows StatusNotifierItems."""
    x: bool = False
    """An X display answers."""
    xembed: bool = False
    """An X11 tray takes windows."""
    gi: bool = False
    """PyGObject is installed."""
    desktop: str = ""
    """XDG_CURRENT_DESKTOP."""


class Option(Struct, frozen=True):
    """A backend here and now."""

    backend: Backend
    verdict: Literal["ready", "waiting", "impossible"]
    """`waiting`: it can run, and shows the icon as soon as the desktop has a tray."""
    why: str
    mend: str = ""


def options(facts: Facts) -> tuple[Option, ...]:
    """All backends, best first."""
    # | backend | needs                          | gives                                       |
    # |---------|--------------------------------|---------------------------------------------|
    # | sni     | a session bus; shown by a host | everything, and an open menu stays open     |
    # | gtk     | X, an X11 tray, PyGObject      | icon and menu                               |
    # | xorg    | X, an X11 tray                 | an icon, whose click opens the dashboard    |
    return (_sni_option(facts), _xembed_option(facts, "gtk"), _xembed_option(facts, "xorg"))


def _sni_option(facts: Facts) -> Option:
    if not facts.bus:
        return Option("sni", "impossible", "This session has no D-Bus.", SESSION_MEND)
    # Without a host it waits: a panel may start after us, or get its plugin while we run.
    if not facts.watcher:
        mends = (mend for name, mend in HOST_MENDS.items() if name.lower() in facts.desktop.lower())
        return Option(
            "sni",
            "waiting",
            "Nothing on this desktop shows tray icons.",
            next(mends, ANY_HOST_MEND),
        )
    return Option("sni", "ready", "The desktop shows tray icons.")


def _xembed_option(facts: Facts, backend: Backend) -> Option:
    if not facts.x:
        return Option(backend, "impossible", "There is no X display.", SESSION_MEND)
    if not facts.xembed:
        return Option(backend, "impossible", "No X11 tray runs on this display.", ANY_HOST_MEND)
    if backend == "xorg":
        return Option(backend, "ready", "An icon without a menu: its click opens the dashboard.")
    if not facts.gi:
        return Option(backend, "impossible", "PyGObject is not installed.", GI_MEND)
    return Option(backend, "ready", "The X11 tray, through GTK.")


def candidates(kind: str, found: Sequence[Option]) -> list[Backend]:
    """What to try, best first; `kind` is `auto` or one backend by name."""
    order = ("ready", "waiting")
    # A tray that is ready now goes before one that waits for a panel, which may never come.
    wanted = [o for o in found if o.verdict in order and kind in ("auto", o.backend)]
    return [o.backend for o in sorted(wanted, key=lambda o: order.index(o.verdict))]


def check(found: Sequence[Option]) -> Check:
    """For the doctor: what `auto` would take, or why there is nothing to take."""
    best = next(iter(candidates("auto", found)), None)
    option = next(o for o in found if o.backend == (best or "sni"))
    if option.verdict == "ready" and option.backend == "sni":
        return Check("tray", "ok", option.why)
    others = "".join(
        f" {o.backend}: {o.why}" for o in found if o.verdict == "impossible" and o is not option
    )
    return Check("tray", "warning", f"{option.why}{others}", option.mend)


def survey(*, whole: bool = True) -> Facts:
    """Look at this session; not for a loop. Unless `whole`, a tray that needs no X is enough."""
    bus, watcher = asyncio.run(_bus())
    x, xembed = _display() if whole or not watcher else (False, False)
    return Facts(
        bus,
        watcher,
        x,
        xembed,
        gi=importlib.util.find_spec("gi") is not None,
        desktop=os.environ.get("XDG_CURRENT_DESKTOP", ""),
    )


async def _bus() -> tuple[bool, bool]:
    from trayagent.desktop.tray.session_bus import LOST, WATCHER, ask, session_bus

    try:
        async with session_bus() as bus:
            owned = await ask(bus, "NameHasOwner", "s", WATCHER)
            return True, bool(owned and owned[0])
    except LOST:
        return False, False


def _display() -> tuple[bool, bool]:
    if not os.environ.get("DISPLAY"):
        return False, False
    from Xlib import X
    from Xlib.display import Display
    from Xlib.error import DisplayError

    try:
        display = Display()
    except (DisplayError, OSError):
        return False, False
    try:
        # An X11 tray is whoever owns this selection (System Tray Protocol, freedesktop.org).
        tray = display.intern_atom(f"_NET_SYSTEM_TRAY_S{display.get_default_screen()}")
        return True, display.get_selection_owner(tray) != X.NONE
    finally:
        display.close()


def make_first(kinds: Sequence[Backend], actions: Actions) -> Tray:
    """The first tray that can be made, or none."""
    # What the survey found may be gone, or half installed: the next candidate is still a tray.
    for kind in kinds:
        try:
            if kind == "sni":
                from trayagent.desktop.tray.sni import SniTray

                return SniTray(actions)
            from trayagent.desktop.tray.xembed import GtkTray, XorgTray

            return GtkTray(actions) if kind == "gtk" else XorgTray(actions)
        except Exception:
            log.warning("the %s tray cannot be made; trying the next", kind, exc_info=True)
    return NoTray()
