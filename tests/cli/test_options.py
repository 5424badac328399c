"""The options that say what is wanted become the keys of an item."""

from __future__ import annotations

import pytest

from trayagent.cli.exits import MisuseError
from trayagent.cli.options import item_words
from trayagent.model.admit import admit
from trayagent.model.download import Item


def test_what_is_wanted_of_a_video_page() -> None:
    words = item_words({"subtitles": "en, pt-BR", "quality": "720", "referer": None}, 1)
    assert words == {"subtitles": ("en", "pt-BR"), "quality": "720"}
    assert admit(Item("https://e.example/watch", **words)).order.subtitles == ("en", "pt-BR")


def test_sound_alone_is_a_quality() -> None:
    assert item_words({"audio": True, "quality": None}, 1) == {"quality": "audio"}
    with pytest.raises(MisuseError, match="do not go together"):
        item_words({"audio": True, "quality": "720"}, 1)
