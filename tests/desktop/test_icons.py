"""Icon and tooltip say the state by shape and in words; every picture is drawn from one description."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image, ImageChops, ImageStat

from tests.desktop import samples
from trayagent.desktop.tray import icons
from trayagent.desktop.tray.menu import SHAPES, Face, Shape, icon_state, tooltip
from trayagent.desktop.tray.snapshot import Snapshot, SourceView
from trayagent.model.status import Board, Status

ASSETS = Path(__file__).parents[2] / "assets" / "icons"
LIGHT, DARK = (240, 240, 240), (30, 32, 36)


@pytest.mark.parametrize(
    ("snapshot", "face", "says"),
    [
        (samples.IDLE, Face("idle"), "trayagent — Idle"),
        (samples.STARTING, Face("offline"), "trayagent — Starting…"),
        (samples.FAILED, Face("error"), "trayagent — Idle · 2 failed"),
        (
            samples.BUSY,
            Face("active", 10),
            "trayagent — 3 active · 12.4 MB/s · 3 waiting · 10 % done · 1 failed",
        ),
        (
            replace(samples.IDLE, sources=(SourceView("flow", syncing=True, seen=7),)),
            Face("active"),
            "trayagent — Listing flow: 7 items",
        ),
        (
            replace(samples.BUSY, board=Board(Status(active=2, paused=True))),
            Face("paused"),
            "trayagent — Paused",
        ),
    ],
)
def test_every_state_has_a_face_and_words(snapshot: Snapshot, face: Face, says: str) -> None:
    assert icon_state(snapshot) == face
    assert tooltip(snapshot) == says


def test_progress_moves_in_steps_of_five() -> None:
    def face(received: int) -> Face:
        one = samples.download("x", size=1000, received=received)
        return icon_state(replace(samples.IDLE, board=samples.active(one)))

    assert [face(r).progress for r in (0, 49, 50, 549, 1000, 2000)] == [0, 0, 5, 50, 100, 100]


def on(picture: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    """The picture as a panel of that colour shows it."""
    panel = Image.new("RGBA", picture.size, (*ground, 255))
    panel.alpha_composite(picture)
    return panel.convert("L")


def difference(a: Image.Image, b: Image.Image) -> float:
    """How much of the picture differs, 0–1."""
    return ImageStat.Stat(ImageChops.difference(a, b)).mean[0] / 255


@pytest.mark.parametrize("size", [16, 22])
def test_states_differ_by_shape_without_any_colour(size: int) -> None:
    shapes = {s: icons.draw(Face(s), size, "template").getchannel("A") for s in SHAPES}
    for one, other in itertools.combinations(SHAPES, 2):
        assert difference(shapes[one], shapes[other]) > 0.08, (one, other)


@pytest.mark.parametrize("ground", [LIGHT, DARK])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_state_stands_out_on_light_and_dark_panels(
    shape: Shape, ground: tuple[int, int, int]
) -> None:
    empty = Image.new("L", (22, 22), round(sum(ground) / 3))
    assert difference(on(icons.draw(Face(shape), 22), ground), empty) > 0.07


def test_the_arc_grows_with_every_step() -> None:
    strips = [icons.draw(Face("active", p), 22).convert("L") for p in range(0, 101, 5)]
    assert all(difference(a, b) > 0.002 for a, b in itertools.pairwise(strips))


def test_a_template_is_black_with_transparency() -> None:
    picture = icons.draw(Face("active", 40), 44, "template")
    assert picture.size == (44, 44)
    assert picture.convert("RGB").getcolors() == [(44 * 44, (0, 0, 0))]
    assert picture.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("size", icons.SIZES)
def test_pictures_are_square_and_reach_their_edges_softly(size: int) -> None:
    for shape in SHAPES:
        picture = icons.draw(Face(shape, 50), size)
        assert (picture.mode, picture.size) == ("RGBA", (size, size))
        assert picture.getchannel("A").getpixel((0, 0)) == 0


def test_the_committed_files_are_what_the_description_draws(tmp_path: Path) -> None:
    written = list(icons.write_assets(tmp_path))
    assert sorted(p.name for p in written) == sorted(p.name for p in ASSETS.iterdir())
    for fresh in written:
        with Image.open(fresh) as new, Image.open(ASSETS / fresh.name) as old:
            assert new.size == old.size
            assert difference(new.convert("L"), old.convert("L")) < 0.002, fresh.name
    with Image.open(ASSETS / "trayagent.ico") as ico:
        assert {16, 20, 24, 32, 48, 64, 256} == {width for width, _ in ico.info["sizes"]}
