"""A listing is read page by page, only as far as somebody wants it, and says whether there is more."""

from typing import Any

import pytest

from trayagent.cli.client import Agent
from trayagent.cli.options import PAGE, first, rows


class Paged(Agent):
    """An agent with so many rows."""

    def __init__(self, count: int) -> None:
        super().__init__("http://127.0.0.1:1", "")
        self.count = count
        self.asked: list[tuple[str, str | int | None]] = []

    def get(self, path: str, **query: str | int | None) -> Any:
        start = int(query["after"] or 0)
        self.asked.append((path, query["state"]))
        page = [{"id": n} for n in range(start, min(start + PAGE, self.count))]
        end = start + len(page)
        return {"items": page, "next": str(end) if end < self.count else None}


@pytest.mark.parametrize(
    ("count", "limit", "shown", "more", "pages"),
    [
        (0, 50, 0, False, 1),
        (50, 50, 50, False, 1),
        (51, 50, 50, True, 1),
        (3 * PAGE, 50, 50, True, 1),
        (3 * PAGE, PAGE, PAGE, True, 2),
        (2 * PAGE + 1, 0, 2 * PAGE + 1, False, 3),
    ],
)
def test_pages(count: int, limit: int, shown: int, more: bool, pages: int) -> None:
    running = Paged(count)
    found, rest = first(rows(running, "sources/flow/items", state="missing"), limit)
    assert [row["id"] for row in found] == list(range(shown))
    assert rest is more
    assert running.asked == [("sources/flow/items", "missing")] * pages
