"""A sync never takes a list for whole that it cannot read to its end, and files each picture under its own day."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.library.running_library import running_library
from tests.servers.json_library import TOKEN, JsonLibrary
from trayagent.model.settings import SourceSettings

DAY = 86_400


@pytest.fixture
def server() -> Iterator[JsonLibrary]:
    with JsonLibrary() as running:
        yield running


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Days begin where the moments of this file say."""
    monkeypatch.setenv("TZ", "UTC")
    if hasattr(time, "tzset"):
        time.tzset()
    yield
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


def shots(server: JsonLibrary) -> SourceSettings:
    return SourceSettings(
        name="shots", type="json", base=server.base, page_delay="0",
        list={"url": "{base}/items", "query": {"cursor": "{cursor}"}},
        page={"items": "data.items", "next": "data.next"},
        item={"id": "id", "name": "id", "kind": "type", "created": "at", "url": "url"},
        auth={"headers": {"Authorization": "Bearer {secret:token}"}},
    )  # fmt: skip


def row(server: JsonLibrary, n: int, at: Any = "2024-05-01T12:00:00Z") -> dict[str, Any]:
    return {"id": f"i{n}", "type": "image", "at": at, "url": f"{server.base}/plain/{n}"}


async def test_a_last_page_that_repeats_its_cursor_completes_and_marks_nothing_gone(
    tmp_path: Path, server: JsonLibrary
) -> None:
    server.shots.rows = [row(server, n) for n in range(8)]
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.sync("shots")
        server.shots.last = "own"
        server.shots.rows = [row(server, n) for n in (9, *range(7))]
        run = await agent.sync("shots")
        assert (run.state, run.error, run.seen, run.new, run.gone) == ("complete", None, 8, 1, 0)
        assert (await agent.source("shots")).present == 9
        server.shots.last = None
        assert (await agent.sync("shots")).gone == 1


@pytest.mark.parametrize("told", [True, "C" * 20_000])
async def test_what_cannot_be_asked_for_makes_the_run_incomplete_with_its_reason(
    tmp_path: Path, server: JsonLibrary, told: Any
) -> None:
    server.shots.rows = [row(server, n) for n in range(8)]
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.sync("shots")
        server.shots.last = told
        server.shots.rows = [row(server, n) for n in (9, *range(7))]
        run = await agent.sync("shots")
        assert (run.state, run.new, run.fetched, run.gone) == ("incomplete", 1, 1, 0)
        assert run.error is not None
        assert run.error.code == "cut_off"
        assert "The list is not complete" in run.error.message
        assert run.error.action
        kept = await agent.source("shots")
        assert kept.last_run is not None
        assert kept.last_run.error == run.error
        assert (kept.present, kept.gone) == (9, 0)


async def test_each_picture_is_filed_under_its_own_day(tmp_path: Path, server: JsonLibrary) -> None:
    ones: dict[Any, str] = {
        -455_000_000: "1955-08-01",
        -455_000_000_000: "1955-08-01",
        "-455000000": "1955-08-01",
        1_714_564_800_000_000: "2024-05-01",
        "Wed, 01 May 2024 12:00:00 GMT": "2024-05-01",
        "2024:05:01 12:00:00": "2024-05-01",
        "0987-06-05T12:00:00Z": "0987-06-05",
    }
    server.shots.rows = [row(server, n, at) for n, at in enumerate(ones)]
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        run = await agent.sync("shots")
        days = {
            item.name: Path(item.local_path or "").parent.name
            for item in await agent.items("shots")
        }
    assert (run.failed, run.undated) == (0, 0)
    assert days == {f"i{n}": day for n, day in enumerate(ones.values())}


async def test_a_small_number_is_read_as_its_neighbours_are(
    tmp_path: Path, server: JsonLibrary
) -> None:
    """In milliseconds, the first months of 1970 look like seconds; also on a page of their own."""
    early = 30 * DAY * 1000
    moments = [1_714_564_800_000 + n for n in range(6)]
    server.shots.rows = [row(server, n, at) for n, at in enumerate([early, *moments, early])]
    async with running_library(tmp_path, shots(server)) as agent:
        await agent.library.sign_in("shots", TOKEN)
        await agent.sync("shots")
        days = {
            item.name: Path(item.local_path or "").parent.name
            for item in await agent.items("shots")
        }
    assert (days["i0"], days["i7"], days["i1"]) == ("1970-01-31", "1970-01-31", "2024-05-01")


async def test_dates_that_are_not_understood_are_told_once(
    tmp_path: Path, server: JsonLibrary, caplog: pytest.LogCaptureFixture
) -> None:
    dates = ["soon", "0001-01-01T00:00:00Z", {"y": 1}, None, "", "2024-05-01", "later", "never"]
    server.shots.rows = [row(server, n, at) for n, at in enumerate(dates)]
    today = "2024-06-07"
    async with running_library(tmp_path, shots(server), now=lambda: 1_717_718_400.0) as agent:
        await agent.library.sign_in("shots", TOKEN)
        with caplog.at_level(logging.WARNING):
            run = await agent.sync("shots")
        days = {
            item.name: Path(item.local_path or "").parent.name
            for item in await agent.items("shots")
        }
    assert run.undated == 5
    assert "5 with a date we do not understand" in run.sentence
    assert [r.message for r in caplog.records] == ["shots writes dates that are not understood"]
    assert {name for name, day in days.items() if day != today} == {"i5"}
