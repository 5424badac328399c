"""Sources and the library that they fill: list, add, sync, sign in."""

from __future__ import annotations

from typing import Any

import msgspec

from trayagent.hook import schemas
from trayagent.hook.request import HookRequest, Reply
from trayagent.hook.routing import Routes
from trayagent.model.errors import ConfigError, TrayagentError
from trayagent.model.library import Account, SourceInfo
from trayagent.model.settings import Config, SourceSettings
from trayagent.settings import rules, schema

routes = Routes()


@routes.add("GET", "/api/v1/sources", who="owner", answers={200: schemas.Sources})
async def list_sources(request: HookRequest) -> Reply:
    """All sources."""
    return Reply(200, schemas.Sources(tuple(await request.agent.library.sources())))


@routes.add(
    "POST",
    "/api/v1/sources",
    who="owner",
    body=schemas.NewSource,
    answers={200: schemas.Trial, 201: SourceInfo},
)
async def add_source(request: HookRequest) -> Reply:
    """Try a new source, or save it."""
    body = request.json(schemas.NewSource)
    library, live_settings = request.agent.library, request.agent.live_settings
    source = _checked_source(body.source, live_settings.config)
    if not body.save:
        try:
            account, first = await library.probe(source, body.secret or None)
        except TrayagentError as error:  # part of the answer: the wizard shows it beside the form
            fault = {"code": error.code, "message": error.message, "action": error.action}
            return Reply(200, schemas.Trial(None, (), fault))
        return Reply(200, schemas.Trial(account.account, tuple(first)))
    # Settings first: a secret belongs to a source that is there. A secret that does not open it
    # takes the source out of the settings again, so that the person can try once more. Both changes
    # start from the settings of their moment, since another one may come in between.
    await live_settings.revise(
        lambda settings: {"sources": [*map(_as_written, settings.sources), body.source]}
    )
    try:
        if body.secret:
            await library.sign_in(source.name, body.secret)
    except TrayagentError:
        await live_settings.revise(
            lambda settings: {
                "sources": [_as_written(one) for one in settings.sources if one.name != source.name]
            }
        )
        raise
    return Reply(201, await library.source(source.name))


@routes.add("GET", "/api/v1/sources/{name}", who="owner", answers={200: SourceInfo})
async def get_source(request: HookRequest) -> Reply:
    """One source."""
    return Reply(200, await request.agent.library.source(request.params["name"]))


@routes.add(
    "PATCH",
    "/api/v1/sources/{name}",
    who="owner",
    body=schemas.ChangedSource,
    answers={200: SourceInfo},
)
async def change_source(request: HookRequest) -> Reply:
    """Change a source's settings; its name and type stay."""
    name = request.params["name"]
    changes = request.json(schemas.ChangedSource).changes
    if fixed := {"name", "type"} & changes.keys():
        raise ConfigError([f"sources.{name}.{one} cannot be changed." for one in sorted(fixed)])
    await request.agent.library.source(name)

    def revise(settings: Config) -> dict[str, Any]:
        # The whole list is written back, since the file has it as one array of tables.
        written = [_as_written(one) for one in settings.sources]
        for one in written:
            if one["name"] == name:
                one.update(changes)
        return {
            "sources": [
                {key: value for key, value in one.items() if value is not None} for one in written
            ]
        }

    await request.agent.live_settings.revise(revise)
    request.agent.library.publish_change(name)
    return Reply(200, await request.agent.library.source(name))


@routes.add("DELETE", "/api/v1/sources/{name}", who="owner", answers={200: schemas.Done})
async def remove_source(request: HookRequest) -> Reply:
    """Take a source out of the settings, and forget its sign-in; its files stay."""
    name = request.params["name"]
    # The secrets first: nobody could name them once their source is gone.
    await request.agent.library.sign_out(name)
    await request.agent.live_settings.revise(
        lambda settings: {
            "sources": [_as_written(one) for one in settings.sources if one.name != name]
        }
    )
    request.agent.library.publish_change(name)
    return Reply(200, schemas.Done())


@routes.add(
    "POST",
    "/api/v1/source-examples",
    who="owner",
    body=schemas.ExampleWish,
    answers={200: schemas.Example},
)
async def get_example(request: HookRequest) -> Reply:
    """What the address of a json source answers, before anybody knows what its fields are."""
    body = request.json(schemas.ExampleWish)
    source = _checked_source(body.source, request.agent.live_settings.config)
    try:
        answer = await request.agent.library.example(source, body.secret or None)
    except TrayagentError as error:  # part of the answer, as for a trial
        fault = {"code": error.code, "message": error.message, "action": error.action}
        return Reply(200, schemas.Example(None, fault))
    return Reply(200, schemas.Example(answer))


@routes.add(
    "GET",
    "/api/v1/sources/{name}/items",
    who="owner",
    query=schemas.ItemsQuery,
    answers={200: schemas.ItemPage},
)
async def list_items(request: HookRequest) -> Reply:
    """A source's items."""
    query = request.query(schemas.ItemsQuery)
    page, more = await request.agent.library.items(
        request.params["name"],
        state=query.state,
        limit=query.limit,
        after=query.after,
        new=query.new,
    )
    return Reply(200, schemas.ItemPage(tuple(page), more))


@routes.add(
    "POST",
    "/api/v1/sources/{name}/sync",
    who="owner",
    body=schemas.SyncWish,
    is_body_optional=True,
    answers={202: schemas.Run, 200: schemas.Run},
)
async def sync_source(request: HookRequest) -> Reply:
    """Sync a source."""
    body = request.json(schemas.SyncWish)
    run, running = await request.agent.library.sync(
        request.params["name"], list_only=body.list_only
    )
    # 200: it was at work already; 202: this request has begun it.
    return Reply(200 if running else 202, schemas.Run(run))


@routes.add(
    "POST",
    "/api/v1/sources/{name}/download",
    who="owner",
    body=schemas.Fetch,
    answers={202: schemas.Fetching, 422: schemas.Fetching},
)
async def download_items(request: HookRequest) -> Reply:
    """Fetch items by name."""
    body = request.json(schemas.Fetch)
    batch, unknown = await request.agent.library.download(
        request.params["name"], body.names, body.folder
    )
    # 422: none of the names is known, so nothing was begun.
    return Reply(422 if batch is None else 202, schemas.Fetching(batch, tuple(unknown)))


@routes.add(
    "POST", "/api/v1/sources/{name}/login", who="owner", body=schemas.Secret, answers={200: Account}
)
async def sign_in(request: HookRequest) -> Reply:
    """Give a source its cookie or token."""
    secret = request.json(schemas.Secret).secret
    return Reply(200, await request.agent.library.sign_in(request.params["name"], secret))


@routes.add(
    "POST",
    "/api/v1/sources/{name}/logout",
    who="owner",
    body=schemas.Empty,
    is_body_optional=True,
    answers={200: SourceInfo},
)
async def sign_out(request: HookRequest) -> Reply:
    """Forget a source's cookie or token."""
    request.json(schemas.Empty)
    await request.agent.library.sign_out(request.params["name"])
    return Reply(200, await request.agent.library.source(request.params["name"]))


@routes.add("GET", "/api/v1/sources/{name}/items/{id}/thumbnail", who="owner")
async def get_thumbnail(request: HookRequest) -> Reply:
    """A JPEG of at most 256 pixels."""
    # An album shows hundreds of them: the browser keeps each for a day.
    picture = await request.agent.library.thumbnail(request.params["name"], request.params["id"])
    return Reply(200, picture, "image/jpeg", {"Cache-Control": "private, max-age=86400"})


def _checked_source(given: dict[str, Any], settings: Config) -> SourceSettings:
    """The source as it would stand beside the others; raises ConfigError with all problems."""
    # Only problems of sources count: a folder that is gone does not keep a source from being added.
    problems: list[str] = []
    found: tuple[SourceSettings, ...] = schema.convert_array("sources", [given], problems)
    together = msgspec.structs.replace(settings, sources=(*settings.sources, *found))
    problems += [
        sentence for key, sentence in rules.broken_rules(together) if key.startswith("sources")
    ]
    if problems:
        raise ConfigError(problems)
    return found[0]


def _as_written(source: SourceSettings) -> dict[str, Any]:
    """A source as the settings file has it: only what differs from the defaults."""
    plain = SourceSettings(source.name)
    changed = {
        field: msgspec.to_builtins(value)
        for field, value in msgspec.structs.asdict(source).items()
        if value != getattr(plain, field)
    }
    return {"name": source.name, "type": source.type, **changed}
