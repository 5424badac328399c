"""Batches: downloads that were asked for together, and the report about them."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.downloads import Batch

routes = Routes()


@routes.add(
    "GET",
    "/api/v1/batches",
    who="owner",
    query=schemas.PageQuery,
    answers={200: schemas.BatchPage},
)
async def list_batches(request: HookRequest) -> Reply:
    """List batches, newest first."""
    query = request.query(schemas.PageQuery)
    page, more = await request.agent.queries.batches(limit=query.limit, after=query.after)
    return Reply(200, schemas.BatchPage(tuple(page), more))


@routes.add(
    "GET",
    "/api/v1/batches/{id}",
    who="owner",
    query=schemas.EntriesQuery,
    answers={200: schemas.BatchReport},
)
async def get_batch(request: HookRequest) -> Reply:
    """A batch: counts, files, report."""
    query = request.query(schemas.EntriesQuery)
    batch = await request.agent.queries.batch(request.params["id"])
    lines = await request.agent.queries.entries(batch.id, limit=query.limit, after=query.after)
    # A list of the drop folder is named by its path, and its report lies beside it; a batch of
    # another way in has a name at most.
    is_filed = batch.list and Path(batch.list).is_absolute()
    report = schemas.BatchReport(
        **asdict(batch),
        lines=tuple(lines),
        files=tuple(line.path for line in lines if line.path),
        report=f"{batch.list}.report.json" if is_filed else None,
        next=lines[-1].line if len(lines) == query.limit else None,
    )
    return Reply(200, report)


@routes.add(
    "POST",
    "/api/v1/batches/{id}/undo",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: Batch},
)
async def undo_batch(request: HookRequest) -> Reply:
    """Cancel the rest of a batch, and put what arrived into the trash."""
    request.json(schemas.Empty)
    return Reply(200, await request.agent.undo.take_back(request.params["id"]))


@routes.add(
    "POST",
    "/api/v1/batches/{id}/stop",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: Batch},
)
async def stop_batch(request: HookRequest) -> Reply:
    """Cancel the rest of a batch; what arrived stays."""
    request.json(schemas.Empty)
    id = request.params["id"]
    # Raises for a batch that does not exist: to cancel nothing of it would look like success.
    await request.agent.queries.batch(id)
    await request.agent.queue.cancel_batch(id)
    return Reply(200, await request.agent.queries.batch(id))


@routes.add(
    "POST",
    "/api/v1/batches/{id}/retry",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: Batch},
)
async def retry_batch(request: HookRequest) -> Reply:
    """Try again what failed of a batch."""
    request.json(schemas.Empty)
    await request.agent.queue.retry_batch(request.params["id"])
    return Reply(200, await request.agent.queries.batch(request.params["id"]))
