"""Where files of a type or a site go when nobody named a folder."""

from pathlib import Path

import pytest

from trayagent.model.folder_rules import FolderRules, folder_for_name
from trayagent.model.settings import FolderSettings

DOWNLOADS = Path("/home/me/Downloads")
RULES = FolderRules.of(
    FolderSettings(
        video="Videos", image="/srv/pictures", sites={"Example.com": "Shows", "a.example.com": "A"}
    ),
    DOWNLOADS,
)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("film.MP4", DOWNLOADS / "Videos"),
        ("photo.jpg", Path("/srv/pictures")),
        ("report.pdf", DOWNLOADS),
        ("mp4", DOWNLOADS),
    ],
)
def test_type(name: str, folder: Path) -> None:
    assert folder_for_name(name, RULES.by_type, DOWNLOADS) == folder


@pytest.mark.parametrize(
    ("host", "folder"),
    [
        ("example.com", DOWNLOADS / "Shows"),
        ("www.EXAMPLE.com", DOWNLOADS / "Shows"),
        ("b.a.example.com", DOWNLOADS / "A"),
        ("notexample.com", None),
        ("com", None),
    ],
)
def test_site(host: str, folder: Path | None) -> None:
    assert RULES.for_site(host) == folder
