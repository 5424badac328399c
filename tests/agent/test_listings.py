"""An order is read once: also for those who gave up waiting, and for those who ask at the same time."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running_queue import running_queue
from trayagent.agent.listings import Listings, Wanted
from trayagent.model.errors import StoreUnavailableError
from trayagent.store import folding
from trayagent.store.database import waiting_at_most
from trayagent.store.folding import Folded
from trayagent.store.listing import Chosen


async def test_a_list_that_takes_longer_than_a_request_is_there_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million rows on a busy machine: before, each request began anew, and none ever got them."""
    read, times = folding.in_order, list[float]()

    def read_slowly(conn: sqlite3.Connection, *args: Any, **words: Any) -> Folded:
        times.append(time.monotonic())
        time.sleep(0.6)
        return read(conn, *args, **words)

    monkeypatch.setattr(folding, "in_order", read_slowly)
    async with running_queue(tmp_path) as h:
        await h.queue.pause_all()
        ids = await h.add("http://h/1", "http://h/2")
        listings, wanted = Listings(h.db, h.bus, h.queries), Wanted(Chosen())
        with waiting_at_most(0.1), pytest.raises(StoreUnavailableError):
            await listings.window(wanted, 0, 10)
        async with asyncio.TaskGroup() as group:
            whole = group.create_task(listings.window(wanted, 0, 10), name="whole")
            rest = group.create_task(listings.window(wanted, 1, 10), name="rest")
    assert [download.id for download in whole.result().downloads] == ids
    assert [download.id for download in rest.result().downloads] == ids[1:]
    assert len(times) == 1
