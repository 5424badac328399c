"""The options that say what is wanted become the keys of an item."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run
from trayagent.cli.exits import MisuseError
from trayagent.cli.options import item_words
from trayagent.model.downloads import Item
from trayagent.model.validation import validate


def test_what_is_wanted_of_a_video_page() -> None:
    words = item_words({"subtitles": "en, pt-BR", "quality": "720", "referer": None}, 1)
    assert words == {"subtitles": ("en", "pt-BR"), "quality": "720"}
    assert validate(Item("https://e.example/watch", **words)).order.subtitles == ("en", "pt-BR")


def test_sound_alone_is_a_quality() -> None:
    assert item_words({"audio": True, "quality": None}, 1) == {"quality": "audio"}
    with pytest.raises(MisuseError, match="do not go together"):
        item_words({"audio": True, "quality": "720"}, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"checksum": "foo"}, "sha-256=HEX"),
        ({"checksum": "sha-256=zz"}, "sha-256=HEX"),
        ({"checksum": "sha-256=ab"}, "as many hex digits"),
        ({"quality": "zzz"}, "a height like 1080"),
        ({"subtitles": "english!"}, "en or pt-BR"),
    ],
)
def test_what_no_url_could_have_is_misuse(words: dict[str, object], told: str) -> None:
    with pytest.raises(MisuseError, match=told):
        item_words(words, 1)


@pytest.mark.parametrize("command", ["add", "get"])
def test_misuse_is_2_before_anything_is_asked_for(run: Run, command: str) -> None:
    said = run(command, "http://h/x", "--checksum", "foo")
    assert (said.code, "regex" in said.err) == (2, False)
    assert run(command, "http://h/x", "--quality", "zzz").code == 2
