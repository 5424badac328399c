"""The status follows the settings as well as the events."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.agent.running_queue import running_queue, until
from trayagent.agent.bus import Bus
from trayagent.agent.status import LiveStatus
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import QueueEvent
from trayagent.model.jobs import New, Order
from trayagent.model.status import Status
from trayagent.store import downloads
from trayagent.store.database import waiting_at_most


def test_the_status_says_how_many_workers_there_are_now() -> None:
    bus = Bus()
    live_status = LiveStatus(bus, Status(workers=4))

    live_status.set_workers(2)
    bus.publish(QueueEvent("paused"))

    assert (live_status.status.workers, live_status.status.paused) == (2, True)


async def test_what_is_saved_too_late_is_counted_all_the_same(tmp_path: Path) -> None:
    """A disk hangs in the middle of a request: it is told no, and what was saved is work like any other."""
    async with running_queue(tmp_path) as h, asyncio.TaskGroup() as group:
        counting = group.create_task(h.live_status.run(h.db), name="live_status")

        def look_again() -> None:
            h.live_status.recount_soon()
            h.pool.wake()

        h.db.when_late(look_again)
        gate, go = asyncio.Event(), threading.Event()
        h.transfer.scripts = {"http://h/1": gate.wait}  # type: ignore[dict-item]
        with waiting_at_most(0.05), pytest.raises(StoreUnavailableError):
            await h.db.run(late, go)
        go.set()
        await h.transfer.busy_with(1)
        await until(lambda: (h.live_status.status.queued, h.live_status.status.active) == (0, 1))
        gate.set()
        await until(lambda: h.live_status.status.completed == 1)
        counting.cancel()


def late(conn: sqlite3.Connection, go: threading.Event) -> None:
    downloads.insert(conn, [New("k", "http://h/1", "h:80", Order())], via="hook", now=1.0)
    go.wait(5)
