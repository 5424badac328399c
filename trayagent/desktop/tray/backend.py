"""Which tray this desktop can have, and why."""

from __future__ import annotations

import logging
import sys
from typing import Literal

from trayagent.desktop.tray.actions import Actions
from trayagent.desktop.tray.none import NoTray, Tray
from trayagent.model.check import Check

Kind = Literal["auto", "sni", "gtk", "xorg", "none"]

__all__ = ["Kind", "NoTray", "Tray", "check", "choose_tray"]

log = logging.getLogger(__name__)


def choose_tray(kind: Kind, actions: Actions) -> Tray:
    """The best tray there is for what was asked, or none; never fails. Call it on the main thread."""
    if kind == "none":
        return NoTray()
    try:
        tray = _made(kind, actions)
    except Exception:
        log.exception("no tray could be made; everything else goes on")
        return NoTray()
    log.info("tray: %r", tray)
    return tray


def _made(kind: Kind, actions: Actions) -> Tray:
    if sys.platform == "win32":
        from trayagent.desktop.tray.win32 import WindowsTray

        return WindowsTray(actions)
    if sys.platform == "darwin":
        from trayagent.desktop.tray.darwin import MacTray

        return MacTray(actions)
    from trayagent.desktop.tray import linux

    return linux.made(linux.candidates(kind, linux.options(linux.survey())), actions)


def check() -> Check:
    """For the doctor: the tray that `auto` would take here. Not for a loop."""
    if sys.platform == "win32":
        return Check(
            "tray",
            "ok",
            "Windows shows the icon; new ones may hide behind the arrow beside the clock.",
            "Drag the icon out of the overflow to keep it in sight.",
        )
    if sys.platform == "darwin":
        return Check("tray", "ok", "The icon is in the menu bar.")
    from trayagent.desktop.tray import linux

    return linux.check(linux.options(linux.survey()))
