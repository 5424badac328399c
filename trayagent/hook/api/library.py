"""Sources and the library they fill; and checking what was saved."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from trayagent.hook import words
from trayagent.hook.call import Call, Reply, decode
from trayagent.hook.routes import Route
from trayagent.model import config
from trayagent.model.errors import ConfigError, TrayagentError
from trayagent.model.library import Account, SourceInfo, VerifyReport
from trayagent.settings import rules, schema

_PATH: Final = "/api/v1/sources"


async def listing(call: Call) -> Reply:
    """All sources."""
    return Reply(200, words.Sources(tuple(await call.agent.library.sources())))


async def one(call: Call) -> Reply:
    """One source."""
    return Reply(200, await call.agent.library.source(call.params["name"]))


async def items(call: Call) -> Reply:
    """A page of a source's items, newest first."""
    asked = call.query(words.ItemsQuery)
    page, more = await call.agent.library.items(
        call.params["name"], state=asked.state, limit=asked.limit, after=asked.after
    )
    return Reply(200, words.ItemPage(tuple(page), more))


async def sync(call: Call) -> Reply:
    """List all pages, then fetch what is missing."""
    asked = decode(call.body or b"{}", words.SyncWish)
    run, running = await call.agent.library.sync(call.params["name"], list_only=asked.list_only)
    return Reply(200 if running else 202, words.Run(run))


async def fetch(call: Call) -> Reply:
    """Fetch items by name."""
    asked = call.json(words.Fetch)
    batch, unknown = await call.agent.library.download(
        call.params["name"], asked.names, asked.folder
    )
    return Reply(422 if batch is None else 202, words.Fetching(batch, tuple(unknown)))


async def thumbnail(call: Call) -> Reply:
    """A small JPEG."""
    picture = await call.agent.library.thumbnail(call.params["name"], call.params["id"])
    return Reply(200, picture, "image/jpeg", {"Cache-Control": "private, max-age=86400"})


async def add(call: Call) -> Reply:
    """Try a source, or keep it: settings and secret."""
    asked = call.json(words.NewSource)
    source = _source(asked.source, call.agent.preferences.config)
    if not asked.save:
        return Reply(200, await _trial(call, source, asked.secret))
    await call.agent.preferences.revise(partial(_with, asked.source))
    try:
        if asked.secret:
            await call.agent.library.sign_in(source.name, asked.secret)
    except TrayagentError:
        await call.agent.preferences.revise(partial(_without, source.name))
        raise
    return Reply(201, await call.agent.library.source(source.name))


async def login(call: Call) -> Reply:
    """Give a source its secret."""
    secret = call.json(words.Secret).secret
    return Reply(200, await call.agent.library.sign_in(call.params["name"], secret))


async def logout(call: Call) -> Reply:
    """Forget a source's secret."""
    decode(call.body or b"{}", words.Empty)
    await call.agent.library.sign_out(call.params["name"])
    return Reply(200, await call.agent.library.source(call.params["name"]))


async def verify(call: Call) -> Reply:
    """Hash again what was saved."""
    asked = decode(call.body or b"{}", words.VerifyWish)
    return Reply(202, await call.agent.library.verify(repair=asked.repair))


async def report(call: Call) -> Reply:
    """How far the check is, or what it found."""
    return Reply(200, call.agent.library.verify_report)


async def stop(call: Call) -> Reply:
    """Stop the check; asking when none runs changes nothing."""
    call.agent.library.cancel_verify()
    return Reply(200, call.agent.library.verify_report)


async def _trial(call: Call, source: config.Source, secret: str) -> words.Trial:
    try:
        account, first = await call.agent.library.probe(source, secret or None)
    except TrayagentError as error:
        fault = {"code": error.code, "message": error.message, "action": error.action}
        return words.Trial(None, (), fault)
    return words.Trial(account.account, tuple(first))


def _source(given: dict[str, Any], settings: config.Config) -> config.Source:
    """The source as the settings would have it beside the others; raises ConfigError with all problems."""
    problems: list[str] = []
    found = schema.sources([given], problems)
    together = msgspec.structs.replace(settings, sources=(*settings.sources, *found))
    problems += [sentence for key, sentence in rules.broken(together) if key.startswith("sources")]
    if problems:
        raise ConfigError(problems)
    return found[0]


def _with(given: dict[str, Any], settings: config.Config) -> dict[str, Any]:
    return {"sources": [*map(_written, settings.sources), given]}


def _without(name: str, settings: config.Config) -> dict[str, Any]:
    return {"sources": [_written(source) for source in settings.sources if source.name != name]}


def _written(source: config.Source) -> dict[str, Any]:
    """A source as the settings file has it: only what differs from the defaults."""
    plain = config.Source(source.name)
    changed = {
        field: msgspec.to_builtins(value)
        for field, value in msgspec.structs.asdict(source).items()
        if value != getattr(plain, field)
    }
    return {"name": source.name, "type": source.type, **changed}


ROUTES: Final = (
    Route("GET", _PATH, listing, "owner", "All sources.", gives={200: words.Sources}),
    Route(
        "POST",
        _PATH,
        add,
        "owner",
        "Try a new source, or save it.",
        takes=words.NewSource,
        gives={200: words.Trial, 201: SourceInfo},
    ),
    Route("GET", f"{_PATH}/{{name}}", one, "owner", "One source.", gives={200: SourceInfo}),
    Route(
        "GET",
        f"{_PATH}/{{name}}/items",
        items,
        "owner",
        "A source's items.",
        query=words.ItemsQuery,
        gives={200: words.ItemPage},
    ),
    Route(
        "POST",
        f"{_PATH}/{{name}}/sync",
        sync,
        "owner",
        "Sync a source.",
        takes=words.SyncWish,
        bare=True,
        gives={202: words.Run, 200: words.Run},
    ),
    Route(
        "POST",
        f"{_PATH}/{{name}}/download",
        fetch,
        "owner",
        "Fetch items by name.",
        takes=words.Fetch,
        gives={202: words.Fetching, 422: words.Fetching},
    ),
    Route(
        "POST",
        f"{_PATH}/{{name}}/login",
        login,
        "owner",
        "Give a source its cookie or token.",
        takes=words.Secret,
        gives={200: Account},
    ),
    Route(
        "POST",
        f"{_PATH}/{{name}}/logout",
        logout,
        "owner",
        "Forget a source's cookie or token.",
        takes=words.Empty,
        bare=True,
        gives={200: SourceInfo},
    ),
    Route(
        "GET",
        f"{_PATH}/{{name}}/items/{{id}}/thumbnail",
        thumbnail,
        "owner",
        "A JPEG of at most 256 pixels.",
    ),
    Route(
        "POST",
        "/api/v1/verify",
        verify,
        "owner",
        "Hash again what was saved.",
        takes=words.VerifyWish,
        bare=True,
        gives={202: VerifyReport},
    ),
    Route(
        "GET",
        "/api/v1/verify",
        report,
        "owner",
        "What the last check found.",
        gives={200: VerifyReport},
    ),
    Route(
        "DELETE",
        "/api/v1/verify",
        stop,
        "owner",
        "Stop the check that runs.",
        gives={200: VerifyReport},
    ),
)
