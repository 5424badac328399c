"""The options that say what is wanted become the keys of an item."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Run
from trayagent.cli.client import AgentClient
from trayagent.cli.exits import MisuseError
from trayagent.cli.options import PAGE_ROWS, all_rows, first_rows, item_words
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


class Paged(AgentClient):
    """An agent with so many rows."""

    def __init__(self, count: int) -> None:
        super().__init__("http://127.0.0.1:1", "")
        self.count = count
        self.asked: list[tuple[str, str | int | None]] = []

    def get(self, path: str, **query: str | int | None) -> Any:
        start = int(query["after"] or 0)
        self.asked.append((path, query["state"]))
        page = [{"id": n} for n in range(start, min(start + PAGE_ROWS, self.count))]
        end = start + len(page)
        return {"items": page, "next": str(end) if end < self.count else None}


@pytest.mark.parametrize(
    ("count", "limit", "shown", "more", "pages"),
    [
        (0, 50, 0, False, 1),
        (50, 50, 50, False, 1),
        (51, 50, 50, True, 1),
        (3 * PAGE_ROWS, 50, 50, True, 1),
        (3 * PAGE_ROWS, PAGE_ROWS, PAGE_ROWS, True, 2),
        (2 * PAGE_ROWS + 1, 0, 2 * PAGE_ROWS + 1, False, 3),
    ],
)
def test_pages(count: int, limit: int, shown: int, more: bool, pages: int) -> None:
    running = Paged(count)
    found, rest = first_rows(all_rows(running, "sources/flow/items", state="missing"), limit)
    assert [row["id"] for row in found] == list(range(shown))
    assert rest is more
    assert running.asked == [("sources/flow/items", "missing")] * pages
