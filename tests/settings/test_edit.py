"""A change keeps the user's comments, is checked before it is written, and replaces the file in one step."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.links import link
from tests.privacy import is_private
from trayagent.model.errors import ConfigError
from trayagent.settings import Home, change, load, visible_values
from trayagent.settings.edit import apply_changes, replace_file
from trayagent.settings.load import parse_toml

MINE = """# my settings

[downloads]   # what I fetch
workers = 8   # plenty
# retries = 3

[hook]
port = 0

# the big one
[[sources]]
name = "flow"   # mine
every = "6h"

[[sources]]
name = "other"
"""


@pytest.fixture
def place(tmp_path: Path) -> Home:
    home = Home.under(tmp_path / "home")
    home.prepare()
    home.config.write_text(MINE, encoding="utf-8")
    return home


def test_a_change_keeps_every_comment(place: Home) -> None:
    config = change(
        place, {}, {"downloads": {"workers": 2, "speed_limit": "2MB"}, "drop": {"poll": True}}
    )
    text = place.config.read_text(encoding="utf-8")
    assert config.downloads.workers == 2
    assert load(place, {}) == config
    for comment in (
        "# my settings",
        "# what I fetch",
        "# plenty",
        "# retries = 3",
        "# the big one",
        "# mine",
    ):
        assert comment in text
    assert "workers = 2   # plenty" in text


def test_a_secret_in_a_list_on_one_line_survives_a_change(place: Home) -> None:
    """What is visible_values as hidden stays what it was, however the table is written."""
    text = 'sources = [{name = "mine", type = "flow", api_key = "SECRET"}]\n'
    after = parse_toml(
        apply_changes(text, {"sources": [{"name": "mine", "api_key": "(hidden)"}]}).encode()
    )
    assert after["sources"] == [{"name": "mine", "api_key": "SECRET"}]


def test_a_file_that_is_no_text_is_never_rewritten(place: Home) -> None:
    place.config.write_bytes(b'[downloads]\nfolder = "/caf\xe9"\n')
    with pytest.raises(ConfigError):
        change(place, {}, {"downloads": {"workers": 2}})
    assert place.config.read_bytes() == b'[downloads]\nfolder = "/caf\xe9"\n'


def test_nothing_to_change_changes_nothing(place: Home) -> None:
    before = place.config.stat()
    change(place, {}, {"downloads": {"workers": 8}})
    assert place.config.read_text(encoding="utf-8") == MINE
    assert place.config.stat().st_mtime_ns == before.st_mtime_ns


def test_none_brings_the_default_back(place: Home) -> None:
    assert change(place, {}, {"downloads": {"workers": None}}).downloads.workers == 4
    assert "workers" not in parse_toml(place.config.read_bytes())["downloads"]


def test_a_bad_change_is_told_and_nothing_written(place: Home) -> None:
    for changes in (
        {"downloads": {"workers": 99}},
        {"downloads": {"wrokers": 1}},
        {"downloads": 3},
        {"nonsense": {"x": 1}},
        {"sources": [{"name": "X Y"}]},
        {"sources": "flow"},
        {"drop": {"folder": str(place.downloads)}},
    ):
        with pytest.raises(ConfigError):
            change(place, {}, changes)
    assert place.config.read_text(encoding="utf-8") == MINE


@pytest.mark.parametrize(
    "text",
    [
        "downloads = { workers = 8 }   # short\n",
        "downloads.workers = 8   # dotted\n",
        '[downloads]\r\nworkers = 8\r\n[hook]\r\nport = 1\r\n[[sources]]\r\nname = "a"\r\n',
        'sources = [{ name = "a" }]\n[downloads]\nworkers = 8\n',
    ],
)
def test_other_ways_to_write_the_same_file(place: Home, text: str) -> None:
    place.config.write_bytes(text.encode())
    config = change(
        place, {}, {"downloads": {"workers": 2, "retries": 1}, "sources": [{"name": "b"}]}
    )
    assert (config.downloads.workers, config.downloads.retries) == (2, 1)
    assert [source.name for source in config.sources] == ["b"]
    assert load(place, {}) == config


def test_a_default_asked_for_leaves_no_empty_section(place: Home) -> None:
    change(place, {}, {"sites": {"quality": None}})
    assert place.config.read_text(encoding="utf-8") == MINE


def test_sources_are_replaced_as_a_list_and_keep_their_comments(place: Home) -> None:
    wanted = [{"name": "flow", "every": "2h"}, {"name": "new", "page_delay": "0"}]
    config = change(place, {}, {"sources": wanted})
    assert [source.name for source in config.sources] == ["flow", "new"]
    assert config.sources[0].every == "2h"
    assert "# mine" in place.config.read_text(encoding="utf-8")
    assert change(place, {}, {"sources": []}).sources == ()


def test_what_was_hidden_stays_as_it_is(place: Home) -> None:
    change(place, {}, {"sources": [{"name": "flow", "api_key": "SECRET"}]})
    sources = visible_values(load(place, {}))["sources"]
    assert change(place, {}, {"sources": sources}).sources[0].api_key == "SECRET"


def test_without_a_file_one_is_made(tmp_path: Path) -> None:
    home = Home.under(tmp_path / "new" / "home")
    assert change(home, {}, {"downloads": {"workers": 2}}).downloads.workers == 2
    assert parse_toml(home.config.read_bytes()) == {"downloads": {"workers": 2}}


def test_what_the_environment_says_still_wins(place: Home) -> None:
    environ = {"TRAYAGENT_DOWNLOADS__WORKERS": "3"}
    assert change(place, environ, {"downloads": {"workers": 2}}).downloads.workers == 3


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are a POSIX matter")
def test_the_file_is_private_whatever_the_umask(place: Home) -> None:
    place.config.chmod(0o644)
    before = os.umask(0)
    try:
        change(place, {}, {"downloads": {"workers": 2}})
    finally:
        os.umask(before)
    assert is_private(place.config)


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")
def test_a_linked_file_stays_a_link(place: Home, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config.toml"
    real.parent.mkdir()
    place.config.replace(real)
    link(place.config, real)
    change(place, {}, {"downloads": {"workers": 2}})
    assert place.config.is_symlink()
    assert parse_toml(real.read_bytes())["downloads"]["workers"] == 2


def test_a_failed_write_leaves_the_old_file_and_no_litter(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        change(place, {}, {"downloads": {"workers": 2}})
    assert place.config.read_text(encoding="utf-8") == MINE
    assert [path for path in place.data.iterdir() if path.is_file()] == [place.config]


def test_a_replaced_file_is_whole(tmp_path: Path) -> None:
    replace_file(tmp_path / "x", b"one")
    replace_file(tmp_path / "x", b"two")
    assert (tmp_path / "x").read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_broken_file_is_told(place: Home) -> None:
    place.config.write_text("x = [", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        change(place, {}, {"downloads": {"workers": 2}})


VALUES = st.one_of(
    st.integers(-(2**31), 2**31),
    st.booleans(),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"])),
    st.lists(st.text("abc:1")),
)


@given(st.dictionaries(st.sampled_from(["workers", "folder", "retries", "new"]), VALUES))
def test_what_is_written_is_read_back(changes: dict[str, object]) -> None:
    text = apply_changes(MINE, {"downloads": changes})
    wanted = parse_toml(MINE.encode())["downloads"] | changes
    assert parse_toml(text.encode())["downloads"] == wanted
    assert apply_changes(text, {"downloads": changes}) == text


def test_a_bad_value_is_refused_although_a_flag_covers_it_now(place: Home) -> None:
    """The flag is gone at the next start, and nothing would start any more."""
    before = place.config.read_text()
    with pytest.raises(ConfigError, match="port"):
        change(place, {}, {"hook": {"port": 70000}}, {"hook.port": "0"})
    with pytest.raises(ConfigError, match="workers"):
        change(place, {"TRAYAGENT_DOWNLOADS__WORKERS": "2"}, {"downloads": {"workers": 99}})
    assert place.config.read_text() == before
