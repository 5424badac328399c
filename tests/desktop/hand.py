"""A person's eyes and hand: find the icon, open its menu, click a row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from typing import Final

from PIL import Image, ImageChops

from tests.desktop.rig import Desktop, Window, until
from trayagent.desktop.tray.icons import PLATES, Theme
from trayagent.desktop.tray.menu import Shape

ASIDE: Final = (5, 5)
"""A place where no icon and no menu is."""


def colour(shape: Shape = "idle", theme: Theme = "any") -> tuple[int, int, int]:
    return PLATES[shape][theme]


def icon(desktop: Desktop, shape: Shape = "idle", theme: Theme = "any") -> tuple[int, int]:
    """Where the icon is, once the panel has settled: five times in a row at the same place."""
    places: list[tuple[int, int] | None] = []

    def settled() -> tuple[int, int] | None:
        places.append(desktop.find(colour(shape, theme)))
        return places[-1] if places[-5:] == [places[-1]] * 5 else None

    return until(settled, f"the icon of {shape}")


def open_menu(desktop: Desktop, place: tuple[int, int]) -> Window:
    """The menu of the icon, as large as it will be.

    The hand leaves the icon at once: a panel that is slow to open the menu shows the tooltip of
    whatever is under the pointer, above the menu's lowest rows, and keeps it while the menu is open.
    """
    desktop.click(place, 3, then=ASIDE)
    return until(lambda: still(desktop, 6), "the menu", look=partial(sight, desktop))[0]


def still(
    desktop: Desktop, count: int, *, exactly: bool = False
) -> tuple[Window, list[int]] | None:
    """The topmost menu and its rows, once it has that many and neither moves nor grows."""
    menus = desktop.menus()
    if not menus:
        return None
    rows = desktop.bands(menus[-1])
    enough = len(rows) == count if exactly else len(rows) >= count
    same = enough and desktop.menus() == menus and desktop.bands(menus[-1]) == rows
    return (menus[-1], rows) if same else None


def click_row(desktop: Desktop, labels: Callable[[], list[str]], label: str) -> None:
    """Click a row of the topmost menu; `labels` asks for its rows, from the top.

    They are asked for at every look: a row may come or go until the hand is there.
    """

    def place() -> tuple[int, int] | None:
        wanted = labels()
        found = still(desktop, len(wanted), exactly=True)
        if found is None or labels() != wanted:
            return None
        return found[0].x + 60, found[1][wanted.index(label)]

    def look() -> str:
        return f"wanted {labels()}; {sight(desktop)}"

    desktop.click(until(place, f"the row {label!r} of a menu that stands still", look=look))


def sight(desktop: Desktop) -> str:
    """What is on the screen, for a failure that explains itself."""
    with tempfile.NamedTemporaryFile(prefix="desktop-", suffix=".png", delete=False) as file:
        desktop.screenshot().save(file, "png")
    menus = [f"{menu} with rows at {desktop.bands(menu)}" for menu in desktop.menus()]
    return f"menus: {menus}; pointer: {desktop.asked('getmouselocation')}; picture: {file.name}"


def changed(desktop: Desktop, window: Window, before: Image.Image) -> Image.Image | None:
    """The picture of the menu, once it differs."""
    picture = desktop.screenshot(window)
    return picture if ImageChops.difference(picture, before).getbbox() else None
