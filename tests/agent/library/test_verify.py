"""Verify tells saved files that are as they were from changed, moved and missing ones, and repairs them beside."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.agent.library.running_library import BOB, RunningLibrary, flow, running_library
from tests.servers import flow_data as data
from tests.servers.flow import FakeFlow
from tests.servers.lying import Lying, Served, in_turn
from trayagent.model.downloads import Item
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import Event, VerifyEvent
from trayagent.model.library import VerifyReport
from trayagent.store import saved_files, transitions


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[RunningLibrary]:
    with FakeFlow() as fake:
        async with running_library(tmp_path, flow(fake)) as made:
            await made.library.sign_in("flow", BOB)
            await made.sync()
            url = f"{fake.base}/dl/clip.mp4?size=5000"
            entered = await made.intake.add([Item(url)], via="cli")
            await made.quiet()
            assert entered.receipt.downloads
            yield made


async def verified(agent: RunningLibrary, *, repair: bool = False) -> VerifyReport:
    agent.events.clear()
    await agent.library.verify(repair=repair)
    await agent.heard(lambda event: isinstance(event, VerifyEvent) and event.what == "finished")
    await agent.quiet()
    return agent.library.verify_report


async def paths(agent: RunningLibrary) -> dict[int, Path]:
    """Bob's files by number."""
    by_name = {item.name: Path(item.local_path or "") for item in await agent.items()}
    return {medium.index: by_name[medium.name] for medium in data.images_of("bob")}


async def test_everything_is_as_it_was(agent: RunningLibrary) -> None:
    report = await verified(agent)
    assert (report.state, report.total, report.checked, report.ok) == ("finished", 6, 6, 6)
    assert (report.changed, report.moved, report.missing, report.findings) == (0, 0, 0, ())
    assert report.started_at
    assert report.finished_at
    assert (await verified(agent)).ok == 6  # now against the checksums


async def test_what_is_not_as_it_was_is_told(agent: RunningLibrary, tmp_path: Path) -> None:
    await verified(agent)
    files = await paths(agent)
    body = files[1].read_bytes()
    files[1].write_bytes(body[:-1] + bytes([body[-1] ^ 1]))  # of the same size
    away = tmp_path / "library" / "flow" / "kept elsewhere.png"
    files[2].rename(away)
    files[3].unlink()
    report = await verified(agent)
    assert (report.ok, report.changed, report.moved, report.missing) == (3, 1, 1, 1)
    told = {finding.what: finding for finding in report.findings}
    assert (told["changed"].path, told["missing"].path) == (str(files[1]), str(files[3]))
    assert (told["moved"].path, told["moved"].found) == (str(files[2]), str(away))
    assert report.repaired == 0
    assert not files[3].exists()


async def test_repair_fetches_again_and_notes_new_places(
    agent: RunningLibrary, tmp_path: Path
) -> None:
    await verified(agent)
    files = await paths(agent)
    files[1].write_bytes(b"edited by its owner")
    away = tmp_path / "library" / "flow" / "away.png"
    files[2].rename(away)
    files[3].unlink()
    clip = next((tmp_path / "downloads").iterdir())
    whole = clip.read_bytes()
    clip.unlink()
    report = await verified(agent, repair=True)
    assert (report.changed, report.moved, report.missing, report.repaired) == (1, 1, 2, 4)
    now = await paths(agent)
    bodies = {medium.index: medium.body for medium in data.images_of("bob")}
    assert {index: path.read_bytes() for index, path in now.items()} == bodies
    assert files[1].read_bytes() == b"edited by its owner"
    assert now[2] == away
    assert clip.read_bytes() == whole
    again = await verified(agent)
    assert (again.ok, again.changed, again.moved, again.missing) == (6, 0, 0, 0)


async def test_what_was_promised_of_a_file_holds_when_it_is_fetched_again(
    agent: RunningLibrary, tmp_path: Path
) -> None:
    """The server has another file by now, of the same size: no repair."""
    body = bytes(range(200)) * 40
    said = f"sha-1:8000:{hashlib.sha1(body).hexdigest()}"
    async with Lying() as server:
        served = in_turn(Served(body), Served(body[::-1]))
        url = server.at("/f.bin", served)
        await agent.intake.add([Item(url, size=8000, pieces=said)], via="cli")
        await agent.quiet()
        file = tmp_path / "downloads" / "f.bin"
        file.unlink()
        await verified(agent, repair=True)
        rows = await agent.db.read(_newest)
    assert not file.exists()
    assert rows["state"] == "failed"
    assert "checksum_mismatch" in rows["error"]


def _newest(conn: sqlite3.Connection) -> sqlite3.Row:
    row: sqlite3.Row = conn.execute("SELECT * FROM downloads ORDER BY n DESC LIMIT 1").fetchone()
    return row


async def test_only_what_was_queued_again_counts_as_repaired(
    agent: RunningLibrary, tmp_path: Path
) -> None:
    """The source has left the settings: its pictures cannot be fetched, the download can."""
    await verified(agent)
    files = await paths(agent)
    files[1].unlink()
    clip = next((tmp_path / "downloads").iterdir())
    clip.unlink()
    agent.library.configure(agent.changed(sources=()))
    report = await verified(agent, repair=True)
    assert (report.missing, report.repaired) == (2, 1)
    told = {finding.path: finding.repaired for finding in report.findings}
    assert told == {str(files[1]): False, str(clip): True}
    assert clip.exists()


async def test_it_can_be_cancelled_and_a_second_wish_shows_the_running_one(
    agent: RunningLibrary,
) -> None:
    cancelled = asyncio.Event()

    def stop(event: Event) -> None:
        if isinstance(event, VerifyEvent) and event.what == "progress":
            agent.library.cancel_verify()
            cancelled.set()

    with agent.bus.subscribe(stop):
        agent.events.clear()
        first = await agent.library.verify()
        assert first.state == "running"
        assert (await agent.library.verify()).started_at == first.started_at
        await cancelled.wait()
        await agent.heard(lambda event: isinstance(event, VerifyEvent) and event.what == "finished")
    assert agent.library.verify_report.state == "cancelled"
    assert agent.library.verify_report.checked < 6


async def test_a_row_that_was_removed_meanwhile_is_left_out(
    agent: RunningLibrary, tmp_path: Path
) -> None:
    """Repairing what a person has just forgotten harms nobody."""
    await verified(agent)
    next((tmp_path / "downloads").iterdir()).unlink()
    read = agent.db.read

    async def late(fn: Any, *args: Any, **kwargs: Any) -> Any:
        answer = await read(fn, *args, **kwargs)
        if fn is saved_files.page and answer and answer[0].kind == "download":
            await agent.db.run(transitions.clear)
        return answer

    with patch.object(agent.db, "read", late):
        report = await verified(agent, repair=True)

    assert (report.state, report.missing) == ("finished", 1)


async def test_a_store_that_is_away_ends_the_check_only(agent: RunningLibrary) -> None:
    """The check is given up, and another one can follow."""

    async def away(*_: Any) -> Any:
        raise StoreUnavailableError("away")

    # A checksum that is not known yet is what a check has to save.
    await agent.db.run(lambda conn: conn.execute("UPDATE downloads SET sha256 = NULL"))
    with patch.object(agent.db, "run", away):
        assert (await verified(agent)).state == "cancelled"
    assert (await verified(agent)).state == "finished"
