"""`trayagent extension` says where the extension is and what to do with it, and takes all of it back."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_it_says_where_everything_is(run: Run) -> None:
    said = run("extension", "--json")
    assert said.code == 0
    assert (Path(said.json["chromium"]) / "manifest.json").exists()
    assert Path(said.json["xpi"]).parent == Path(said.json["zip"]).parent
    hidden = [part for part in Path(said.json["folder"]).parts if part.startswith(".")]
    assert hidden == [], "file choosers and confined browsers do not look into hidden folders"


def test_people_read_the_steps_of_their_browser(run: Run) -> None:
    said = run("extension", "--no-open")
    for words in ("chrome://extensions", "about:debugging", "Pair now"):
        assert words in said.out
    assert "trayagent" in said.out.splitlines()[0]


def test_registering_unpacks_nothing_and_removing_leaves_nothing(run: Run) -> None:
    folder = Path(run("extension", "--json").json["folder"])
    assert run("extension", "--remove").code == 0
    assert not folder.exists()
    assert run("extension", "--register").code == 0
    assert not folder.exists()
    assert run("extension", "--remove").code == 0
