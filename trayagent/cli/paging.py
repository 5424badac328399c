"""Long listings: the agent gives them in pages; people want the first so many, or all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import click

from trayagent.cli.client import Agent

Command = TypeVar("Command", bound=Callable[..., Any])

PAGE: Final = 500
"""Rows asked for at a time."""


def limit_option(command: Command) -> Command:
    """`--limit N`: how many rows to show; 0 for all."""
    option = click.option(
        "--limit",
        type=click.IntRange(min=0),
        metavar="N",
        default=50,
        show_default=True,
        help="How many; 0 for all.",
    )
    return option(command)


def rows(running: Agent, path: str, **query: str | None) -> Iterator[dict[str, Any]]:
    """All rows of a listing, page by page; they stand under the last word of its path."""
    after: str | None = None
    while True:
        page = running.get(path, limit=PAGE, after=after, **query)
        yield from page[path.rpartition("/")[2]]
        after = page["next"]
        if after is None:
            return


def first(found: Iterable[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """So many rows, 0 for all, and whether there are more."""
    taken = list(islice(found, limit + 1 if limit else None))
    return (taken[:limit], len(taken) > limit) if limit else (taken, False)
