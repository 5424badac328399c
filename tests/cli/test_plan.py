"""`plan` says line by line what a list would do, and does nothing."""

from pathlib import Path

from tests.cli.conftest import Run

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
        2: ("duplicate", ""),
        4: ("rejected", ""),
        6: ("download", str(downloads / "trip/b.jpg")),
    }
    assert plan["counts"] == {"download": 2, "duplicate": 1, "rejected": 1}
    assert sorted(home.rglob("*")) == before


def test_people_get_a_table_without_secrets(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(LIST)
    said = run("plan", str(listed))
    assert said.code == 0
    assert "the same as line 1" in said.out
    assert "secret" not in said.out
    assert "hidden" not in said.out
    assert "4 entries: 2 download, 1 duplicate, 1 rejected." in said.out


def test_what_is_no_list_is_2(run: Run, tmp_path: Path) -> None:
    assert run("plan", str(tmp_path / "none.txt")).code == 2
    assert run("plan", "film.mp4").code == 2
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert run("plan", str(broken), "--json").json["counts"] == {"rejected": 1}
