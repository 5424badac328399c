"""The walks of docs/architecture.md: the files that one POST, one list and one sync meet, in order.

Each step says how the walk comes to it, and a test looks whether the code still does:

    imports   a file before it in the walk imports it
    handed    the file before it was given this part by `wiring` or `app`, which import it
    event     it hears of it from the bus
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

By = Literal["imports", "handed", "event"]


class Step(NamedTuple):
    """A file that a walk meets, below `trayagent/`."""

    file: str
    does: str
    by: By = "imports"


POST: Final = (
    Step("hook/connections.py", "takes the connection, gives it its deadlines", "handed"),
    Step("net/peer_user.py", "asks the system whose process is at the other end"),
    Step("hook/server.py", "receives the request, answers it, words what went wrong", "handed"),
    Step("hook/routing.py", "finds the handler of method and path"),
    Step("agent/access.py", "tells whose token it is"),
    Step("hook/gate.py", "judges the request by its facts: a table, top to bottom"),
    Step("hook/request.py", "reads body and query for the handler, by a schema"),
    Step("hook/api/downloads.py", "hands the items to the intake", "handed"),
    Step("agent/intake.py", "checks each item; one transaction; then announces, wakes the pool"),
    Step("model/validation.py", "says what is wrong with an item"),
    Step("model/urls.py", "brings an address into the one form by which it is known"),
    Step("store/database.py", "runs a transaction by its name"),
    Step("store/database_thread.py", "owns the one connection that writes"),
    Step("store/admission.py", "looks for the same address in flight or on the disk"),
    Step("store/downloads.py", "writes the row"),
    Step("agent/bus.py", "publishes `download.queued`; the hook answers 202"),
    Step("agent/queue/pool.py", "has the next downloads lined up", "handed"),
    Step("store/claims.py", "chooses the next rows, fairly by host"),
    Step(
        "agent/queue/lineup.py", "gives a free slot, in any thread, the first whose host has room"
    ),
    Step("agent/queue/job.py", "turns the row into a request and a target"),
    Step("agent/queue/video_pages.py", "knows whether the page engine is needed"),
    Step("transfer/transfer.py", "takes the request into the room of files", "handed"),
    Step("transfer/driver.py", "drives the attempt in the engine's thread while the disk is quick"),
    Step("transfer/attempt.py", "asks, looks, names, receives, verifies, publishes: in this order"),
    Step("net/request.py", "one request with its redirects, cookies and secrets"),
    Step("net/address_policy.py", "says which addresses may be reached"),
    Step("net/transport.py", "owns libcurl, every connection and the engine's thread"),
    Step("net/response.py", "judges the head of the answer"),
    Step("transfer/ranges.py", "decides whether kept bytes may be resumed"),
    Step("transfer/content.py", "says what the first bytes are, and whether that was promised"),
    Step("transfer/destination.py", "holds the name, the part file and its record"),
    Step("transfer/part_file.py", "is where the bytes lie until they are whole"),
    Step("transfer/finish.py", "verifies length, digest and container"),
    Step("transfer/settled.py", "writes down what has arrived, before the name exists"),
    Step("transfer/publish.py", "gives the file its final name, never another's"),
    Step("store/transitions.py", "saves what has begun and ended meanwhile, in one transaction"),
    Step("agent/announcer.py", "hears `download.completed`, waits a moment for others", "event"),
    Step("model/notices.py", "words the notice"),
    Step("desktop/notifier.py", "shows it", "handed"),
)
LIST: Final = (
    Step("agent/drops/folder.py", "sees the file, waits until nobody writes to it", "handed"),
    Step(
        "agent/drops/reader.py", "moves it to `working/` and enters its lines in chunks", "handed"
    ),
    Step("lists/__init__.py", "knows the dialect by the ending"),
    Step("lists/plain.py", "reads lines, options and headings into items"),
    Step("agent/intake.py", "checks each item, as it does for a POST"),
    Step("store/drop_lists.py", "one transaction: the lines and the position after them"),
    Step("store/admission.py", "enters each item once"),
    Step("store/batches.py", "counts what has an outcome: the last one finishes the batch"),
    Step("agent/drops/report.py", "writes the report and the retry list, files the list"),
)
SYNC: Final = (
    Step("hook/api/sources.py", "asks for a sync, as the tray and the clock do", "handed"),
    Step("agent/library/libraries.py", "all that is done with sources", "handed"),
    Step("agent/library/sources.py", "builds the source that the settings name"),
    Step("agent/library/sync.py", "one run: sign in, pages, what is missing, wait"),
    Step("sources/source.py", "says what every source can do"),
    Step("sources/flow.py", "reads a page, later resolves an item to an address", "handed"),
    Step("sources/api_client.py", "asks the service for JSON, within bounds"),
    Step("model/library.py", "decides from the trail of pages when the listing has ended"),
    Step("store/sync_runs.py", "one transaction: a page of items and the cursor after it"),
    Step("store/library.py", "holds what each item is: missing, present, gone"),
    Step("agent/library/missing_files.py", "adopts files that are here, queues the others"),
    Step("agent/intake.py", "enters them; from here on a sync is a queue of downloads"),
)
WALKS: Final = {
    "One POST, from the browser to a file and a notification": POST,
    "One list, from the drop folder to its report": LIST,
    "One sync, from the click to the queue": SYNC,
}


def walks() -> Iterator[str]:
    """The section of docs/architecture.md."""
    yield "## Three walks through the code"
    yield ""
    yield "Every file that is met on the way, each one once, in the order in which it is met."
    yield "The second and third go on as the first does, once their downloads are in the queue."
    for title, steps in WALKS.items():
        yield from ("", f"### {title}", "", "| | file | what it does here |", "|---|---|---|")
        for number, step in enumerate(steps, 1):
            how = {"imports": "", "handed": " (handed over)", "event": " (by event)"}[step.by]
            yield f"| {number} | `{step.file}` | {step.does}{how} |"
    yield ""
