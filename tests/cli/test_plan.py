"""`plan` says line by line what a list would do, and does nothing."""

import asyncio
from contextlib import closing
from pathlib import Path

from tests.cli.conftest import Run
from trayagent.model.downloads import Item
from trayagent.model.transfer import Fetched
from trayagent.model.validation import validate
from trayagent.store import downloads, transitions
from trayagent.store.database import Database

LIST = """\
https://example.com/a/film.mp4
https://EXAMPLE.com:443/a/film.mp4#part
  out=other.mp4
file:///etc/passwd
[trip]
https://user:hidden@example.com/b.jpg?token=secret
"""


def test_every_line_has_a_fate(run: Run, home: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(LIST)
    before = sorted(home.rglob("*"))
    plan = run("plan", str(listed), "--json").json
    fates = {line["line"]: (line["outcome"], line["path"]) for line in plan["lines"]}
    downloads = home / "downloads"
    assert fates == {
        1: ("download", str(downloads / "film.mp4")),
        2: ("download", str(downloads / "film.mp4")),
        4: ("rejected", ""),
        6: ("download", str(downloads / "trip/b.jpg")),
    }
    assert plan["counts"] == {"download": 3, "rejected": 1}
    assert plan["lines"][1]["message"] == "the same as line 1"
    assert sorted(home.rglob("*")) == before


def test_people_get_a_table_without_secrets(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(LIST)
    said = run("plan", str(listed))
    assert said.code == 0
    assert "the same as line 1" in said.out
    assert "secret" not in said.out
    assert "hidden" not in said.out
    assert "4 entries: 3 download, 1 rejected." in said.out


def test_what_we_have_is_a_duplicate_and_what_is_on_its_way_is_shared(
    run: Run, home: Path, tmp_path: Path
) -> None:
    """In the words of a list's report: a line shares the outcome of what it repeats."""
    file = tmp_path / "had.bin"
    file.touch()
    with closing(Database.open(home / "trayagent.db")) as db:
        for name in ("had", "coming", "lost"):
            new = validate(Item(f"http://h/{name}"))
            rows = asyncio.run(db.run(downloads.insert, [new], via="cli", now=1.0))
            if name != "coming":
                path = file if name == "had" else tmp_path / "lost.bin"
                came = transitions.Completed(Fetched(path, 0))
                asyncio.run(db.run(transitions.release, rows[new.key]["n"], came, 2.0))
    listed = tmp_path / "list.txt"
    listed.write_text("http://h/had\nhttp://h/coming\nhttp://h/lost\n")
    lines = run("plan", str(listed), "--json").json["lines"]
    assert [line["outcome"] for line in lines] == ["duplicate", "download", "download"]
    assert str(file) in (lines[0]["path"] + lines[0]["message"])
    assert lines[1]["message"] == "d2 is on its way already"


def test_what_is_no_list_is_2(run: Run, tmp_path: Path) -> None:
    assert run("plan", str(tmp_path / "none.txt")).code == 2
    assert run("plan", "film.mp4").code == 2
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert run("plan", str(broken), "--json").json["counts"] == {"rejected": 1}
