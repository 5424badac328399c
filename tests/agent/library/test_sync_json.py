"""A JSON library syncs like any other: whole, safe from its server's lies, and to an end."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.library.running_library import running_library
from tests.servers.json_library import TOKEN, JsonLibrary, body
from trayagent.model import library as paged
from trayagent.model.events import SyncEvent
from trayagent.model.settings import SourceSettings

INLINE = {"url": "{base}/items/{id}/original", "base64": "data.b64", "fallback": "file.signed_url"}


@pytest.fixture
def server() -> Iterator[JsonLibrary]:
    with JsonLibrary() as running:
        yield running


def shots(server: JsonLibrary, **more: Any) -> SourceSettings:
    settings: dict[str, Any] = {
        "base": server.base,
        "page_delay": "0",
        "list": {"url": "{base}/items", "query": {"cursor": "{cursor}"}},
        "page": {"items": "data.items", "next": "data.next"},
        "item": {
            "id": "id", "name": "file.name", "kind": "type", "created": "created_at", "size": "file.size",
            "sha256": "hash", "url": "file.url",
        },
        "auth": {"headers": {"Authorization": "Bearer {secret:token}"}},
    }  # fmt: skip
    return SourceSettings(**{"name": "shots", "type": "json", **settings, **more})


async def no_wait(seconds: float) -> None:
    """Back-off without the waiting."""


@pytest.mark.parametrize("fetch", [{}, INLINE], ids=["by address", "inline"])
async def test_every_picture_arrives_though_names_repeat(
    tmp_path: Path, server: JsonLibrary, fetch: dict[str, str]
) -> None:
    async with running_library(tmp_path, shots(server, fetch=fetch)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        run = await agent.sync("shots")
        items = await agent.items("shots")
        again = await agent.sync("shots")
    assert (run.state, run.seen, run.fetched, run.failed) == ("complete", 7, 7, 0)
    assert (again.wanted, again.new) == (0, 0)
    assert sorted(agent.files().values()) == sorted(body(n) for n in range(7))
    assert len({item.name for item in items}) == 3
    assert server.shots.secrets_seen == (0 if fetch else 7)


async def test_after_a_restart_the_library_still_knows_the_addresses(
    tmp_path: Path, server: JsonLibrary
) -> None:
    async with running_library(tmp_path, shots(server), working=False) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.library.sync("shots")
        await agent.heard(lambda event: isinstance(event, SyncEvent) and event.run.seen == 7)
    asked = server.shots.requests["items"]
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.quiet()
        assert (await agent.source("shots")).present == 7
    assert server.shots.requests["items"] == asked


async def test_one_name_for_two_items_fetches_both(tmp_path: Path, server: JsonLibrary) -> None:
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.sync("shots", list_only=True)
        batch, unknown = await agent.library.download("shots", ["IMG_0.png"])
        await agent.batch_finished(batch)
        assert unknown == []
        assert (await agent.source("shots")).present == 3


async def test_links_to_a_private_place_elsewhere_are_not_followed(
    tmp_path: Path, server: JsonLibrary
) -> None:
    with JsonLibrary() as elsewhere:
        server.shots.rows = [{"id": "1", "file": {"url": f"{elsewhere.base}/plain/1"}}]
        async with running_library(tmp_path, shots(server)) as agent:
            await agent.library.sign_in("shots", TOKEN)
            run = await agent.sync("shots")
            (item,) = await agent.items("shots")
        assert (run.failed, sum(elsewhere.shots.requests.values())) == (1, 0)
    assert item.error
    assert item.error.code == "blocked_address"


@pytest.mark.parametrize(
    "answer",
    [
        b"<!doctype html><title>Sign in</title>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        b'{"error":"no"}',
    ],
    ids=["login page", "svg", "json"],
)
@pytest.mark.parametrize("fetch", [{}, INLINE], ids=["by address", "inline"])
async def test_what_is_no_medium_is_not_saved(
    tmp_path: Path, server: JsonLibrary, answer: bytes, fetch: dict[str, str]
) -> None:
    server.shots.count, server.shots.file_answer = 1, answer
    async with running_library(tmp_path, shots(server, fetch=fetch)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        run = await agent.sync("shots")
        (item,) = await agent.items("shots")
    assert (run.failed, agent.files()) == (1, {})
    assert item.error
    assert item.error.code in {"not_media", "needs_login"}


async def test_a_promised_checksum_is_kept(tmp_path: Path, server: JsonLibrary) -> None:
    good = bad = hashlib.sha256(body(1)).hexdigest()
    server.shots.rows = [
        {"id": "1", "hash": good, "file": {"url": "/plain/1"}},
        {"id": "2", "hash": bad, "file": {"url": "/plain/2"}},
    ]
    async with running_library(tmp_path, shots(server), retries=0) as agent:
        await agent.library.sign_in("shots", TOKEN)
        run = await agent.sync("shots")
        (failed,) = await agent.items("shots", state="failed")
    assert (run.fetched, failed.name) == (1, "2")
    assert failed.error
    assert failed.error.code == "checksum_mismatch"


async def test_a_failing_page_seven_is_where_the_next_run_goes_on(
    tmp_path: Path, server: JsonLibrary
) -> None:
    server.shots.count = 30
    async with running_library(tmp_path, shots(server), sleep=no_wait) as agent:
        await agent.library.sign_in("shots", TOKEN)
        server.shots.fail_from = server.shots.requests["items"] + 7
        run = await agent.sync("shots", list_only=True)
        assert (run.state, run.pages, run.seen) == ("failed", 6, 18)
        assert run.error
        assert run.error.code == "server_error"
        server.shots.fail_from = None
        asked = server.shots.requests["items"]
        run = await agent.sync("shots", list_only=True)
        assert (run.state, run.seen, run.new) == ("complete", 30, 30)
        assert (
            server.shots.requests["items"] == asked + 5
        )  # pages seven to ten, then the newest again


async def test_a_server_that_wants_rest_for_long_is_asked_by_the_next_sync(
    tmp_path: Path, server: JsonLibrary
) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    async with running_library(tmp_path, shots(server), sleep=note) as agent:
        await agent.library.sign_in("shots", TOKEN)
        server.shots.busy = 600
        run = await agent.sync("shots", list_only=True)
        assert run.error
        assert (run.state, run.error.code, waits) == ("failed", "server_busy", [])


async def test_names_hold_nothing_that_a_terminal_obeys(
    tmp_path: Path, server: JsonLibrary
) -> None:
    server.shots.rows = [
        {"id": "1\x1b[2J", "file": {"name": "a\x1b]0;pwned\x07b\r\n"}},
        {"id": "\x07"},
    ]
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.sync("shots", list_only=True)
        assert {item.name for item in await agent.items("shots")} == {"a]0;pwnedb", "unnamed"}


async def test_pages_without_end_end_at_the_cap(
    tmp_path: Path, server: JsonLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paged, "MOST_PAGES", 20)
    server.shots.endless = True
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        run = await agent.sync("shots", list_only=True)
        assert (run.state, run.pages, run.seen, run.gone) == ("incomplete", 20, 60, 0)
        assert run.error
        assert run.error.code == "cap"


async def test_an_answer_with_an_error_in_it_is_no_empty_library(
    tmp_path: Path, server: JsonLibrary
) -> None:
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.sync("shots", list_only=True)
        server.shots.page_answer = b'{"error":"try later"}'
        run = await agent.sync("shots", list_only=True)
        assert (run.state, run.gone, (await agent.source("shots")).gone) == ("failed", 0, 0)
        server.shots.page_answer = b'{"data":{"items":[]}}'
        run = await agent.sync("shots", list_only=True)
        assert (run.state, run.suspicious, run.gone) == ("complete", True, 0)


async def test_a_source_can_be_tried_before_it_is_kept(tmp_path: Path, server: JsonLibrary) -> None:
    async with running_library(tmp_path) as agent:
        account, items = await agent.library.probe(shots(server), TOKEN)
        assert account.account == "default"
        assert [item.name for item in items] == ["IMG_0.png", "IMG_1.png", "IMG_2.png"]
        assert not any(agent.home.glob("secrets.json"))
        assert await agent.library.sources() == []


async def test_the_settings_may_change_while_it_runs(tmp_path: Path, server: JsonLibrary) -> None:
    numbers = itertools.count()
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        before = agent.library._sources.get("shots")
        for _ in range(3):
            changed = agent.changed(
                sources=(shots(server), shots(server, name=f"more-{next(numbers)}"))
            )
            agent.library.configure(changed)
        assert [source.name for source in await agent.library.sources()] == ["shots", "more-2"]
        assert agent.library._sources.get("shots") is before
        agent.library.configure(agent.changed(sources=()))
        assert await agent.library.sources() == []
