"""Batches: what was asked for together, and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import asdict

from trayagent.hook import words
from trayagent.hook.call import Call, Reply, decode
from trayagent.hook.routes import Route
from trayagent.model.batch import Batch

_PATH: Final = "/api/v1/batches"


async def listing(call: Call) -> Reply:
    """A page of batches, newest first."""
    asked = call.query(words.PageQuery)
    page, more = await call.agent.queries.batches(limit=asked.limit, after=asked.after)
    return Reply(200, words.BatchPage(tuple(page), more))


async def one(call: Call) -> Reply:
    """A batch with its report, by line."""
    asked = call.query(words.EntriesQuery)
    batch = await call.agent.queries.batch(call.params["id"])
    lines = await call.agent.queries.entries(batch.id, limit=asked.limit, after=asked.after)
    more = lines[-1].line if len(lines) == asked.limit else None
    report = words.BatchReport(
        **asdict(batch),
        lines=tuple(lines),
        files=tuple(line.path for line in lines if line.path),
        report=f"{batch.list}.report.json"
        if batch.list and Path(batch.list).is_absolute()
        else None,
        next=more,
    )
    return Reply(200, report)


async def undo(call: Call) -> Reply:
    """Cancel what is still to come; what arrived goes to the trash."""
    decode(call.body or b"{}", words.Empty)
    return Reply(200, await call.agent.undo.batch(call.params["id"]))


ROUTES: Final = (
    Route(
        "GET",
        _PATH,
        listing,
        "owner",
        "List batches, newest first.",
        query=words.PageQuery,
        gives={200: words.BatchPage},
    ),
    Route(
        "GET",
        f"{_PATH}/{{id}}",
        one,
        "owner",
        "A batch: counts, files, report.",
        query=words.EntriesQuery,
        gives={200: words.BatchReport},
    ),
    Route(
        "POST",
        f"{_PATH}/{{id}}/undo",
        undo,
        "owner",
        "Cancel the rest of a batch, and put what arrived into the trash.",
        takes=words.Empty,
        bare=True,
        gives={200: Batch},
    ),
)
