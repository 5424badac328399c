"""`add`: hand URLs to the running agent, and wait for them if asked to."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from trayagent.cli.client import AgentClient, StreamEvent, path_segment
from trayagent.cli.exits import (
    Exit,
    InterruptedByUserError,
    MisuseError,
    NotRunningError,
    exit_of_states,
)
from trayagent.cli.options import agent, item_options, item_words, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.cli.progress import Bars
from trayagent.cli.wording import EMPTY_LIST, download_name, note_of
from trayagent.model.errors import NotFoundError
from trayagent.model.wording import show_count

MOST_REQUEST_BYTES: Final = 200_000
"""Of items in one request; the agent takes 256 KiB."""
MOST_SHOWN: Final = 20
"""Downloads of an answer that are listed; of more only the count is said."""
GO_ON: Final = "What was added goes on; to see it: trayagent list"


@click.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL... | -")
@click.option("--folder", metavar="PATH", help="Into this folder inside the downloads folder.")
@item_options
@click.option("--next", "first", is_flag=True, help="To the front of the queue.")
@click.option("--again", is_flag=True, help="Fetch it although we have it.")
@click.option("--wait", is_flag=True, help="Return when all have ended.")
@json_option
@pass_screen
def add(screen: Screen, /, urls: tuple[str, ...], first: bool, wait: bool, **words: Any) -> int:
    """Add downloads; - reads a list from standard input."""
    given = _read(urls)
    if not given:
        # As in the drop folder, an empty list is done at once, whether or not an agent runs.
        if screen.json:
            screen.data(_empty_receipt())
        else:
            screen.say(EMPTY_LIST)
        return Exit.OK
    common = item_words(words, len(given))
    common |= {"next": True} if first else {}
    items = [{**item, **common} for item in given]
    with agent() as running:
        try:
            receipt = _send(running, items)
            if wait:
                return _wait(screen, running, receipt)
        except KeyboardInterrupt:
            raise InterruptedByUserError(GO_ON) from None
    downloads, rejected = receipt["downloads"], receipt["rejected"]
    if screen.json:
        screen.data(receipt)
    elif len(downloads) > MOST_SHOWN:
        batches = receipt["batches"]
        place = f" as {batches[0]}" if len(batches) == 1 else f" in {len(batches)} batches"
        added = f"Added {show_count(len(downloads), 'download')}{place}."
        screen.say(f"{added} To watch: trayagent status --watch")
    else:
        screen.table(
            [
                [d["id"], "have it" if d["duplicate_of"] else d["state"], _path_or_name(d)]
                for d in downloads
            ],
            state=1,
        )
    _print_rejections(screen, rejected)
    if rejected:
        return Exit.SOME_FAILED if downloads else Exit.ERROR
    return Exit.OK


def _read(urls: Iterable[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for url in urls:
        if url == "-":
            found += _stdin()
        # Most who name a file mean the list in it. Nothing is guessed: it is said how to do that.
        # `os.path`, since Path.exists raises for what is too long for a name, and may be an address.
        elif "://" not in url and os.path.isfile(url):  # noqa: PTH113
            how = f"trayagent add - < {url}"
            if sys.platform == "win32":
                # PowerShell has no `<`, and what works there does not in cmd.
                how = f'cmd /c "{how}"'
            raise MisuseError(f"{url} is a file.", f"To add the list in it: {how}")
        else:
            found.append({"url": url})
    return found


def _stdin() -> Iterator[dict[str, Any]]:
    import msgspec

    from trayagent.cli.lists import read_list

    for line in read_list("-"):
        if line.item is not None:
            item: dict[str, Any] = msgspec.to_builtins(line.item)
            yield item
        elif line.error is not None:
            # The agent says what is wrong with it, in the same receipt as everything else.
            yield {"url": line.url or f"line {line.number}"}


def _send(running: AgentClient, items: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the items, in as many requests as they need; one receipt for all."""
    whole = _empty_receipt()
    offset = 0
    for part in _parts(items):
        # One item goes as itself: it becomes a download without a batch of one around it.
        receipt = running.add({"items": part} if len(items) > 1 else part[0])
        whole["batches"] += [receipt["batch"]] if receipt["batch"] else []
        whole["downloads"] += receipt["downloads"]
        # The agent counts within a request, a person within the list.
        whole["rejected"] += [{**r, "index": r["index"] + offset} for r in receipt["rejected"]]
        offset += len(part)
    whole["batch"] = whole["batches"][0] if whole["batches"] else None
    return whole


def _empty_receipt() -> dict[str, Any]:
    return {"batch": None, "batches": [], "downloads": [], "rejected": []}


def _parts(items: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    used = 0
    for item in items:
        length = len(json.dumps(item)) + 2  # and a comma with its blank
        if part and used + length > MOST_REQUEST_BYTES:
            yield part
            part, used = [], 0
        part.append(item)
        used += length
    yield part


def _wait(screen: Screen, running: AgentClient, receipt: dict[str, Any]) -> int:
    from trayagent.cli.progress import bars

    ids = [d["id"] for d in receipt["downloads"]]
    with bars(screen) as shown:
        ended = follow(running, ids, shown)
    results = [{**ended[d["id"]], "duplicate_of": d["duplicate_of"]} for d in receipt["downloads"]]
    if screen.json:
        screen.data({**receipt, "downloads": results})
    else:
        screen.table(
            [[d["id"], d["state"], _path_or_name(d), note_of(d)] for d in results], state=1
        )
    _print_rejections(screen, receipt["rejected"])
    return exit_of_states([d["state"] for d in results] + ["rejected"] * len(receipt["rejected"]))


def _path_or_name(download: dict[str, Any]) -> str:
    if download["state"] == "completed" and download.get("path"):
        return str(download["path"])
    return download_name(download)


def _print_rejections(screen: Screen, rejected: list[dict[str, Any]]) -> None:
    if screen.json:
        return
    for refusal in rejected[:MOST_SHOWN]:
        screen.warn(f"{refusal['url'][:200]}: {refusal['message']}")
    if len(rejected) > MOST_SHOWN:
        screen.warn(f"… and {len(rejected) - MOST_SHOWN:,} more.")


SETTLED_STATES: Final = frozenset({"completed", "failed", "cancelled", "removed"})
RECONNECT_SECONDS: Final = 0.2
"""Between the end of one stream of events and the next."""


def follow(agent: AgentClient, ids: Iterable[str], bars: Bars) -> dict[str, dict[str, Any]]:
    """Return when every download has settled: id -> how it ended.

    Raises NotRunningError when the agent goes away; it keeps the downloads.
    """
    follower = _Follower(agent, list(ids), bars)
    try:
        while follower.pending:
            with agent.events() as events:
                # Read the states after the stream is open: what changes from here on is an event.
                follower.look()
                follower.listen(events)
            if follower.pending:
                time.sleep(RECONNECT_SECONDS)
    except NotRunningError as error:
        raise NotRunningError(
            "The agent went away; it keeps the downloads and goes on when it runs again."
        ) from error
    return follower.ended


class _Follower:
    """Which downloads have not settled yet, by what the agent says of them."""

    def __init__(self, agent: AgentClient, ids: list[str], bars: Bars) -> None:
        self._agent = agent
        self._bars = bars
        self.pending = dict.fromkeys(ids)
        self.ended: dict[str, dict[str, Any]] = {}

    def look(self) -> None:
        """Ask how each stands."""
        for id in list(self.pending):
            try:
                self._see(self._agent.get(f"downloads/{path_segment(id)}"))
            except NotFoundError:
                self._settle({"id": id, "state": "removed", "url": ""})

    def listen(self, events: Iterator[StreamEvent]) -> None:
        """Follow the events until all have settled, the stream ends or falls silent."""
        while self.pending:
            try:
                event = next(events, None)
            except TimeoutError:
                return
            # In these cases the states are read anew:
            # 1. the stream ended
            # 2. the agent dropped events that we were too slow for
            # 3. a batch was taken back: of a large one its downloads say nothing themselves
            if event is None or event.name == "reset":
                return
            if event.name == "batch.finished" and event.data["undone_at"] is not None:
                return
            if event.name == "download.progress":
                self._bars.show_progress(
                    event.data["id"], event.data["received"], event.data["size"]
                )
            elif event.name == "download.removed" and event.data["id"] in self.pending:
                self._settle({**event.data, "state": "removed"})
            elif event.name.startswith("download.") and event.data["id"] in self.pending:
                self._see(event.data)

    def _see(self, download: dict[str, Any]) -> None:
        self._bars.show(download)
        if download["state"] in SETTLED_STATES:
            self._settle(download)

    def _settle(self, download: dict[str, Any]) -> None:
        self.pending.pop(download["id"], None)
        self.ended[download["id"]] = download
