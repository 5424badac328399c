"""The icon in all its states and sizes, drawn from one description.

Every state is a *plate* with a *glyph* on it, in units of a 24 × 24 square. In colour the glyph is
white; as a macOS template the plate is opaque and the glyph is cut out. The shapes differ, so that
no state depends on its colour. `python -m trayagent.desktop.tray.icons DIR` writes the asset files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from PIL import Image, ImageChops, ImageDraw

from trayagent.desktop.tray.menu import SHAPES, Face, Shape

Theme = Literal["any", "light", "dark", "template"]
"""The panel's colour: unknown, light, dark; or a macOS template image."""

SIZES: Final = (16, 22, 24, 32, 48, 64)
PANEL_SIZES: Final = (16, 22, 24, 32, 48)
"""What panels ask for; every size more is sent over the bus at each change."""

# Pillow draws without smooth edges: each mask is drawn so many times as large, then reduced.
GRID: Final = 24
OVERSAMPLING: Final = 8

Colour = tuple[int, int, int]
Points = tuple[tuple[float, float], ...]

WHITE: Final[Colour] = (255, 255, 255)
PLATES: Final[dict[Shape, dict[str, Colour]]] = {
    "idle": {"any": (18, 140, 122), "light": (11, 117, 102), "dark": (38, 166, 146)},
    "active": {"any": (18, 140, 122), "light": (11, 117, 102), "dark": (38, 166, 146)},
    "paused": {"any": (190, 122, 12), "light": (160, 98, 0), "dark": (214, 145, 32)},
    "error": {"any": (208, 56, 46), "light": (186, 36, 28), "dark": (232, 82, 70)},
    "offline": {"any": (128, 140, 156), "light": (92, 104, 120), "dark": (168, 178, 192)},
}


class Box(NamedTuple):
    """A rounded rectangle from (x0, y0) to (x1, y1)."""

    x0: float
    y0: float
    x1: float
    y1: float
    radius: float = 0

    def draw(self, on: ImageDraw.ImageDraw, scale: float, ink: int = 255) -> None:
        corners = (self.x0 * scale, self.y0 * scale, self.x1 * scale - 1, self.y1 * scale - 1)
        on.rounded_rectangle(corners, self.radius * scale, fill=ink)


class Stroke(NamedTuple):
    """A line through points with round ends and joints."""

    points: Points
    width: float

    def draw(self, on: ImageDraw.ImageDraw, scale: float, ink: int = 255) -> None:
        dots = [(x * scale, y * scale) for x, y in self.points]
        on.line(dots, fill=ink, width=round(self.width * scale))
        radius = self.width * scale / 2
        for x, y in dots:
            on.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


class Arc(NamedTuple):
    """A part of a ring around the middle, clockwise from the top; `radius` is its middle line."""

    radius: float
    width: float
    percent: float = 100

    def draw(self, on: ImageDraw.ImageDraw, scale: float, ink: int = 255) -> None:
        outer = self.radius + self.width / 2
        corners = (
            (GRID / 2 - outer) * scale,
            (GRID / 2 - outer) * scale,
            (GRID / 2 + outer) * scale,
            (GRID / 2 + outer) * scale,
        )
        # Pillow's angles begin at three o'clock and run clockwise: the top is at -90 degrees.
        on.arc(corners, -90, -90 + 3.6 * self.percent, fill=ink, width=round(self.width * scale))


class Solid(NamedTuple):
    """A polygon with rounded corners."""

    points: Points
    radius: float

    def draw(self, on: ImageDraw.ImageDraw, scale: float, ink: int = 255) -> None:
        # The corners of a polygon are sharp; a thick line around it makes them round.
        on.polygon([(x * scale, y * scale) for x, y in self.points], fill=ink)
        Stroke((*self.points, self.points[0]), self.radius * 2).draw(on, scale, ink)


Part = Box | Stroke | Arc | Solid


class Drawing(NamedTuple):
    """What a state looks like."""

    plate: tuple[Part, ...]
    glyph: tuple[Part, ...] = ()
    faint: tuple[Part, ...] = ()
    """Glyph parts at a quarter of the strength: the track of the progress arc."""


SQUARE: Final = Box(1, 1, 23, 23, 5.5)
DISC: Final = Box(0.5, 0.5, 23.5, 23.5, 11.5)
TRIANGLE: Final = Solid(((12, 3.4), (20.9, 19.6), (3.1, 19.6)), 2.4)

DRAWINGS: Final[dict[Shape, Drawing]] = {
    "idle": Drawing(
        (SQUARE,),
        (
            Stroke(((12, 5.2), (12, 13.4)), 2.4),
            Stroke(((8.2, 10), (12, 13.8), (15.8, 10)), 2.4),
            Stroke(((5.6, 14.6), (5.6, 18.4), (18.4, 18.4), (18.4, 14.6)), 2.4),
        ),
    ),
    "active": Drawing(
        (DISC,),
        (Stroke(((12, 7.2), (12, 15.6)), 2.6), Stroke(((8.2, 12.2), (12, 16), (15.8, 12.2)), 2.6)),
        (Arc(9.0, 2.2),),
    ),
    "paused": Drawing((SQUARE,), (Box(7, 6.2, 10.4, 17.8, 0.9), Box(13.6, 6.2, 17, 17.8, 0.9))),
    "error": Drawing(
        (TRIANGLE,), (Stroke(((12, 8.4), (12, 13.6)), 2.6), Stroke(((12, 17.9), (12, 18)), 2.8))
    ),
    "offline": Drawing((Arc(9.6, 2.8), Stroke(((5.4, 18.6), (18.6, 5.4)), 2.8))),
}


def draw(face: Face, size: int, theme: Theme = "any") -> Image.Image:
    """The icon, `size` pixels wide and high, RGBA."""
    drawing = DRAWINGS[face.shape]
    glyph = drawing.glyph
    if face.shape == "active" and face.progress:
        glyph = (*glyph, Arc(9.0, 2.2, face.progress))
    plate, ink, faint = (_mask(parts, size) for parts in (drawing.plate, glyph, drawing.faint))
    # Where both lie on each other, the stronger one shows: the arc's part that is done, over its track.
    ink = ImageChops.lighter(ink, faint.point(lambda v: v // 4))
    if theme == "template":
        image = Image.new("RGB", (size, size))
        # macOS takes the shape alone, and paints it in the colour of its menu bar.
        image.putalpha(ImageChops.subtract(plate, ink))
        return image
    image = Image.new("RGB", (size, size), PLATES[face.shape][theme])
    image.paste(WHITE, mask=ink)
    image.putalpha(plate)
    return image


def _mask(parts: tuple[Part, ...], size: int) -> Image.Image:
    """How much of each pixel the parts cover, 0–255."""
    large = Image.new("L", (size * OVERSAMPLING, size * OVERSAMPLING), 0)
    on = ImageDraw.Draw(large)
    for part in parts:
        part.draw(on, size * OVERSAMPLING / GRID)
    return large.reduce(OVERSAMPLING)


def family(face: Face, theme: Theme = "any") -> tuple[Image.Image, ...]:
    """The icon in the sizes that panels ask for, each drawn for its size."""
    return tuple(draw(face, size, theme) for size in PANEL_SIZES)


def write_assets(folder: Path) -> Iterator[Path]:
    """Write `.png`, `.ico` and `.icns` into `folder`; yields what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    for shape in SHAPES:
        face = Face(shape, 60 if shape == "active" else 0)
        for size in SIZES:
            yield _save(draw(face, size), folder / f"{shape}-{size}.png")
        yield _save(draw(face, 44, "template"), folder / f"{shape}-template-44.png")
    app = Face("idle")
    yield _save(draw(app, 512), folder / "trayagent.png")
    large = draw(app, 256)
    large.save(
        folder / "trayagent.ico",
        append_images=[draw(app, s) for s in (16, 20, 24, 32, 48, 64)],
        sizes=[(s, s) for s in (16, 20, 24, 32, 48, 64, 256)],
    )
    yield folder / "trayagent.ico"
    draw(app, 1024).save(
        folder / "trayagent.icns", append_images=[draw(app, s) for s in (32, 64, 128, 256, 512)]
    )
    yield folder / "trayagent.icns"


def _save(image: Image.Image, path: Path) -> Path:
    image.save(path, optimize=True)
    return path


if __name__ == "__main__":
    sys.stdout.writelines(f"{written}\n" for written in write_assets(Path(sys.argv[1])))
