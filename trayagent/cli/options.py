"""What commands have in common: the screen, the home, the agent, `--json`, and long listings."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from trayagent.cli.exits import MisuseError
from trayagent.cli.output import Screen
from trayagent.model.errors import TrayagentError
from trayagent.settings.home import Home

if TYPE_CHECKING:
    from trayagent.cli.client import AgentClient


Command = TypeVar("Command", bound=Callable[..., Any])

# The same for every URL, so one answer is enough; what a URL alone may be wrong in is the agent's.
_CHECKED_EARLY: Final = ("checksum", "quality", "subtitles")
KINDS: Final = ("auto", "video", "image", "audio", "file", "page")

pass_screen = click.make_pass_decorator(Screen)


def json_option(command: Command) -> Command:
    """`--json`: answers for programs on stdout, errors as JSON on stderr."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            ctx.find_object(Screen).json = True  # type: ignore[union-attr]

    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=remember, help="Print JSON."
    )
    return option(command)


def item_options(command: Command) -> Command:
    """What may be said of every URL, here and there: name, page, checksum, kind, headers."""
    # A decorator stands above those that it wraps, so `--help` shows the last of these first.
    for option in (
        click.option("--subtitles", metavar="LANGS", help="For video pages: en, or en,de."),
        click.option("--audio", is_flag=True, help="For video pages: only the sound."),
        click.option("--quality", metavar="Q", help="For video pages: best, 1080, 720, …"),
        click.option(
            "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Send it along."
        ),
        click.option(
            "--kind", type=click.Choice(KINDS), help="What it is; file: keep whatever comes."
        ),
        click.option("--checksum", metavar="sha-256=HEX", help="Fail unless the file has it."),
        click.option("--referer", metavar="URL", help="The page it was found on."),
        click.option("--filename", metavar="NAME", help="Save it under this name."),
    ):
        command = option(command)
    return command


def item_words(words: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The keys of an item that the options name. Raises MisuseError for what fits one of `count` URLs only."""
    found = {key: value for key, value in words.items() if value}
    if found.pop("audio", False):
        if "quality" in found:
            raise MisuseError("--audio and --quality do not go together.")
        found["quality"] = "audio"
    if "subtitles" in found:
        found["subtitles"] = tuple(filter(None, re.split(r"[,\s]+", found["subtitles"])))
    # Two files cannot have one name or one checksum; everything else may be said of many.
    for key in ("filename", "checksum"):
        if count > 1 and key in found:
            raise MisuseError(f"--{key} is for one URL.")
    if "headers" in found:
        pairs = [text.partition(":") for text in found["headers"]]
        for name, colon, value in pairs:
            if not colon or not name.strip():
                raise MisuseError(
                    f"{(name + colon + value)[:40]!r} is no header; write it like 'X-Key: value'."
                )
        found["headers"] = {name.strip(): value.strip() for name, _, value in pairs}
    _check_early(found)
    return found


def _check_early(found: Mapping[str, Any]) -> None:
    """Raise MisuseError for what every URL would be refused for: once, before anything is asked for."""
    said = {key: found[key] for key in _CHECKED_EARLY if key in found}
    if not said:
        return
    # Only now: these imports would slow down an `add` that has none of the options.
    from trayagent.model import validation
    from trayagent.model.downloads import Item

    if not re.fullmatch(r"[a-z0-9-]+=[0-9A-Fa-f]+", said.get("checksum", "md5=0")):
        raise MisuseError(
            "--checksum wants an algorithm and its hex digits: --checksum sha-256=HEX"
        )
    try:
        validation.validate(Item("http://localhost/", **said))
    except TrayagentError as error:
        raise MisuseError(error.message) from error


def home() -> Home:
    """Where this user's agent keeps its things."""
    return Home.find(os.environ)


@contextlib.contextmanager
def agent() -> Iterator[AgentClient]:
    """The running agent. Raises NotRunningError."""
    from trayagent.cli.client import AgentClient

    found = AgentClient.of(home())
    try:
        yield found
    finally:
        found.close()


PAGE_ROWS: Final = 500
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


def all_rows(running: AgentClient, path: str, **query: str | None) -> Iterator[dict[str, Any]]:
    """All rows of a listing, page by page; they stand under the last word of its path."""
    after: str | None = None
    while True:
        page = running.get(path, limit=PAGE_ROWS, after=after, **query)
        yield from page[path.rpartition("/")[2]]
        after = page["next"]
        if after is None:
            return


def first_rows(found: Iterable[dict[str, Any]], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """So many rows, 0 for all, and whether there are more."""
    # One row more is asked for than is shown: that tells whether there are more.
    taken = list(islice(found, min(limit + 1, sys.maxsize) if limit else None))
    return (taken[:limit], len(taken) > limit) if limit else (taken, False)
