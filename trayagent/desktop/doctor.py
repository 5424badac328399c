"""What the doctor asks of the desktop: tray, notifications, autostart."""

from __future__ import annotations

import asyncio
import sys

from trayagent.desktop import autostart
from trayagent.desktop.autostart import Autostart
from trayagent.desktop.notifier import toasts
from trayagent.desktop.tray import choice
from trayagent.model.diagnosis import Check
from trayagent.model.events import Notice
from trayagent.model.notices import hidden_icon_notice

SERVICE = "org.freedesktop.Notifications"

WINDOWS = {
    "shown": Check("notifications", "ok", "Windows shows them."),
    "off": Check(
        "notifications",
        "warning",
        "They are switched off in Windows.",
        "Settings > System > Notifications > trayagent",
    ),
    "refused": Check("notifications", "ok", "Balloons at the icon; this Windows has no toasts."),
}
"""What each answer of `toasts` means."""


def checks() -> list[Check]:
    """All of them. May take a second; not for a loop."""
    return [choice.check(), check_notifications(), check_autostart(autostart.session_entry())]


def check_notifications() -> Check:
    """Whether popups can be shown here."""
    if sys.platform == "win32":
        return WINDOWS[toasts()]
    if sys.platform == "darwin":
        return Check(
            "notifications",
            "warning",
            "macOS shows them for signed apps only.",
            "Use the trayagent app.",
        )
    from trayagent.desktop.tray.session_bus import bus_address, is_offered

    return popup_check(has_bus=bus_address() is not None, offered=asyncio.run(is_offered(SERVICE)))


def popup_check(*, has_bus: bool, offered: bool) -> Check:
    """The verdict for a Linux desktop."""
    if offered:
        return Check("notifications", "ok", "The desktop shows them.")
    if not has_bus:
        return Check(
            "notifications",
            "warning",
            "This session has no D-Bus.",
            "They are in the dashboard: trayagent dashboard",
        )
    return Check(
        "notifications",
        "warning",
        "Nothing on this desktop shows them.",
        "sudo apt install xfce4-notifyd",
    )


def check_autostart(entry: Autostart) -> Check:
    """Whether we start with the session."""
    state = entry.status()
    # One that a person switched off is no warning: it is meant so, wherever it leads.
    if state.stale and state.enabled:
        return Check(
            "autostart",
            "warning",
            "The session starts another trayagent than this one.",
            "trayagent autostart on",
        )
    if state.enabled:
        return Check("autostart", "ok", "trayagent starts with the session.")
    return Check(
        "autostart", "ok", "trayagent does not start with the session.", "trayagent autostart on"
    )


def hint(tray: Check) -> Notice | None:
    """What to tell once, at the first start, on a desktop that hides the icon."""
    return hidden_icon_notice(tray.mend) if tray.mend else None
