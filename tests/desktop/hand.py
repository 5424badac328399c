"""A person's eyes and hand: find the icon, open its menu, click a row."""

from __future__ import annotations

from PIL import Image, ImageChops

from tests.desktop.rig import Desktop, Window, until
from trayagent.desktop.tray.face import Shape
from trayagent.desktop.tray.icons import PLATES, Theme


def colour(shape: Shape, theme: Theme = "any") -> tuple[int, int, int]:
    return PLATES[shape][theme]


def icon(desktop: Desktop, shape: Shape = "idle", theme: Theme = "any") -> tuple[int, int]:
    """Where the icon is, once the panel has settled: five times in a row at the same place."""
    places: list[tuple[int, int] | None] = []

    def settled() -> tuple[int, int] | None:
        places.append(desktop.find(colour(shape, theme)))
        return places[-1] if places[-5:] == [places[-1]] * 5 else None

    return until(settled, f"the icon of {shape}")


def open_menu(desktop: Desktop, place: tuple[int, int]) -> Window:
    """The menu, drawn in full."""
    desktop.click(place, 3)
    window = until(desktop.menus, "the menu")[-1]
    until(lambda: len(desktop.bands(window)) > 5, "its rows")
    return desktop.menus()[-1]


def click_row(desktop: Desktop, window: Window, labels: list[str], label: str) -> None:
    """Click a row; `labels` are the rows from the top."""
    places = until(lambda: rows_of(desktop, window, len(labels)), f"{len(labels)} rows")
    desktop.click((window.x + 60, places[labels.index(label)]))


def rows_of(desktop: Desktop, window: Window, count: int) -> list[int] | None:
    """Where the rows are, once all of them are drawn."""
    rows = desktop.bands(window)
    return rows if len(rows) == count else None


def changed(desktop: Desktop, window: Window, before: Image.Image) -> Image.Image | None:
    """The picture of the menu, once it differs."""
    picture = desktop.screenshot(window)
    return picture if ImageChops.difference(picture, before).getbbox() else None
