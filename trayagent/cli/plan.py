"""`plan`: what a list would do, by the drop folder's own code, without doing it.

The database is only read, and also while no agent runs; the network is not asked.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trayagent.cli.exits import Exit
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.model.errors import TrayagentError
from trayagent.model.wording import show_count, show_counts

if TYPE_CHECKING:
    from trayagent.lists import ListEntry

MOST_SHOWN = 200
"""Lines shown to a person; a program gets all."""


@click.command()
@click.argument("file", metavar="FILE")
@json_option
@pass_screen
def plan(screen: Screen, file: str) -> int:
    """Say what a list would do, without doing it; - reads standard input."""
    from trayagent.cli.lists import read_list

    # All lines before the first is shown: columns fit the widest, and a list may repeat itself.
    planner = _Planner()
    lines = [planner.judge(line) for line in read_list(file)]
    counts = Counter(line["outcome"] for line in lines)
    if screen.json:
        screen.data({"list": file, "counts": counts, "lines": lines})
    else:
        screen.table(
            [
                [str(x["line"]), x["outcome"], x["message"] or x["path"], x["url"]]
                for x in lines[:MOST_SHOWN]
            ],
            head=["LINE", "WOULD BE", "WHERE OR WHY", "URL"],
            state=1,
        )
        if len(lines) > MOST_SHOWN:
            screen.say(
                f"… and {show_count(len(lines) - MOST_SHOWN, 'line')} more; all of them: --json"
            )
        entries = "1 entry" if len(lines) == 1 else f"{len(lines):,} entries"
        screen.say(f"{entries}: {show_counts(counts)}.")
    return Exit.OK


class _Planner:
    """Judges lines in order, as the drop folder would."""

    def __init__(self) -> None:
        from trayagent import settings

        place = home()
        self._folder = Path(settings.load(place, os.environ).downloads.folder)
        self._known = _Known(place.database)
        self._seen: dict[str, dict[str, Any]] = {}

    def judge(self, line: ListEntry) -> dict[str, Any]:
        """What becomes of one line, in the words of a list's report: `download`, `duplicate` or `rejected`.

        A line that repeats what is on its way shares its outcome: that is no duplicate.
        """
        from trayagent.model.urls import redact
        from trayagent.model.validation import validate

        if line.item is None:
            code, message = line.error or ("bad_url", "")
            return _outcome(line.number, redact(line.url), "rejected", message=message, code=code)
        try:
            new = validate(line.item)
        except TrayagentError as error:
            return _outcome(
                line.number,
                redact(line.item.url),
                "rejected",
                message=error.message,
                code=error.code,
            )
        url = redact(new.url)
        # The same address twice in a list is one download with two lines.
        if new.key in self._seen:
            first = self._seen[new.key]
            again = {**first, "line": line.number, "url": url}
            if first["outcome"] == "download":
                again["message"] = first["message"] or f"the same as line {first['line']}"
            return again
        outcome = self._judge_new(line, new, url)
        self._seen[new.key] = outcome
        return outcome

    def _judge_new(self, line: ListEntry, new: Any, url: str) -> dict[str, Any]:
        number = line.number
        # In the order in which an admission asks:
        # 1. on its way: the line shares that download
        # 2. here already, and not asked for anew: a duplicate
        # 3. else it would be fetched, to the place that is known before a server is asked
        if (id := self._known.in_flight(new.key)) is not None:
            message = f"{id} is on its way already"
            return _outcome(number, url, "download", message=message, notes=line.warnings)
        if not new.again and (path := self._known.had(new.key)) is not None:
            return _outcome(number, url, "duplicate", path=path, message=f"we have it: {path}")
        from trayagent.model import filenames

        name = new.order.filename or filenames.from_url(new.url)
        folder = self._folder / filenames.safe_folder(new.order.folder)
        place = folder / (filenames.safe(name) if name else "(named by the server)")
        return _outcome(number, url, "download", path=str(place), notes=line.warnings)


class _Known:
    """What the agent has or fetches already, looked up without disturbing it."""

    def __init__(self, database: Path) -> None:
        from trayagent.store.database import open_read_only

        self._conn = open_read_only(database)

    def in_flight(self, key: str) -> str | None:
        """The id of the download that fetches this address already."""
        from trayagent.store import downloads

        return None if self._conn is None else downloads.id_in_flight(self._conn, key)

    def had(self, key: str) -> str | None:
        """Where the file of this address is; None when it would be fetched."""
        from trayagent.store import downloads

        if self._conn is None:
            return None
        return downloads.path_of_saved(self._conn, key, os.path.exists)


def _outcome(
    number: int,
    url: str,
    outcome: str,
    *,
    path: str = "",
    message: str = "",
    code: str | None = None,
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {
        "line": number,
        "url": url,
        "outcome": outcome,
        "path": path,
        "code": code,
        "message": message,
        "notes": list(notes),
    }
