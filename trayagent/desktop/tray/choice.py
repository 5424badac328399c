"""Which tray this desktop can have, and why.

Nothing of pystray, PIL or D-Bus is imported before a tray is made: a server without a screen may
have none of them.
"""

from __future__ import annotations

import logging
import sys

from trayagent.desktop.tray.tray import Actions, NoTray, Tray
from trayagent.model.diagnosis import Check

log = logging.getLogger(__name__)


def choose_tray(kind: str, actions: Actions) -> Tray:
    """The best tray for `auto`, or the one of `sni`, `gtk`, `xorg` and `none`; never fails.

    Call it on the main thread. Windows and macOS have one tray of their own, for all but `none`.
    """
    if kind == "none":
        return NoTray()
    try:
        tray = _make_tray(kind, actions)
    except Exception:
        log.exception("no tray could be made; everything else goes on")
        return NoTray()
    log.info("tray: %r", tray)
    return tray


def _make_tray(kind: str, actions: Actions) -> Tray:
    if sys.platform == "win32":
        from trayagent.desktop.tray.win32 import WindowsTray

        return WindowsTray(actions)
    if sys.platform == "darwin":
        from trayagent.desktop.tray.darwin import MacTray

        return MacTray(actions)
    from trayagent.desktop.tray import linux

    facts = linux.survey(whole=kind in ("gtk", "xorg"))
    return linux.make_first(linux.candidates(kind, linux.options(facts)), actions)


def check(*, whole: bool = True) -> Check:
    """For the doctor: the tray that `auto` would take here. Not for a loop; see `linux.survey`."""
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

    return linux.check(linux.options(linux.survey(whole=whole)))
