"""A person's eyes and hand: find the icon, open its menu, click a row."""

from __future__ import annotations

from PIL import Image, ImageChops

from tests.desktop.rig import Desktop, Window, until
from trayagent.desktop.tray.face import Shape
from trayagent.desktop.tray.icons import PLATES, Theme


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
    """The menu of the icon, as large as it will be."""
    desktop.click(place, 3)
    return until(lambda: still(desktop, 6), "the menu")[0]


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


def click_row(desktop: Desktop, labels: list[str], label: str) -> None:
    """Click a row of the topmost menu; `labels` are its rows from the top."""
    window, rows = until(lambda: still(desktop, len(labels), exactly=True), f"{len(labels)} rows")
    desktop.click((window.x + 60, rows[labels.index(label)]))


def changed(desktop: Desktop, window: Window, before: Image.Image) -> Image.Image | None:
    """The picture of the menu, once it differs."""
    picture = desktop.screenshot(window)
    return picture if ImageChops.difference(picture, before).getbbox() else None
