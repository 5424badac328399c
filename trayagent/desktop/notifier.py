"""Popups: show a notice, tell which button was clicked; never in the way of a download."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import trayagent
from trayagent.model.events import Action, Notice

if TYPE_CHECKING:
    from desktop_notifier import DesktopNotifier as Service

ON_SCREEN: Final = 4
"""Popups of ours at a time; an older one is taken back for a newer one."""

TAKE_SECONDS: Final = 10.0
"""For the desktop to take a notice; it may have to start its service first."""

REST_SECONDS: Final = 60.0
"""Without another attempt after one that failed."""

TITLE_CHARACTERS: Final = 80
BODY_CHARACTERS: Final = 400

Balloon = Callable[[Notice, Callable[[], object]], bool]
"""Shows a notice at the icon, and calls that when it is clicked; tells whether it could."""

Follow = Callable[[str, str], object]
"""Called with `do` and `id` of the `Action` that was clicked; from any thread."""

log = logging.getLogger(__name__)


class Notifier(Protocol):
    """Shows notices. Whether and when one is worth showing is decided by the announcer."""

    async def show(self, notice: Notice) -> None:
        """Show it, or quietly do nothing; never raises."""

    async def close(self) -> None:
        """Take back what is still on the screen."""


class NullNotifier:
    """The desktop without popups."""

    async def show(self, notice: Notice) -> None:
        """Nothing to show it on."""

    async def close(self) -> None:
        """Nothing was shown."""


class DesktopNotifier:
    """Popups of the desktop, through desktop-notifier, which is imported at the first notice.

    `balloon`, once there is a tray, serves where the desktop refuses them: an old or stripped Windows.
    """

    def __init__(self, follow: Follow) -> None:
        self.balloon: Balloon = lambda _notice, _click: False
        self._follow = follow
        self._service: Service | None = None
        self._shown: deque[str] = deque()
        self._not_before = 0.0
        self._is_failure_logged = False

    def __repr__(self) -> str:
        return f"<popups, {len(self._shown)} on the screen>"

    async def show(self, notice: Notice) -> None:
        """Show it; a desktop that cannot is left alone for a while, and the log says so once."""
        if time.monotonic() >= self._not_before and await self._try_to_send(notice):
            return
        # A balloon has no buttons: a click on it does what the first one would.
        first = notice.actions[0] if notice.actions else None
        self.balloon(notice, self._follower(first) if first else lambda: None)

    async def _try_to_send(self, notice: Notice) -> bool:
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                await self._send(notice)
        except Exception as error:  # noqa: BLE001 – a service of the desktop may fail in any way
            self._leave_service()
            self._not_before = time.monotonic() + REST_SECONDS
            if not self._is_failure_logged:
                log.warning(
                    "the desktop shows no notification (%s); everything else goes on",
                    str(error) or type(error).__name__,
                )
            self._is_failure_logged = True
            return False
        return True

    async def close(self) -> None:
        """Take back what is still on the screen, as far as the desktop lets us."""
        if self._service is None:
            return
        try:
            async with asyncio.timeout(1):
                await self._service.clear_all()
        except Exception:
            log.debug("notifications could not be taken back", exc_info=True)
        self._leave_service()

    def _leave_service(self) -> None:
        """Leave the service, and its connection to the session bus where it has one."""
        # The library has no way to close. A connection that is left open is read by the loop until it
        # ends, and each new attempt would add one.
        bus: Any = getattr(getattr(self._service, "_backend", None), "bus", None)
        if bus is not None and bus.connected:
            bus.disconnect()
        self._service = None

    async def _send(self, notice: Notice) -> None:
        import desktop_notifier as foreign

        if self._service is None:
            # What it says of a failure is said here, once.
            logging.getLogger("desktop_notifier").setLevel(logging.CRITICAL)
            icon = icon_file()
            self._service = foreign.DesktopNotifier(
                "trayagent", foreign.Icon(path=icon) if icon else None
            )
        # Only servers that read markup want it escaped; the others would show `&amp;` as it is.
        markup = await _understands_markup(self._service)
        sent: list[bool] = []
        first = notice.actions[0] if notice.actions else None
        message = foreign.Notification(
            clip(notice.title, TITLE_CHARACTERS),
            escape_markup(clip(notice.body, BODY_CHARACTERS))
            if markup
            else clip(notice.body, BODY_CHARACTERS),
            buttons=tuple(
                foreign.Button(action.label, self._follower(action)) for action in notice.actions
            ),
            on_clicked=self._follower(first) if first else None,
            on_dispatched=lambda: sent.append(True),
        )
        await self._service.send_notification(message)
        # The library reports a failure in its log only; a popup that was taken calls back.
        if not sent:
            raise OSError("the desktop did not take it")
        there = await self._service.get_current_notifications()
        # Some desktops keep every popup on the screen: the oldest of ours make room. What a person
        # closed, or the desktop dropped, no longer counts.
        self._shown = deque(known for known in (*self._shown, message.identifier) if known in there)
        while len(self._shown) > ON_SCREEN:
            await self._service.clear(self._shown.popleft())

    def _follower(self, action: Action) -> Callable[[], object]:
        return lambda: self._follow(action.do, action.id)


def toasts() -> str:
    """What Windows says of our toasts: `shown`, `off` (by its user or administrator), or `refused`. Blocking."""
    try:
        foreign = importlib.import_module("winrt.windows.ui.notifications")
        manager = foreign.ToastNotificationManager.get_default()
        service = manager.create_toast_notifier_with_id("trayagent")
    except (ImportError, OSError, RuntimeError, AttributeError):
        return "refused"
    try:
        return "shown" if service.setting == foreign.NotificationSetting.ENABLED else "off"
    except OSError:  # nothing is known of a program that has shown none yet
        return "shown"


def choose_notifier(follow: Follow) -> DesktopNotifier:
    """Popups of this desktop; costs nothing before the first one."""
    return DesktopNotifier(follow)


async def _understands_markup(service: Service) -> bool:
    """Whether the body is read as markup; asked on Linux only, where servers differ."""
    await service.get_capabilities()
    interface: Any = getattr(service._backend, "interface", None)  # noqa: SLF001 – not told otherwise
    return interface is not None and "body-markup" in await interface.call_get_capabilities()


def escape_markup(text: str) -> str:
    """The text for a server that reads markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, limit: int) -> str:
    """The beginning of a long text."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def icon_file() -> Path | None:
    """Our icon, in an installed package or in a checkout."""
    package = Path(trayagent.__file__).parent
    places = (folder / "assets" / "icons" / "trayagent.png" for folder in (package, package.parent))
    return next((place for place in places if place.exists()), None)
